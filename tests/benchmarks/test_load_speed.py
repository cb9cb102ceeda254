"""Loading a CT folder against SimpleITK's series reader and against reading its bytes.

Every ratio is measured in one run on one machine, files in the page cache, the best of four turns
taken alternately. SimpleITK reads in one process, as it does for a caller; the processor times show
what a busy machine hides: compressed slices are decoded by as many threads as there are cores.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from tests.builders.dicom_series import SeriesPlan, build_series

pytestmark = pytest.mark.benchmark

TABLE = "Loading DICOM"
EXPLICIT = "1.2.840.10008.1.2.1"
SYNTAXES = {
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "RLE": "1.2.840.10008.1.2.5",
}


def slice_like_ct(index: int) -> np.ndarray:
    """(512, 512) stored values of a body in air with the noise of a usual dose."""
    noise = np.random.default_rng(index).normal(0, 18, (512, 512))
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = (x / 0.85) ** 2 + (y / 0.6) ** 2 < 1
    lungs = ((np.abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1
    values = np.where(body, np.where(lungs, -850, 40), -1000) + noise
    return np.rint(np.clip(values, -1024, 3071) + 1024).astype("<u2")


def encoded(cells: np.ndarray, syntax: str) -> bytes:
    if syntax == SYNTAXES["JPEG 2000"]:
        return bytes(imagecodecs.jpeg2k_encode(cells, level=0, codecformat="j2k"))
    if syntax == SYNTAXES["JPEG lossless"]:
        return bytes(imagecodecs.jpeg8_encode(cells, lossless=True, bitspersample=12))
    return bytes(imagecodecs.jpegls_encode(cells))


def write_folder(folder: Path, count: int, syntax: str) -> VolumeRecord:
    """Write a CT of `count` slices of 512 x 512 and return its record."""

    def change(index: int, data_set: Dataset) -> None:
        cells = slice_like_ct(index % 8)
        if syntax == EXPLICIT:
            data_set.PixelData = cells.tobytes()
            return
        if syntax == SYNTAXES["RLE"]:
            data_set.PixelData = cells.tobytes()
            data_set.compress(syntax, encoding_plugin="pydicom", generate_instance_uid=False)
            return
        data_set.file_meta.TransferSyntaxUID = syntax
        data_set.PixelData = encapsulate([encoded(cells, syntax)])
        data_set["PixelData"].VR = "OB"

    plan = SeriesPlan((count, 512, 512), (1.0, 0.7, 0.7), signed=False, bits_stored=12)
    build_series(folder, plan, change)
    (record,) = stack_instances(scan_files([folder]).headers)
    return record


def read_with_simpleitk(paths: Sequence[str]) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(list(paths))
    return reader.Execute()


def best_of(works: dict[str, Callable[[], object]], turns: int = 4) -> dict[str, float]:
    best = dict.fromkeys(works, float("inf"))
    for _ in range(turns):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def test_uncompressed_ct_of_400_slices(tmp_path: Path, record_row: Callable[..., None]) -> None:
    record = write_folder(tmp_path / "ct", 400, EXPLICIT)
    seconds = best_of(
        {
            "ours": lambda: read_volume(record),
            "sitk": lambda: read_with_simpleitk(record.paths),
            "raw": lambda: [Path(path).read_bytes() for path in record.paths],
        }
    )
    tracemalloc.start()
    volume = read_volume(record)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    ours = f"{seconds['ours'] * 1e3:.0f} ms"
    record_row(
        TABLE,
        "400 x 512 x 512 CT, uncompressed",
        ours=ours,
        against=f"SimpleITK ImageSeriesReader: {seconds['sitk'] * 1e3:.0f} ms",
        ratio=seconds["sitk"] / seconds["ours"],
        reach="at least 4",
        note=f"peak memory {peak / volume.array.nbytes:.2f} of the volume",
    )
    record_row(
        TABLE,
        "the same",
        ours=ours,
        against=f"bytes read raw: {seconds['raw'] * 1e3:.0f} ms",
        ratio=seconds["ours"] / seconds["raw"],
        reach="at most 4",
    )
    oracle = sitk.GetArrayFromImage(read_with_simpleitk(record.paths))
    assert np.array_equal(volume.array, oracle)
    assert seconds["ours"] < seconds["sitk"]
    assert seconds["ours"] / seconds["raw"] <= 4.0
    assert peak < 1.2 * volume.array.nbytes


@pytest.mark.parametrize("name", list(SYNTAXES))
def test_compressed_ct(tmp_path: Path, name: str, record_row: Callable[..., None]) -> None:
    record = write_folder(tmp_path / "ct", 24, SYNTAXES[name])
    seconds = best_of(
        {
            "ours": lambda: read_volume(record),
            "sitk": lambda: read_with_simpleitk(record.paths),
        }
    )
    start = time.process_time()
    read_volume(record)
    ours_cpu = time.process_time() - start
    start = time.process_time()
    read_with_simpleitk(record.paths)
    sitk_cpu = time.process_time() - start
    ratio = seconds["sitk"] / seconds["ours"]
    record_row(
        TABLE,
        f"24 x 512 x 512 CT, {name}",
        ours=f"{seconds['ours'] * 1e3:.0f} ms",
        against=f"SimpleITK (GDCM), one process: {seconds['sitk'] * 1e3:.0f} ms",
        ratio=ratio,
        reach="at least 1.8 on 2 cores" if name in ("JPEG 2000", "JPEG lossless") else "",
        note=f"processor time {ours_cpu * 1e3:.0f} ms against {sitk_cpu * 1e3:.0f} ms",
    )
    oracle = sitk.GetArrayFromImage(read_with_simpleitk(record.paths))
    assert np.array_equal(read_volume(record).array, oracle)
    assert name == "JPEG 2000" or ratio > 1.0


def test_first_slice_of_a_series(tmp_path: Path, record_row: Callable[..., None]) -> None:
    record = write_folder(tmp_path / "ct", 400, EXPLICIT)
    first: list[float] = []

    def load() -> None:
        start = time.perf_counter()
        seen: list[float] = []
        read_volume(record, partial=lambda _: seen.append(time.perf_counter() - start))
        first.append(seen[0])

    seconds = best_of({"all": load})
    record_row(
        TABLE,
        "first slice of 400 read",
        ours=f"{min(first) * 1e3:.0f} ms",
        against=f"the whole load: {seconds['all'] * 1e3:.0f} ms",
        ratio=min(first) / seconds["all"],
        reach="at most 0.1, or 150 ms",
    )


def test_headers_against_a_bare_pydicom_loop(
    tmp_path: Path, record_row: Callable[..., None]
) -> None:
    record = write_folder(tmp_path / "ct", 400, EXPLICIT)
    paths = [Path(path) for path in record.paths]
    seconds = best_of(
        {
            "ours": lambda: [to_instance_header(read_header(path, WANTED_TAGS)) for path in paths],
            "pydicom": lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in paths],
        }
    )
    record_row(
        TABLE,
        "header of an instance",
        ours=f"{seconds['ours'] / 0.4:.2f} ms",
        against=f"bare pydicom: {seconds['pydicom'] / 0.4:.2f} ms",
        ratio=seconds["pydicom"] / seconds["ours"],
        reach="at least 1",
    )
    assert seconds["ours"] <= seconds["pydicom"]
