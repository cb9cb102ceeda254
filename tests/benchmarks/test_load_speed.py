"""Loading CT from the library against SimpleITK, bare pydicom, dcm2niix and reading the bytes.

Every ratio is measured in one run on one machine, files in the page cache, the best of a few turns
taken alternately. Ours is `load_volume` of a series in the library, with its checks, its audit line
and warm children. SimpleITK reads as it does for a caller, and once held to one core.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from tests.benchmarks.turns import best_of, one_core
from tests.builders.ct_folders import write_ct, write_enhanced_ct
from tests.builders.process_memory import PeakMemory

pytestmark = pytest.mark.benchmark

TABLE = "Loading DICOM"
NAMES = {
    "j2k": "JPEG 2000",
    "lossless70": "JPEG lossless",
    "jpegls": "JPEG-LS",
    "rle": "RLE",
    "htj2k": "HTJ2K",
}
MOST_MEMORY = 1.25
FRAMES = 120
COMPRESSED = 80


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkflowContext]:
    opened = open_context(tmp_path / "home")
    opened.children.warm_up()
    yield opened
    opened.close()
    opened.library.close()


def only_volume(context: WorkflowContext, path: Path) -> VolumeRecord:
    (record,) = import_studies(context, paths=[path]).series
    return record


def read_with_simpleitk(paths: Sequence[str]) -> sitk.Image:
    if len(set(paths)) == 1:
        return sitk.ReadImage(paths[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(list(paths))
    return reader.Execute()


def read_with_pydicom(paths: Sequence[str]) -> np.ndarray:
    return np.stack([pydicom.dcmread(path).pixel_array for path in paths])


def convert_with_dcm2niix(folder: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    order = ["dcm2niix", "-z", "n", "-b", "n", "-f", "x", "-o", str(out), str(folder)]
    subprocess.run(order, check=True, capture_output=True)
    for path in out.iterdir():
        path.unlink()


def loaded_with_peak(load: Callable[[], Volume]) -> tuple[Volume, float]:
    """A volume, and the largest memory on the way in volumes: above the start, with children."""
    for _ in range(2):  # so that every child has decoded before: what it then keeps is start-up
        load()
    with PeakMemory() as memory:
        volume = load()
    return volume, memory.above_start_mib * 2**20 / volume.array.nbytes


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def test_uncompressed_ct_of_400_slices(
    context: WorkflowContext, tmp_path: Path, record_row: Callable[..., None]
) -> None:
    folder = write_ct(tmp_path / "ct", 400)
    record = only_volume(context, folder)

    def load() -> Volume:
        return load_volume(context, volume_id=record.volume_id)

    works: dict[str, Callable[[], object]] = {
        "ours": load,
        "SimpleITK ImageSeriesReader": lambda: read_with_simpleitk(record.paths),
        "bare pydicom, pixel_array of each": lambda: read_with_pydicom(record.paths),
        "bytes read raw": lambda: [Path(path).read_bytes() for path in record.paths],
    }
    if shutil.which("dcm2niix"):
        works["dcm2niix to an uncompressed NIfTI, its start and writing included"] = lambda: (
            convert_with_dcm2niix(folder, tmp_path / "nii")
        )
    seconds = best_of(works, 3)
    volume, peak = loaded_with_peak(load)
    ours = seconds.pop("ours")
    reach = {
        "SimpleITK ImageSeriesReader": "at least 4",
        "bytes read raw": "at least 0.25",
    }
    for name, other in seconds.items():
        record_row(
            TABLE,
            "400 x 512 x 512 CT, uncompressed",
            ours=ms(ours),
            against=f"{name}: {ms(other)}",
            ratio=other / ours,
            reach=reach.get(name, ""),
            note=f"peak memory {peak:.2f} of the volume",
        )
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(read_with_simpleitk(record.paths)))
    assert ours < seconds["SimpleITK ImageSeriesReader"]
    assert peak <= MOST_MEMORY


@pytest.mark.parametrize("syntax", list(NAMES))
def test_compressed_ct(
    context: WorkflowContext, tmp_path: Path, syntax: str, record_row: Callable[..., None]
) -> None:
    record = only_volume(context, write_ct(tmp_path / "ct", COMPRESSED, syntax))
    compared = syntax != "htj2k"  # which SimpleITK cannot read

    def load() -> Volume:
        return load_volume(context, volume_id=record.volume_id)

    def simpleitk() -> object:
        return read_with_simpleitk(record.paths) if compared else None

    def simpleitk_on_one_core() -> None:
        with one_core():
            simpleitk()

    seconds = best_of({"ours": load, "sitk": simpleitk, "one": simpleitk_on_one_core}, 3)
    volume, peak = loaded_with_peak(load)
    known = "at least 1.8 on 2 cores" if syntax in ("j2k", "lossless70") else ""
    rows = [("sitk", "SimpleITK (GDCM)", ""), ("one", "SimpleITK (GDCM) held to one core", known)]
    for key, words, reach in rows if compared else [("", "", "")]:
        record_row(
            TABLE,
            f"{COMPRESSED} x 512 x 512 CT, {NAMES[syntax]}",
            ours=ms(seconds["ours"]),
            against=f"{words}: {ms(seconds[key])}" if compared else "SimpleITK cannot read it",
            ratio=seconds[key] / seconds["ours"] if compared else None,
            reach=reach,
            note=f"peak memory {peak:.2f} of the volume",
        )
    assert peak <= MOST_MEMORY
    if compared:
        oracle = sitk.GetArrayFromImage(read_with_simpleitk(record.paths))
        assert np.array_equal(volume.array, oracle)


@pytest.mark.parametrize("syntax", ["explicit", "jpegls"])
def test_enhanced_multi_frame_ct(
    context: WorkflowContext, tmp_path: Path, syntax: str, record_row: Callable[..., None]
) -> None:
    tmp_path.joinpath("ct").mkdir()
    path = write_enhanced_ct(tmp_path / "ct", FRAMES, syntax)
    record = only_volume(context, path)

    def load() -> Volume:
        return load_volume(context, volume_id=record.volume_id)

    works: dict[str, Callable[[], object]] = {
        "ours": load,
        "SimpleITK (GDCM)": lambda: read_with_simpleitk([str(path)]),
        "pydicom, pixel_array": lambda: pydicom.dcmread(path).pixel_array,
    }
    seconds = best_of(works, 3)
    volume, peak = loaded_with_peak(load)
    ours = seconds.pop("ours")
    for name, other in seconds.items():
        record_row(
            TABLE,
            f"enhanced CT, {FRAMES} frames of 512 x 512, {NAMES.get(syntax, 'uncompressed')}",
            ours=ms(ours),
            against=f"{name}: {ms(other)}",
            ratio=other / ours,
            note=f"peak memory {peak:.2f} of the volume",
        )
    assert np.array_equal(volume.array + 1024, pydicom.dcmread(path).pixel_array)


def test_headers_against_a_bare_pydicom_loop(
    context: WorkflowContext, tmp_path: Path, record_row: Callable[..., None]
) -> None:
    record = only_volume(context, write_ct(tmp_path / "ct", 400))
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
