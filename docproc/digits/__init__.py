"""From ink to scored glyphs: segment, normalize, batch, recognize."""
