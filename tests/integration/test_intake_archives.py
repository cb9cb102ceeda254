"""ZIPs as people send them, and as somebody builds them who means harm."""

from __future__ import annotations

import io
import itertools
import os
import stat
import struct
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from carez_desktop.dicom import zip_archives
from carez_desktop.progress import CancellationFlag
from carez_desktop.workflows._intake import take_in
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from tests.builders.archives import codes, left_in, pack, taken
from tests.builders.dicom_series import SeriesPlan, build_series


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkflowContext]:
    opened = open_context(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return build_series(tmp_path / "source", SeriesPlan((3, 6, 8), series_uid="1.2.33"))


def test_a_zip_is_unpacked_once_and_its_studies_load(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    path = pack(
        tmp_path / "s.zip",
        {f"deep/{p.name}": p.read_bytes() for p in images} | {"readme.txt": b"text" * 100},
    )
    before = path.read_bytes()
    report = import_studies(context, paths=[path])
    (record,) = report.series
    assert record.shape == (3, 6, 8)
    folder = Path(record.paths[0]).parent
    assert folder.is_relative_to(context.home / "studies")
    assert stat.S_IMODE(Path(record.paths[0]).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [Path(p).read_bytes() for p in sorted(record.paths)] == [
        p.read_bytes() for p in sorted(images)
    ]
    assert path.read_bytes() == before
    times = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = taken(context, path.rename(tmp_path / "other name.zip"))
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == times
    assert len(again.scan.headers) == 3
    assert again.sources[record.paths[0]].startswith(str(tmp_path / "other name.zip"))
    next(iter(times)).unlink()
    assert len(taken(context, tmp_path / "other name.zip").scan.headers) == 3


def test_zips_in_folders_and_in_zips_two_deep(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    content = [p.read_bytes() for p in images]
    inner = pack(tmp_path / "inner", {"a": content[0]}).read_bytes()
    middle = pack(tmp_path / "middle", {"b": content[1], "inner.zip": inner}).read_bytes()
    folder = tmp_path / "given"
    folder.mkdir()
    pack(folder / "outer.ZIP", {"c": content[2], "middle.zip": middle})
    result = taken(context, folder)
    assert len(result.scan.headers) == 3
    deeper = pack(
        folder / "outer.ZIP", {"m.zip": pack(tmp_path / "x", {"n.zip": middle}).read_bytes()}
    )
    result = taken(context, deeper)
    assert len(result.scan.headers) == 1
    assert codes(result.findings) == {"archive_nested"}


HOSTILE_NAMES = [
    "../../escape.dcm",
    "/tmp/escape.dcm",
    "..\\..\\escape.dcm",
    "C:\\escape.dcm",
    "c:escape.dcm",
    "a/../../escape.dcm",
    "\\\\server\\share\\escape.dcm",
]


def test_no_name_leaves_the_folder(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    content = images[0].read_bytes()
    path = pack(tmp_path / "slip.zip", dict.fromkeys([*HOSTILE_NAMES, "good.dcm"], content))
    before = {p for p in tmp_path.rglob("*") if "home" not in p.parts}
    result = taken(context, path)
    assert len(result.scan.headers) == 1
    assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} == before
    (finding,) = result.findings
    assert finding.code == "archive_outside"
    assert finding.text.startswith("7 members")
    assert all(Path(p).is_relative_to(context.home / "studies") for p in result.sources)


def test_links_are_not_made(context: WorkflowContext, tmp_path: Path, images: list[Path]) -> None:
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.dcm", images[0].read_bytes())
    result = taken(context, path)
    assert len(result.scan.headers) == 1
    assert codes(result.findings) == {"archive_link"}
    assert not any(p.is_symlink() for p in (context.home / "studies").rglob("*"))


def test_names_that_meet_are_told_apart(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    contents = [p.read_bytes() for p in images]
    path = tmp_path / "twice.zip"
    names = [
        "IM1",
        "im1",
        "IM1",
        "IM1/below",
        "con.dcm",
        "x" * 300 + ".dcm",
        "ab:c?.dcm",
        "b\u00e4r",
    ]
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the duplicate that this test wants
        for index, name in enumerate(names):
            archive.writestr(zipfile.ZipInfo(name), contents[index % 3])
    result = taken(context, path)
    assert result.scan.unreadable == ()
    assert len(result.scan.headers) == len(names)
    folded = [str(p).casefold() for p in result.sources]
    assert len(set(folded)) == len(names)
    assert all(len(os.fsencode(Path(p).name)) <= 100 for p in result.sources)


def test_a_bomb_is_refused_before_it_fills_the_disk(
    context: WorkflowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_archives, "SMALL_BYTES", 1 << 20)
    path = pack(tmp_path / "bomb.zip", {"bomb.nii": bytes(20 << 20)})
    result = taken(context, path)
    (item,) = result.scan.unreadable
    assert item.path == str(path)
    assert "200 times its size" in item.reason
    assert left_in(context.home) == []
    inner = path.read_bytes()
    nested = pack(tmp_path / "nested.zip", {f"{n}.zip": inner for n in range(3)})
    result = taken(context, nested)
    assert {u.path for u in result.scan.unreadable} == {f"{nested}/{n}.zip" for n in range(3)}
    assert not any(name.endswith(".nii") for name in left_in(context.home))


def test_sizes_that_lie_are_counted(
    context: WorkflowContext, tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stated as 100 bytes, the member holds 20 MiB: what is read is bounded by what it states."""
    path = pack(tmp_path / "lie.zip", {"lie.nii": bytes(20 << 20), "ok": images[0].read_bytes()})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02"))
    struct.pack_into("<I", content, at + 24, 100)
    path.write_bytes(content)
    result = taken(context, path)
    assert len(result.scan.headers) == 1
    (item,) = result.scan.unreadable
    assert item.path == f"{path}/lie.nii"
    folder = Path(next(iter(result.sources))).parent
    assert sum(p.stat().st_size for p in folder.iterdir()) < 10_000


def test_overlapping_members_count_each_time(
    context: WorkflowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_archives, "SMALL_BYTES", 1 << 20)
    path = pack(tmp_path / "one.zip", {"a.nii": bytes(300_000)})
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entries = [content[at:end].replace(b"a.nii", b"%c.nii" % (97 + n)) for n in range(20)]
    directory = b"".join(entries)
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 20, 20, len(directory), at, 0)
    path.write_bytes(content[:at] + directory + tail)
    result = taken(context, path)
    assert result.scan.unreadable
    assert left_in(context.home) == []


def test_damage_costs_one_member(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image in images:
            archive.writestr(image.name, image.read_bytes())
    content = bytearray(path.read_bytes())
    at = content.index(images[1].read_bytes()[-60:])
    content[at + 30] ^= 0xFF
    path.write_bytes(content)
    result = taken(context, path)
    assert len(result.scan.headers) == 2
    (item,) = result.scan.unreadable
    assert item.path == f"{path}/{images[1].name}"
    assert "CRC" in item.reason
    again = taken(context, path)
    assert again.scan.unreadable == (item,)


def test_encrypted_cut_and_empty_zips_are_named(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    whole = pack(tmp_path / "s.zip", {"a": images[0].read_bytes()}).read_bytes()
    locked = bytearray(whole)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + offset] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    (tmp_path / "none.zip").write_bytes(b"")
    pack(tmp_path / "text.zip", {"a.txt": b"text"})
    (tmp_path / "s.zip").unlink()
    result = taken(context, *sorted(tmp_path.glob("*.zip")))
    reasons = {Path(item.path).name: item.reason for item in result.scan.unreadable}
    assert set(reasons) == {"locked.zip", "cut.zip", "none.zip"}
    assert "password" in reasons["locked.zip"]
    assert codes(result.findings) == {"archive_empty"}


def test_cancel_within_a_large_zip(context: WorkflowContext, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.nii", os.urandom(64 << 20))
    path = tmp_path / "large.zip"
    path.write_bytes(content.getvalue())
    flag = CancellationFlag()
    asked = []

    class Later:
        @property
        def is_cancelled(self) -> bool:
            return flag.is_cancelled

        def raise_if_cancelled(self) -> None:
            asked.append(time.monotonic())
            flag.raise_if_cancelled()

    with take_in(context, [path], cancel=Later()):
        pass
    gaps = [b - a for a, b in itertools.pairwise(asked)]
    assert sorted(gaps)[-3] < 0.1  # all but the disk's own pauses


def test_offsets_that_lead_before_the_file(
    context: WorkflowContext, tmp_path: Path, images: list[Path]
) -> None:
    path = pack(tmp_path / "s.zip", {"a": images[0].read_bytes()})
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", content, end + 16)
    struct.pack_into("<I", content, end + 16, start + 7)
    path.write_bytes(content)
    result = taken(context, path)
    assert not result.scan.headers
    assert [item.path for item in result.scan.unreadable] == [f"{path}/a"]


def test_a_member_without_a_name_is_left_out(context: WorkflowContext, tmp_path: Path) -> None:
    """Found by fuzzing: `ZipInfo.is_dir` cannot take an empty name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", "x")
    data = packed.getvalue()
    start, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    entry = data[start : start + 28] + bytes(2) + data[start + 30 : start + 46]
    tail = bytearray(data[end:])
    tail[12:16] = struct.pack("<I", len(entry))
    path = tmp_path / "nameless.zip"
    path.write_bytes(data[:start] + entry + bytes(tail))
    assert [info.filename for info in zipfile.ZipFile(path).infolist()] == [""]
    report = import_studies(context, paths=[path])
    assert report.series == ()
    assert any("were left out" in finding.text for finding in report.findings)
