"""Alignments are kept for pairs of volumes, offered again, and forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.errors import UsageError
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.forget_alignments import forget_alignments
from carez_desktop.workflows.keep_alignment import forget_alignment, keep_alignment
from carez_desktop.workflows.list_alignments import list_alignments
from carez_desktop.workflows.register_volumes import register_volumes
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer
from tests.builders.rigid_scenes import rigid, scene_pair

_MATRIX = rigid((1.0, 2.0, 0.5), 17.123456789, (1 / 3, -2 / 7, 1e-9))


def _registered(fixed: str = "a", moving: str = "/site/b.h5#case-1") -> Alignment:
    return Alignment(fixed, moving, _MATRIX, AlignmentMethod.REGISTRATION, {"residual_mm": 0.25})


def test_what_is_kept_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    assert list_alignments(context).alignments == ()
    keep_alignment(context, alignment=_registered())
    keep_alignment(context, alignment=Alignment.by_offset("c", "d", (1.5, -2.0, 0.0)))
    first, second = list_alignments(open_context(tmp_path)).alignments
    np.testing.assert_array_equal(first.matrix, _MATRIX)
    assert (first.fixed_id, first.moving_id) == ("a", "/site/b.h5#case-1")
    assert (first.method, dict(first.quality)) == (
        AlignmentMethod.REGISTRATION, {"residual_mm": 0.25},
    )  # fmt: skip
    np.testing.assert_array_equal(second.matrix[:3, 3], (1.5, -2.0, 0.0))
    assert [item.fixed_id for item in list_alignments(context, volume_id="d").alignments] == ["c"]
    if os.name == "posix":
        assert (tmp_path / "alignments").stat().st_mode & 0o077 == 0
    for path in (tmp_path / "alignments").iterdir():
        assert "case-1" not in path.name


def test_a_pair_has_one_alignment_whichever_is_called_fixed(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    keep_alignment(context, alignment=_registered("a", "b"))
    keep_alignment(context, alignment=Alignment.by_offset("b", "a", (4.0, 0.0, 0.0)))
    (kept,) = list_alignments(context).alignments
    assert (kept.fixed_id, kept.method) == ("b", AlignmentMethod.OFFSET)


def test_what_the_volumes_say_themselves_is_not_kept(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    same = Alignment("a", "b", np.eye(4), AlignmentMethod.SAME_SOURCE)
    with pytest.raises(UsageError, match="Only a registration"):
        keep_alignment(context, alignment=same)
    assert list_alignments(context).alignments == ()


def test_forgetting_one_pair_or_all_of_a_volume(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    for pair in (("a", "b"), ("b", "c"), ("c", "d")):
        keep_alignment(context, alignment=_registered(*pair))
    assert forget_alignment(context, fixed_id="b", moving_id="a")
    assert not forget_alignment(context, fixed_id="b", moving_id="a")
    assert forget_alignments(context, volume_ids=("x",)) == 0
    assert [item.fixed_id for item in list_alignments(context).alignments] == ["b", "c"]
    assert forget_alignments(context, volume_ids=["c"]) == 2
    assert list_alignments(context).alignments == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"matrix": np.diag([2.0, 1, 1, 1]).tolist()}, "rigid"),
        ({"matrix": np.diag([-1.0, 1, 1, 1]).tolist()}, "mirror"),
        ({"matrix": [[1.0]]}, "matrix"),
        ({"version": 7}, "version"),
        ({"method": "guess"}, "method"),
        (None, "JSON"),
    ],
)
def test_a_damaged_file_is_told_and_the_others_are_used(
    change: dict | None, word: str, tmp_path: Path
) -> None:
    context = open_context(tmp_path)
    keep_alignment(context, alignment=_registered("a", "b"))
    (path,) = (tmp_path / "alignments").iterdir()
    plain = json.loads(path.read_text())
    path.write_text("{" if change is None else json.dumps({**plain, **change}))
    keep_alignment(context, alignment=_registered("c", "d"))
    listed = list_alignments(context)
    assert [item.fixed_id for item in listed.alignments] == ["c"]
    assert [finding.subject for finding in listed.findings] == [path.name]
    assert word in listed.findings[0].text


def test_registered_kept_and_offered_when_both_are_opened_again(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    true = rigid((0.0, 1.0, 0.2), 8.0, (7.0, 5.0, -4.0))
    fixed, moving = scene_pair(true)
    report = register_volumes(context, fixed=fixed, moving=moving)
    assert report.alignment is not None
    keep_alignment(context, alignment=report.alignment)
    # Next start, opened the other way round.
    known = list_alignments(open_context(tmp_path)).alignments
    arrangement = Arrangement(alignments=known)
    first, second = Layer(moving), Layer(fixed)
    arrangement.open(first)
    arrangement.open(second)
    assert arrangement.link_refusal(first, second) == ""
    to_fixed = arrangement.to_layer(first, second)
    np.testing.assert_allclose(to_fixed @ true, np.eye(4), atol=0.6)
    lines = "".join(path.read_text() for path in (tmp_path / "audit").rglob("*.jsonl"))
    assert "register_volumes" in lines
    assert "keep_alignment" in lines
