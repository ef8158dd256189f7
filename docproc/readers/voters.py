"""The readers that vote, by the names that stand on the cards. To add one, write its folder and enter it here."""

from __future__ import annotations

from collections.abc import Mapping

from docproc.backends.form import Form
from docproc.readers import comb, lattice, line, verifier
from docproc.readers.line import wide
from docproc.readers.voter import Voter

VOTERS: Mapping[str, Voter] = {"lattice": lattice, "line": line, "wide": wide, "cells": comb}
SAME_VIEW: Mapping[str, str] = {"wide": "line"}  # who is shown what another one is shown, which comes first

FORMS: Mapping[str, Form] = {**{name: voter.FORM for name, voter in VOTERS.items()}, verifier.NAME: verifier.FORM}
"""What the networks take and give: those of the readers above, and of the one that is asked about what they propose."""
