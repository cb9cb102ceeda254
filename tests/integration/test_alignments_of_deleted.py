"""What is deleted takes its alignments along."""

from __future__ import annotations

from pathlib import Path

from carez_desktop.domain.alignment import Alignment
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.delete_studies import delete_studies
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.keep_alignment import keep_alignment
from carez_desktop.workflows.list_alignments import list_alignments
from tests.builders.small_studies import write_series


def test_a_deleted_volume_leaves_no_alignment_behind(tmp_path: Path) -> None:
    context = open_context(tmp_path / "home")
    folders = [write_series(tmp_path / "studies", number) for number in (1, 2, 3)]
    ids = [record.volume_id for record in import_studies(context, paths=folders).series]
    assert len(ids) == 3
    for pair in ((0, 1), (1, 2)):
        keep_alignment(context, Alignment.by_offset(ids[pair[0]], ids[pair[1]], (1.0, 2.0, 3.0)))
    delete_studies(context, keys=[ids[0]])
    assert len(list_alignments(context).alignments) == 2
    delete_studies(context, keys=[ids[0]], confirmed=True)
    (left,) = list_alignments(context).alignments
    assert {left.fixed_id, left.moving_id} == set(ids[1:])
    context.close()
