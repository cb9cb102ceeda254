from __future__ import annotations

from dataclasses import replace

from carez_desktop.domain.lost_files import note_lost_files
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import UnreadableFile
from tests.builders.image_headers import header


def test_a_file_that_states_its_series_is_told_there() -> None:
    records = stack_instances(
        header(n, 2.0 * n, path=f"a/{n}", series_instance_uid=f"1.{n % 2}") for n in range(8)
    )
    lost = [UnreadableFile("elsewhere/x", "truncated: 3 of 9 bytes", series_instance_uid="1.1")]
    told = note_lost_files(records, lost)
    assert [len(record.findings) for record in told] == [0, 1]
    (finding,) = told[1].findings
    assert finding.code == "unreadable_files"
    assert finding.text.startswith("1 of 5 files of its series could not be read")
    assert "x: truncated: 3 of 9 bytes" in finding.text


def test_a_file_without_series_belongs_to_the_only_series_of_its_folder() -> None:
    one = stack_instances(header(n, 2.0 * n, path=f"a/{n}") for n in range(4))
    two = [replace(record, series_instance_uid="1.8", paths=("b/0",)) for record in one]
    lost = [UnreadableFile("a/9", "cut"), UnreadableFile("c/9", "cut")]
    told = note_lost_files([*one, *two], lost)
    assert [len(record.findings) for record in told] == [1, 0]


def test_a_folder_of_several_series_blames_none() -> None:
    records = stack_instances(
        header(n, 2.0 * n, path=f"a/{n}", series_instance_uid=f"1.{n % 2}") for n in range(8)
    )
    assert note_lost_files(records, [UnreadableFile("a/9", "cut")]) == records


def test_it_is_told_once_however_often_it_is_asked() -> None:
    records = stack_instances(header(n, 2.0 * n, path=f"a/{n}") for n in range(4))
    lost = [UnreadableFile("a/9", "cut")]
    assert note_lost_files(note_lost_files(records, lost), lost) == note_lost_files(records, lost)
