"""Pictures and cines as files, read back by libpng, giflib and FFmpeg."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from carez_desktop.imaging.cine_files import frame_delays, indexed, write_gif
from carez_desktop.imaging.mp4_file import as_film, write_mp4
from carez_desktop.imaging.picture_files import burn_in, write_png

_TEXTS = {"Synthetic Data": "YES", "Warning": "SYNTHETIC", "Software": "Carez"}


def _ramp(rows: int = 40, columns: int = 90, shift: int = 0) -> np.ndarray:
    """Different in each direction and each channel, so that a turn or a swap is seen."""
    row, column = np.indices((rows, columns))
    return np.stack([(row * 5 + shift) % 256, column * 2 % 256, (row + column) % 256], -1).astype(
        np.uint8
    )


def _grey(place: int, rows: int = 64, columns: int = 80) -> np.ndarray:
    row, column = np.indices((rows, columns))
    value = 120 + 90 * np.sin(row / 7.0 + place) * np.cos(column / 11.0)
    return np.repeat(value.astype(np.uint8)[..., None], 3, axis=2)


def _chunks(path: Path) -> list[tuple[bytes, bytes]]:
    data, place, found = path.read_bytes(), 8, []
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, place + 8 + length)[0]
        found.append((kind, body))
        place += 12 + length
    return found


def test_a_png_keeps_every_pixel_and_carries_its_words(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.png", _ramp()
    write_png(path, pixels, _TEXTS)
    np.testing.assert_array_equal(imagecodecs.png_decode(path.read_bytes()), pixels)
    words = [body.split(b"\0", 1) for kind, body in _chunks(path) if kind == b"tEXt"]
    assert {name.decode(): text.decode() for name, text in words} == _TEXTS
    assert {kind for kind, _ in _chunks(path)} == {b"IHDR", b"tEXt", b"IDAT", b"IEND"}


@pytest.mark.parametrize("shape", [(512, 512), (40, 90), (1080, 1920), (20, 12), (6, 300)])
def test_the_mark_is_in_the_pixels_at_any_size(shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    marked = burn_in(pixels, "SYNTHETIC")
    assert marked.shape[0] >= shape[0]
    assert marked.shape[1] >= shape[1]
    changed = (marked != 0).any(axis=2)
    rows, columns = np.nonzero(changed)
    # In the top middle, whole, and with both ground and ink.
    assert rows.min() == 0
    assert abs((columns.min() + columns.max()) / 2 - (marked.shape[1] - 1) / 2) <= 1
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) > 3.0
    assert len(np.unique(marked[changed], axis=0)) > 2
    assert not pixels.any()


def test_nothing_is_burnt_into_real_pictures_and_wrong_pixels_are_refused() -> None:
    np.testing.assert_array_equal(burn_in(_ramp(), ""), _ramp())
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="a picture is"):
            burn_in(wrong, "")


@pytest.mark.parametrize(("frame_ms", "unit"), [(83.4, 10.0), (33.367, 1.0), (41.7, 10.0)])
def test_delays_keep_the_time_of_the_whole(frame_ms: float, unit: float) -> None:
    delays = frame_delays(120, frame_ms, unit_ms=unit)
    assert len(delays) == 120
    starts = np.cumsum(delays)
    np.testing.assert_allclose(starts, frame_ms * np.arange(1, 121), atol=unit / 2 + 1e-6)


def test_a_gif_of_grey_frames_keeps_every_value(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.gif", [_grey(place) for place in range(4)]
    assert write_gif(path, iter(frames), [80.0, 90.0, 80.0, 80.0], _TEXTS)
    np.testing.assert_array_equal(imagecodecs.gif_decode(path.read_bytes()), np.stack(frames))
    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"]) == (4, 0)
        delays = []
        for place in range(4):
            image.seek(place)
            delays.append(image.info["duration"])
    assert delays == [80, 90, 80, 80]
    assert b"Synthetic Data: YES; Warning: SYNTHETIC" in path.read_bytes()


def test_a_gif_says_when_it_had_to_reduce_colours(tmp_path: Path) -> None:
    rows, columns = np.indices((48, 64))
    many = np.stack([rows * 5, columns * 4, (rows * columns) % 256], -1).astype(np.uint8)
    image, kept = indexed(many)
    assert not kept
    near = np.abs(np.asarray(image.convert("RGB")).astype(int) - many)
    assert near.mean() < 12.0
    assert not write_gif(tmp_path / "a.gif", [many], [100.0], {})
    few, kept = indexed(many // 64 * 64)
    assert kept
    np.testing.assert_array_equal(np.asarray(few.convert("RGB")), many // 64 * 64)


def test_frames_of_two_sizes_and_no_frames_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    with pytest.raises(ValueError, match="one size"):
        write_gif(path, [_grey(0), _grey(1, 32)], [50.0, 50.0], {})
    with pytest.raises(ValueError, match="at least one"):
        write_gif(path, [], [], {})
    with pytest.raises(ValueError, match="one size"):
        write_mp4(tmp_path / "a.mp4", [_grey(0), _grey(1, 32)], [50.0, 50.0], {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg and ffprobe")
def test_ffmpeg_reads_the_film_as_it_was_meant(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.mp4", [_grey(place, 63, 81) for place in range(7)]
    write_mp4(path, iter(frames), [100.0, 101.0, 100.0, 100.0, 100.0, 100.0, 100.0], _TEXTS)
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert told.stderr == b""
    facts = json.loads(told.stdout)
    (stream,) = facts["streams"]
    assert (stream["codec_name"], stream["codec_type"], stream["nb_frames"]) == (
        "av1", "video", "7",
    )  # fmt: skip
    assert (stream["width"], stream["height"]) == (82, 64)
    assert float(facts["format"]["duration"]) == pytest.approx(0.701)
    tags = facts["format"]["tags"]
    assert (tags["title"], tags["encoder"]) == ("SYNTHETIC", "Carez")
    assert "Synthetic Data: YES" in tags["comment"]
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    seen = np.frombuffer(raw, np.uint8).reshape(7, 64, 82, 3)[:, :63, :81].astype(int)
    assert np.abs(seen - np.stack(frames)).mean() < 2.0
    # Each frame at its own moment: it is nearest to itself.
    apart = np.abs(seen[:, None] - np.stack(frames)[None]).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(apart.argmin(axis=1), np.arange(7))


def test_what_is_no_sequence_is_refused() -> None:
    for wrong in (b"", b"\0\0\0\x0cftypavis", b"\0\0\0\x02ftyp", b"\xff\xff\xff\xffmoov"):
        with pytest.raises(ValueError, match=r"sequence|cannot be"):
            as_film(wrong, {})
