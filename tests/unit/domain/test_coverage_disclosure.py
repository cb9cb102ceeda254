"""Whatever is published, no hidden small count can be computed from sums."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.domain.coverage_disclosure import hidden_cells, suppress_coverage


def _table(counts: np.ndarray) -> dict:
    """One- and two-axis cells of a two-way table of counts (rows: sex, columns: age)."""
    cells = {}
    for row in range(counts.shape[0]):
        cells[(("sex", f"s{row}"),)] = int(counts[row].sum())
        for column in range(counts.shape[1]):
            cells[(("age", f"a{column}"), ("sex", f"s{row}"))] = int(counts[row, column])
    for column in range(counts.shape[1]):
        cells[(("age", f"a{column}"),)] = int(counts[:, column].sum())
    return cells


@pytest.mark.parametrize("seed", range(20))
def test_no_published_sum_tells_a_hidden_small_count(seed: int):
    rng = np.random.default_rng(seed)
    cells = _table(rng.poisson(rng.choice([4, 12, 40]), (3, 4)))
    hidden = hidden_cells(cells)
    assert all(key in hidden for key, count in cells.items() if 1 <= count <= 10)
    for key in cells:
        if len(key) == 1 and key not in hidden:
            pairs = [pair for pair in cells if len(pair) == 2 and key[0] in pair]
            unknown = [pair for pair in pairs if pair in hidden]
            told = cells[key] - sum(cells[pair] for pair in pairs if pair not in hidden)
            assert not unknown or (len(unknown) > 1 and told > 10)


def test_a_single_small_cell_takes_the_next_smallest_along():
    cells = {(("sex", "F"),): 3, (("sex", "M"),): 40, (("sex", "O"),): 90, (("sex", "U"),): 0}
    assert hidden_cells(cells) == {(("sex", "F"),), (("sex", "M"),)}


def test_a_matrix_without_small_cells_is_shown_whole():
    cells = _table(np.full((2, 3), 20))
    assert hidden_cells(cells) == frozenset()
    assert hidden_cells(_table(np.zeros((2, 2), int))) == frozenset()


def test_after_is_hidden_with_before():
    cell = {"axes": ["sex"], "strata": ["F"], "before": 3, "after": 8, "synthetic": 5}
    (made,) = suppress_coverage({"cells": [cell]})["cells"]
    assert made == {**cell, "before": "<=10", "after": "suppressed"}


def test_an_axis_that_concerns_only_some_volumes_tells_nothing():
    cells = {
        (("sex", "F"),): 30,
        (("sex", "M"),): 40,
        (("dose", "low"),): 3,
        (("dose", "low"), ("sex", "M")): 3,
        (("age", "old"),): 30,
        (("age", "young"),): 40,
    }
    assert hidden_cells(cells) == {(("dose", "low"),), (("dose", "low"), ("sex", "M"))}
