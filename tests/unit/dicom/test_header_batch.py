from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from carez_desktop.dicom import header_batch
from carez_desktop.dicom.file_content import FileContent, look_into
from carez_desktop.dicom.header_batch import (
    contents_from_plain,
    contents_to_plain,
    read_contents,
)
from carez_desktop.domain.study import ReferencedObject, UnreadableFile
from carez_desktop.errors import CancelledError
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.child_process import ChildPool
from tests.builders.dicom_series import SeriesPlan, build_series


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2, preload=("carez_desktop.dicom.header_batch",))
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Forty slices, a text, an empty file, a damaged one, and a name that is no UTF-8."""
    folder = tmp_path_factory.mktemp("many")
    build_series(folder / "ct", SeriesPlan((40, 8, 9), (2.0, 0.7, 0.9)))
    slices = sorted((folder / "ct").iterdir())
    (folder / "readme.txt").write_text("no image")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "cut.dcm").write_bytes(slices[0].read_bytes()[:-40])
    odd = Path(os.fsdecode(bytes(folder) + b"/\xff\xe9.dcm"))
    odd.write_bytes(slices[1].read_bytes())
    return [
        *slices[:20],
        *sorted(path for path in folder.iterdir() if path.is_file()),
        *slices[20:],
    ]


def test_children_find_what_the_parent_finds(pool: ChildPool, files: list[Path]) -> None:
    here = dict(read_contents(files))
    there = dict(read_contents(files, children=pool, fewest_for_children=1))
    assert there == here
    assert sum(len(content.headers) for content in here.values()) == 41
    assert sum(content.unreadable is not None for content in here.values()) == 2
    assert sum(content == FileContent() for content in here.values()) == 1


def test_real_files_come_through_unchanged(pool: ChildPool, studies: Path) -> None:
    folders = ("pydicom_data_subset", "highdicom_objects", "charsets", "dicom2nifti_cases")
    paths = [path for name in folders for path in sorted((studies / name).rglob("*.*"))]
    paths = [path for path in paths if path.is_file()]
    here = dict(read_contents(paths))
    there = dict(read_contents(paths, children=pool, fewest_for_children=1))
    assert there == here
    assert any(content.object for content in here.values())


def test_a_few_files_start_no_child(files: list[Path]) -> None:
    pool = ChildPool()
    assert len(list(read_contents(files, children=pool))) == len(files)
    assert not pool.is_warm


def test_what_crashes_a_child_costs_that_file_only(
    pool: ChildPool, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        header_batch, "READ_HEADERS", "tests.builders.child_functions:read_headers_or_crash"
    )
    there = dict(read_contents(files, children=pool, fewest_for_children=1))
    here = dict(read_contents(files))
    assert there.keys() == here.keys()
    hurt = [index for index in here if there[index] != here[index]]
    assert [files[index].name for index in hurt] == ["cut.dcm"]
    lost = there[hurt[0]].unreadable
    assert lost is not None
    assert "SIGABRT" in lost.reason
    assert lost.path == str(files[hurt[0]])


def test_cancel(pool: ChildPool, files: list[Path]) -> None:
    flag = CancellationFlag()
    flag.cancel()
    for children in (None, pool):
        with pytest.raises(CancelledError):
            list(read_contents(files, children=children, fewest_for_children=1, cancel=flag))


def test_frames_share_their_attributes_after_the_way(files: list[Path]) -> None:
    (header,) = look_into(files[0]).headers
    frames = tuple(replace(header, frame_index=k) for k in range(5))
    named = ReferencedObject("Segmentation", "1.2", "1.3", ("1.4", "1.5"), "/a")
    contents = [
        FileContent(frames),
        FileContent(object=named),
        FileContent(unreadable=UnreadableFile("/b", "cut", "1.6")),
        FileContent(),
    ]
    plain = json.loads(json.dumps(contents_to_plain(contents)))
    assert len(plain["attributes"]) == 1
    back = contents_from_plain(plain)
    assert back == contents
    assert len({id(frame.attributes) for frame in back[0].headers}) == 1
