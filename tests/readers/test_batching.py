from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.readers.batching import flatten, regroup


@given(st.lists(st.integers(0, 7), max_size=12))
def test_regroup_undoes_flatten(sizes: list[int]) -> None:
    rng = np.random.default_rng(len(sizes))
    groups = [rng.integers(0, 256, (n, 28, 28)).astype(np.uint8) for n in sizes]
    batch, counts = flatten(groups)
    assert batch.shape == (sum(sizes), 28, 28)
    scores = batch[:, 0, :11].astype(np.float32)
    back = regroup(scores, counts)
    assert len(back) == len(groups)
    for group, own in zip(groups, back, strict=True):
        assert np.array_equal(own, group[:, 0, :11])


def test_a_wrong_number_of_scores_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 rows for groups of 4"):
        regroup(np.zeros((5, 11), np.float32), (1, 3))
