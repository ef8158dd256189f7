"""The readers: one folder each, and what they share.

Three read handwriting and vote: `lattice` segments, `line` sees the whole field, `comb` looks at each cell. `e13b` alone
reads the magnetic-ink print on checks.
"""

from collections.abc import Mapping
from typing import Final

NETWORKS: Mapping[str, str] = {"lattice": "glyphs", "line": "lines", "cells": "cells"}
"""The network of each voting reader, in the order of `voters.FORMS`; both names appear on model cards."""

MICR: Final = "micr"  # the E-13B network
