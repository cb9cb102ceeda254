from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from carez_desktop.dicom.scan import scan_files
from carez_desktop.errors import CancelledError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.child_process import ChildPool
from tests.builders.dicom_series import SeriesPlan, build_series


def test_finds_every_kind_by_content(tmp_path: Path) -> None:
    build_series(tmp_path / "deep" / "er", SeriesPlan())
    build_series(tmp_path / ".hidden", SeriesPlan((1, 6, 8), series_uid="1.2.9"))
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "._0001.dcm").write_bytes(b"\0\x05\x16\x07macOS keeps this beside a file")
    (tmp_path / "text.dcm").write_text("this is no DICOM at all")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "a.nii.gz").write_bytes(b"")
    (tmp_path / "b.NRRD").write_bytes(b"")
    (tmp_path / "pair.hdr").write_bytes((348).to_bytes(4, "little") + bytes(344))
    (tmp_path / "radiance.hdr").write_text("#?RADIANCE")
    (tmp_path / "c.ZIP").write_bytes(b"")
    (tmp_path / "d.tar.gz").write_bytes(b"")
    result = scan_files([tmp_path])
    assert len(result.headers) == 6
    assert [path.name for path in result.volume_files] == ["a.nii.gz", "b.NRRD", "pair.hdr"]
    assert [path.name for path in result.archives] == ["c.ZIP"]
    assert result.ignored_count == 4
    assert [Path(item.path).name for item in result.unreadable] == ["empty.dcm", "text.dcm"]
    assert "not DICOM" in result.unreadable[1].reason
    (finding,) = result.findings
    assert finding.code == "packed_file"
    assert "d.tar.gz" in finding.text


def test_a_given_file_of_no_kind_is_named(tmp_path: Path) -> None:
    build_series(tmp_path / "good", SeriesPlan((2, 6, 8)))
    text = tmp_path / "notes.txt"
    text.write_text("nothing")
    result = scan_files([text, tmp_path / "good"])
    assert len(result.headers) == 2
    (item,) = result.unreadable
    assert item.path == str(text)
    assert "NIfTI" in item.reason


def test_a_given_zip_is_known_by_content(tmp_path: Path) -> None:
    path = tmp_path / "download"
    path.write_bytes(b"PK\x03\x04 and more")
    assert scan_files([path]).archives == (path,)
    assert scan_files([tmp_path]).archives == ()


def test_truncated_file_is_listed_with_its_series_and_what_is_missing(tmp_path: Path) -> None:
    paths = build_series(tmp_path, SeriesPlan((3, 6, 8), series_uid="1.2.77"))
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[:-40])
    result = scan_files([tmp_path])
    assert len(result.headers) == 2
    (bad,) = result.unreadable
    assert bad.path == str(paths[1])
    assert bad.reason == "The file is truncated: 40 of 96 bytes of pixel data are missing"
    assert bad.series_instance_uid == "1.2.77"
    assert paths[1].read_bytes() == content[:-40]


def test_links_are_followed_but_no_loop_and_no_file_twice(tmp_path: Path) -> None:
    build_series(tmp_path / "real", SeriesPlan((2, 6, 8)))
    first = next(p for p in (tmp_path / "real").iterdir() if p.is_file())
    (tmp_path / "real" / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "one").symlink_to(first)
    os.link(first, tmp_path / "two")
    assert len(scan_files([tmp_path]).headers) == 2
    assert len(scan_files([tmp_path, first, tmp_path / "real", tmp_path / "one"]).headers) == 2
    shutil.copy2(first, tmp_path / "copy")
    assert len(scan_files([tmp_path]).headers) == 3  # a copy is another file: stacking says so


@pytest.mark.timeout(20)
def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    build_series(tmp_path / "s", SeriesPlan((1, 6, 8)))
    os.mkfifo(tmp_path / "s" / "pipe.dcm")
    os.mkfifo(tmp_path / "s" / "pipe.zip")
    (tmp_path / "s" / "endless").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s" / "socket"))
        result = scan_files([tmp_path])
    assert len(result.headers) == 1
    assert not result.unreadable
    for given in (tmp_path / "s" / "pipe.dcm", Path("/dev/zero")):
        with pytest.raises(UnreadableFileError, match="neither a file nor a folder"):
            scan_files([given])


@pytest.mark.timeout(20)
def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    path = build_series(tmp_path, SeriesPlan((1, 6, 8)))[0]

    def swap(_path: str, _facts: os.stat_result) -> bool:
        path.unlink()
        os.mkfifo(path)
        return False

    (item,) = scan_files([tmp_path], known=swap).unreadable
    assert item.path == str(path)


def test_a_file_that_vanishes_during_the_scan_is_listed(tmp_path: Path) -> None:
    paths = build_series(tmp_path, SeriesPlan((3, 6, 8)))

    def remove(path: str, _facts: os.stat_result) -> bool:
        if path == str(paths[2]):
            paths[0].unlink()
        return False

    result = scan_files([tmp_path], known=remove)
    assert len(result.headers) == 2
    assert [item.path for item in result.unreadable] == [str(paths[0])]
    assert "No such file" in result.unreadable[0].reason


def test_names_that_are_no_utf8_and_very_long_ones(tmp_path: Path) -> None:
    source = build_series(tmp_path / "s", SeriesPlan((3, 6, 8)))
    names = [b"umlaut-\xe4\xff.dcm", b"x" * 255, b"Upper", b"upper"]
    for name, path in zip(names, [*source, source[0]], strict=True):
        shutil.copy(path, os.path.join(os.fsencode(tmp_path), name))  # noqa: PTH118
    shutil.rmtree(tmp_path / "s")
    result = scan_files([tmp_path])
    assert len(result.headers) == 4
    found = {os.fsencode(Path(header.path).name) for header in result.headers}
    assert found == set(names)
    assert all(Path(header.path).exists() for header in result.headers)


def test_known_files_are_not_opened(tmp_path: Path) -> None:
    paths = build_series(tmp_path, SeriesPlan((4, 6, 8)))
    (tmp_path / "a.nii").write_bytes(b"")
    asked: list[tuple[str, int]] = []

    def known(path: str, facts: os.stat_result) -> bool:
        asked.append((path, facts.st_size))
        return path in (str(paths[1]), str(tmp_path / "a.nii"))

    paths[1].write_bytes(b"DICM is not looked for here")
    result = scan_files([tmp_path], known=known)
    assert len(result.headers) == 3
    assert set(result.unchanged) == {str(paths[1]), str(tmp_path / "a.nii")}
    assert not result.unreadable
    assert not result.volume_files
    assert sorted(asked) == sorted((str(p), p.stat().st_size) for p in tmp_path.iterdir())


def test_no_permission_is_said_for_files_and_folders(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become somebody who may not read")
    shared = Path("/tmp") / f"carez-scan-{os.getpid()}"  # pytest's own folder is closed to others
    try:
        paths = build_series(shared / "open", SeriesPlan((2, 6, 8)))
        build_series(shared / "closed", SeriesPlan((2, 6, 8)))
        paths[0].chmod(0o000)
        for folder in (shared, shared / "open"):
            folder.chmod(0o755)
        paths[1].chmod(0o644)
        (shared / "closed").chmod(0o700)
        script = (
            "from pathlib import Path\nfrom carez_desktop.dicom.scan import scan_files\n"
            f"r = scan_files([Path({str(shared)!r})])\nprint(len(r.headers))\n"
            "[print(Path(u.path).name, u.reason, sep='|') for u in r.unreadable]"
        )
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        output = subprocess.run(
            [*command, sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    finally:
        shutil.rmtree(shared)
    assert output[0] == "1"
    assert sorted(output[1:]) == [
        f"{paths[0].name}|The file cannot be read: Permission denied",
        "closed|The folder cannot be read: Permission denied",
    ]


def test_objects_are_listed_with_their_references(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        instance = Dataset()
        instance.ReferencedSOPInstanceUID = "1.2.3.4.1"
        series = Dataset()
        series.SeriesInstanceUID = "1.2.3.77"
        series.ReferencedInstanceSequence = Sequence([instance])
        data_set.ReferencedSeriesSequence = Sequence([series])

    build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    result = scan_files([tmp_path])
    assert not result.headers
    (item,) = result.objects
    assert item.sop_class == "Segmentation"
    assert item.references == ("1.2.3.77", "1.2.3.4.1")


def test_missing_path_and_cancel(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        scan_files([tmp_path / "gone"])
    build_series(tmp_path, SeriesPlan())
    with pytest.raises(UnreadableFileError, match="No such file"):
        scan_files([tmp_path, next(tmp_path.iterdir()) / "below a file"])
    flag = CancellationFlag()
    flag.cancel()
    with pytest.raises(CancelledError):
        scan_files([tmp_path], cancel=flag)


def _many(folder: Path, count: int) -> None:
    """Clone one small file many times; only the names differ."""
    content = build_series(folder / "one", SeriesPlan((1, 6, 8)))[0].read_bytes()
    for index in range(count):
        (folder / f"{index:05d}").write_bytes(content)


def test_children_give_what_this_process_gives_in_the_same_order(tmp_path: Path) -> None:
    _many(tmp_path, 500)
    (tmp_path / "00100").write_bytes((tmp_path / "00100").read_bytes()[:-10])
    (tmp_path / "zz.txt").write_text("text")
    here = scan_files([tmp_path])
    with _pool() as children:
        children.warm_up()
        while not children.is_warm:
            time.sleep(0.01)
        there = scan_files([tmp_path], children=children)
    assert len(here.headers) == 500
    assert here == there


class _pool:  # noqa: N801 - a with statement
    def __enter__(self) -> ChildPool:
        self.children = ChildPool(processes=2)
        return self.children

    def __exit__(self, *_: object) -> None:
        self.children.close()


class _Watch:
    def __init__(self, stop: Callable[[], object] = lambda: None) -> None:
        self.times: list[float] = []
        self.texts: list[str] = []
        self.stop = stop

    def report(self, fraction: float, message: str = "") -> None:
        self.times.append(time.monotonic())
        self.texts.append(message)
        if "Reading" in message:
            self.stop()


def test_progress_at_ten_a_second_with_the_rate_and_quick_cancel(tmp_path: Path) -> None:
    _many(tmp_path, 3000)
    watch = _Watch()
    scan_files([tmp_path], progress=watch)
    gaps = [b - a for a, b in zip(watch.times[1:-2], watch.times[2:-1], strict=True)]
    assert all(gap > 0.099 for gap in gaps)
    assert any("files/s" in text for text in watch.texts)
    flag = CancellationFlag()
    stopping = _Watch(flag.cancel)
    with pytest.raises(CancelledError):
        scan_files([tmp_path], progress=stopping, cancel=flag)
    assert time.monotonic() - stopping.times[-1] < 0.1
