"""How slices are read: the middle one first, each byte once, in little memory, stopped at once."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom import slice_source
from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_frame, read_slices, read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import SliceAxis
from carez_desktop.errors import CancelledError, ChildCrashError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.child_process import ChildPool
from tests.builders.dicom_series import SeriesPlan, build_series, stored_at
from tests.builders.encoded_pixels import KINDS, pattern, put_pixels
from tests.builders.odd_corpus import COLOUR_FRAMES, GREY_FRAMES, data_set

PLAN = SeriesPlan(signed=False, bits_stored=12, intercept="0")


@pytest.fixture(scope="module")
def children() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2)
    yield pool
    pool.close()


def record_of(folder: Path) -> VolumeRecord:
    (record,) = stack_instances(scan_files([folder]).headers)
    return record


def compressed(folder: Path, syntax: str = "jpegls") -> VolumeRecord:
    """The usual series, compressed without loss."""
    kind = replace(KINDS["grey12"])

    def change(_: int, image: Dataset) -> None:
        cells = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns)
        put_pixels(image, [cells], syntax, kind)

    build_series(folder, PLAN, change)
    return record_of(folder)


class Watched(io.FileIO):
    """A file that notes which of its bytes are read."""

    reads: ClassVar[Counter[str]] = Counter()
    opened: ClassVar[list[str]] = []

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        Watched.reads[str(self.name)] += count
        return count

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        Watched.reads[str(self.name)] += len(data)
        return data


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    Watched.reads, Watched.opened = Counter(), []

    def open_watched(path: str) -> Watched:
        Watched.opened.append(path)
        return Watched(path)

    monkeypatch.setattr(slice_source, "_open_file", open_watched)
    return Watched


def test_middle_slice_comes_before_any_other_file_is_opened(
    tmp_path: Path, watched: type[Watched]
) -> None:
    build_series(tmp_path, PLAN)
    record = record_of(tmp_path)
    at_first: list[list[str]] = []
    read_volume(record, partial=lambda _: at_first.append(list(watched.opened)))
    assert at_first[0] == [record.paths[2]]
    assert len(watched.opened) == 5


def test_each_byte_is_read_once(tmp_path: Path, watched: type[Watched]) -> None:
    build_series(tmp_path, SeriesPlan((5, 256, 256), signed=False, bits_stored=12))
    record = record_of(tmp_path)
    read_volume(record)
    assert sorted(watched.opened) == sorted(record.paths)
    for path in record.paths:
        size = Path(path).stat().st_size
        # The chunk that holds the header may reach into the pixels.
        assert watched.reads[path] <= size + 24 * 1024


def cine(folder: Path, frames: int, kind_name: str = "grey8", syntax: str = "explicit") -> Path:
    kind = KINDS[kind_name]
    image = data_set("cine", COLOUR_FRAMES if kind.samples == 3 else GREY_FRAMES, "US")
    image.FrameTime, image.FrameIncrementPointer = "40", 0x00181063
    put_pixels(image, [pattern(kind, (23, 39), seed) for seed in range(frames)], syntax, kind)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cine.dcm"
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", ["explicit", "jpegls", "deflated"])
def test_multi_frame_file_is_opened_and_parsed_once(
    tmp_path: Path, watched: type[Watched], children: ChildPool, syntax: str
) -> None:
    path = cine(tmp_path, 30, syntax=syntax)
    volume = read_volume(record_of(tmp_path), children=children)
    assert watched.opened == [str(path)]
    assert volume.slice_axis is SliceAxis.TIME
    assert volume.frame_times_ms[:3] == (0.0, 40.0, 80.0)
    wanted = np.stack([pattern(KINDS["grey8"], (23, 39), seed) for seed in range(30)])
    assert np.array_equal(volume.array, wanted)


def test_colour_cine(tmp_path: Path) -> None:
    cine(tmp_path, 4, "rgb_planes")
    volume = read_volume(record_of(tmp_path))
    assert (volume.array.shape, volume.units) == ((4, 23, 39, 3), "rgb")
    assert volume.is_colour


def test_compressed_slices_come_middle_first_and_equal(tmp_path: Path, children: ChildPool) -> None:
    record = compressed(tmp_path)
    seen: list[int] = []
    volume = read_volume(record, children=children, partial=lambda part: seen.append(part[0]))
    assert seen[0] == 2
    assert sorted(seen) == list(range(5))
    assert np.array_equal(volume.array, stored_at(PLAN.points()))


def test_compressed_slice_after_uncompressed_ones(tmp_path: Path, children: ChildPool) -> None:
    def change(index: int, image: Dataset) -> None:
        if index == 4:
            cells = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns)
            put_pixels(image, [cells], "rle", KINDS["grey12"])

    build_series(tmp_path, PLAN, change)
    volume = read_volume(record_of(tmp_path), children=children)
    assert np.array_equal(volume.array, stored_at(PLAN.points()))


def test_slice_with_a_fraction_turns_the_volume_to_float(tmp_path: Path) -> None:
    def change(index: int, image: Dataset) -> None:
        if index == 4:
            image.RescaleSlope = "0.5"

    build_series(tmp_path, PLAN, change)
    volume = read_volume(record_of(tmp_path))
    assert volume.array.dtype == np.float32
    wanted = stored_at(PLAN.points()).astype(np.float64)
    wanted[4] *= 0.5
    assert np.array_equal(volume.array, wanted)


def test_values_beyond_32_bits_are_float_with_a_warning(tmp_path: Path) -> None:
    def change(_: int, image: Dataset) -> None:
        cells = np.full((6, 8), 4_000_000_000, "<u4")
        image.BitsAllocated = image.BitsStored = 32
        image.HighBit, image.PixelData = 31, cells.tobytes()

    build_series(tmp_path, PLAN, change)
    volume = read_volume(record_of(tmp_path))
    assert volume.array.dtype == np.float32
    assert volume.array.max() == np.float32(4_000_000_000)
    assert "precision" in {finding.code for finding in volume.findings}


def test_crash_of_a_decoder_names_the_file(
    tmp_path: Path, children: ChildPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = compressed(tmp_path)
    bad = record.paths[3]
    real = ChildPool.stream

    def stream(self: ChildPool, function: str, requests: Any, **more: Any) -> Iterator[Any]:
        def spoiled() -> Iterator[dict[str, Any]]:
            for request in requests:
                paths = [frame[0] for frame in request["frames"]]
                yield {**request, "crash": True} if bad in paths else request

        function = "tests.builders.crashing_decoder:decode_or_crash"
        return real(self, function, spoiled(), **more)

    monkeypatch.setattr(ChildPool, "stream", stream)
    with pytest.raises(ChildCrashError) as caught:
        read_volume(record, children=children)
    assert caught.value.subject == bad


def test_damaged_stream_names_the_file(tmp_path: Path, children: ChildPool) -> None:
    record = compressed(tmp_path)
    path = Path(record.paths[1])
    content = bytearray(path.read_bytes())
    content[-40:-16] = b"\0" * 24
    start = content.index(b"\xff\xd8\xff")
    content[start : start + 12] = b"\0" * 12
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFileError, match="truncated or damaged") as caught:
        read_volume(record, children=children)
    assert caught.value.subject == str(path)


def test_cancel_stops_within_a_tenth_of_a_second(tmp_path: Path, children: ChildPool) -> None:
    record = compressed(tmp_path)
    long = replace(record, paths=record.paths * 400, shape=(2000, 6, 8))
    flag = CancellationFlag()
    at: list[float] = []

    def stop(_: object) -> None:
        if not at:
            at.append(time.monotonic())
            flag.cancel()

    with pytest.raises(CancelledError):
        read_volume(long, children=children, cancel=flag, partial=stop)
    assert time.monotonic() - at[0] < 0.1 + 0.4  # the machine may be busy


def test_progress_is_told_ten_times_a_second_at_most(tmp_path: Path) -> None:
    build_series(tmp_path, PLAN)
    record = record_of(tmp_path)
    told: list[tuple[float, str]] = []

    class Listener:
        def report(self, fraction: float, message: str = "") -> None:
            told.append((fraction, message))

    start = time.monotonic()
    read_volume(record, progress=Listener())
    assert told[-1] == (1.0, "Slice 5 of 5")
    assert len(told) <= 2 + (time.monotonic() - start) * 10


def test_tilted_slices_lie_where_their_headers_say(tmp_path: Path) -> None:
    plan = SeriesPlan(tilt_mm=0.8)
    build_series(tmp_path, plan)
    record = record_of(tmp_path)
    stack = read_slices(record)
    assert stack.refusal.startswith("Tilted by 17.74 degrees")
    assert len(stack.slices) == 5
    for index, part in enumerate(stack.slices):
        rows, columns = np.mgrid[:6, :8]
        places = part.geometry.index_to_lps(np.stack([rows * 0, rows, columns], axis=-1))
        assert np.abs(places - plan.points()[index]).max() < 1e-6
        assert np.abs(part.array[0] - (stored_at(places) - 1024)).max() <= 1
    assert stack.slices[0].array.base is not None


def test_one_frame_for_a_preview_of_a_refused_series(tmp_path: Path) -> None:
    plan = SeriesPlan(tilt_mm=0.8)
    build_series(tmp_path, plan)
    frame = read_frame(record_of(tmp_path), 3)
    assert frame.array.shape == (1, 6, 8)
    assert np.abs(frame.geometry.origin_lps - plan.points()[3, 0, 0]).max() < 1e-6
    assert np.abs(frame.array[0] - (stored_at(plan.points()[3]) - 1024)).max() <= 1


def test_overlay_bits_of_uncompressed_pixels_are_kept_apart(tmp_path: Path) -> None:
    def change(index: int, image: Dataset) -> None:
        cells = np.frombuffer(image.PixelData, "<u2").copy()
        if index == 1:
            cells[9:11] |= 1 << 14
        image.PixelData = cells.tobytes()
        image.add_new(0x60000010, "US", 6)
        image.add_new(0x60000011, "US", 8)
        image.add_new(0x60000040, "CS", "G")
        image.add_new(0x60000050, "SS", [1, 1])
        image.add_new(0x60000100, "US", 16)
        image.add_new(0x60000102, "US", 14)

    build_series(tmp_path, PLAN, change)
    volume = read_volume(record_of(tmp_path))
    assert np.array_equal(volume.array, stored_at(PLAN.points()))
    (plane,) = volume.overlays
    assert (plane.slice_index, plane.origin) == (1, (1, 1))
    assert plane.bits.tolist() == [[True, True]]
