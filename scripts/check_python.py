"""Report immediately, in one line, if this Python cannot install docproc."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):  # noqa: YTT
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"docproc needs Python 3.11 to 3.13 and this is {found}; name another one: make PYTHON=python3.12 ...")
