"""What a child process costs: a round trip, one decoded slice, the first start, a crash.

Every figure is the best of several turns on one machine; a busy one shows larger ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from carez_desktop.dicom.frame_decoding import DECODE
from carez_desktop.dicom.frame_values import FrameTransform
from carez_desktop.dicom.header_batch import read_contents
from carez_desktop.dicom.pixel_layout import PixelLayout
from carez_desktop.errors import ChildCrashError
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.shared_array import SharedArray
from tests.builders.child_functions import HERE
from tests.builders.dicom_series import SeriesPlan, build_series

pytestmark = pytest.mark.benchmark

TABLE = "Child processes"
PRELOAD = ("carez_desktop.dicom.frame_decoding", "carez_desktop.dicom.decoders")
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"


@pytest.fixture
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2, preload=PRELOAD)
    pool.run(f"{HERE}:echo", {})
    yield pool
    pool.close()


def best_ms(work: Callable[[], object], turns: int = 20) -> float:
    best = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def test_round_trip_and_crash(pool: ChildPool, record_row: Callable[..., None]) -> None:
    trip = best_ms(lambda: pool.run(f"{HERE}:echo", {}), 100)

    def crash() -> None:
        with pytest.raises(ChildCrashError):
            pool.run(f"{HERE}:abort", {})

    crash_ms = best_ms(crash, 8)
    record_row(TABLE, "a request that does nothing", ours=f"{trip:.2f} ms", reach="at most 2 ms")
    record_row(TABLE, "a crash and its words", ours=f"{crash_ms:.1f} ms")
    assert trip < 2.0


def test_cold_start(record_row: Callable[..., None]) -> None:
    def start() -> None:
        pool = ChildPool(processes=1, preload=PRELOAD)
        pool.run(f"{HERE}:echo", {})
        pool.close()

    cold = best_ms(start, 5)
    record_row(
        TABLE, "the first answer of a cold pool", ours=f"{cold:.0f} ms", reach="at most 400 ms"
    )
    assert cold < 800


def test_one_slice(tmp_path: Path, pool: ChildPool, record_row: Callable[..., None]) -> None:
    """A warm child against the bare decoder: 512 x 512, 12 bits, JPEG lossless."""
    noise = np.random.default_rng(1).normal(0, 18, (512, 512))
    cells = np.rint(np.clip(noise + 1024, 0, 4095)).astype("<u2")
    stream = bytes(imagecodecs.jpeg8_encode(cells, lossless=True, bitspersample=12))
    path = tmp_path / "frame"
    path.write_bytes(stream)
    layout = PixelLayout(
        rows=512, columns=512, bits_allocated=16, bits_stored=12, high_bit=11, signed=False
    )
    shared = SharedArray.allocate((1, 512, 512), np.int16)
    request = {
        "region": shared.region(0, 1),
        "transforms": [FrameTransform(layout, JPEG_LOSSLESS).to_plain()],
        "frames": [[str(path), 0, [[0, len(stream)]], None, None]],
    }
    there = best_ms(lambda: pool.run(DECODE, request))
    here = best_ms(lambda: imagecodecs.jpeg_decode(stream))
    assert np.array_equal(shared.array[0], cells)
    record_row(
        TABLE,
        "one JPEG lossless slice in a warm child",
        ours=f"{there:.1f} ms",
        against=f"imagecodecs in this process: {here:.1f} ms",
        ratio=there / here,
        reach="at most 5 ms more",
        note=f"{there - here:.1f} ms more",
    )
    assert there - here < 5.0


def test_headers_of_many_files(tmp_path: Path, record_row: Callable[..., None]) -> None:
    build_series(tmp_path, SeriesPlan((2000, 4, 4), (1.0, 0.7, 0.7)))
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    pool = ChildPool(preload=("carez_desktop.dicom.header_batch",))
    pool.run(f"{HERE}:echo", {})
    here = best_ms(lambda: list(read_contents(paths)), 3)
    there = best_ms(lambda: list(read_contents(paths, children=pool, fewest_for_children=1)), 3)
    pool.close()
    record_row(
        TABLE,
        f"headers of {len(paths)} files in {pool.processes} warm children",
        ours=f"{there:.0f} ms",
        against=f"in this process: {here:.0f} ms",
        ratio=here / there,
        reach="used from 3 children on",
    )
