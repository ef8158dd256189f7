"""The readers: a folder for each, and what they share.

Three read what is written by hand, and vote: `lattice` cuts, `line` sees the whole field, `comb` sees cell after cell. `e13b`
reads the print on checks by itself.
"""

from collections.abc import Mapping
from typing import Final

NETWORKS: Mapping[str, str] = {"lattice": "glyphs", "line": "lines", "cells": "cells"}
"""The network of each reader that votes, in the order of `voters.FORMS`; both names stand on the cards of models."""

MICR: Final = "micr"  # the network of E-13B
