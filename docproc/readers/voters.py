"""The voting readers, by their names on the cards. To add one, write its folder and register it here."""

from __future__ import annotations

from collections.abc import Mapping

from docproc.backends.form import Form
from docproc.readers import comb, lattice, line
from docproc.readers.voter import Voter

VOTERS: Mapping[str, Voter] = {"lattice": lattice, "line": line, "cells": comb}

FORMS: Mapping[str, Form] = {name: voter.FORM for name, voter in VOTERS.items()}
"""The inputs and outputs of their networks."""
