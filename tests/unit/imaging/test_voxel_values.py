"""Values, types, memory and damage of volume files; nibabel wrote them."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from carez_desktop.errors import CancelledError, UnreadableFileError
from carez_desktop.imaging.volume_files import (
    describe_volume_file,
    read_volume_file,
)
from carez_desktop.progress import CancellationFlag
from tests.builders.nifti_files import (
    agrees_with_nibabel,
    cells,
    oblique,
    read,
)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_types_keep_their_values(tmp_path: Path, dtype: str) -> None:
    nib.Nifti1Image(cells(dtype), oblique(), dtype=dtype).to_filename(tmp_path / "v.nii")
    volume = agrees_with_nibabel(tmp_path / "v.nii")
    assert volume.array.dtype == (np.float32 if dtype[0] == "f" else np.int16)


@pytest.mark.parametrize(
    ("dtype", "largest", "expected"),
    [
        ("u2", 32767, "int16"),
        ("u2", 32768, "int32"),
        ("i4", -32769, "int32"),
        ("u4", 2**31 - 1, "int32"),
        ("u4", 2**31, "float32"),
        ("i8", -(2**40), "float32"),
    ],
)
def test_the_narrowest_type_that_holds_the_values(
    tmp_path: Path, dtype: str, largest: int, expected: str
) -> None:
    voxels = cells(dtype)
    voxels[2, 1, 1] = largest
    path = tmp_path / "v.nii.gz"
    nib.Nifti1Image(voxels, oblique(), dtype=dtype).to_filename(path)
    volume = read(path)
    assert volume.array.dtype.name == expected
    assert np.array_equal(volume.array, voxels.T.astype(expected))


def test_slope_is_applied_in_float64(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    voxels = cells(np.int32) + 20_000_001  # not a float32
    nib.Nifti1Image(voxels, oblique()).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, 0.5, -10_000_000.0)
    path.write_bytes(content)
    exact = voxels.T.astype(np.float64) * 0.5 - 10_000_000
    assert np.array_equal(read(path).array, exact.astype(np.float32))


def test_cut_and_damaged_files_say_so(tmp_path: Path) -> None:
    voxels = np.random.default_rng(1).integers(0, 1000, (64, 64, 40)).astype(np.int16)
    path = tmp_path / "v.nii.gz"
    nib.Nifti1Image(voxels, oblique()).to_filename(path)
    whole = path.read_bytes()
    for spoilt in (
        whole[: len(whole) // 2],
        whole[:-6],
        whole[:30_000] + b"\xff" * 50 + whole[30_050:],
    ):
        path.write_bytes(spoilt)
        with pytest.raises(UnreadableFileError, match=r"damaged|cut off"):
            read(path)
    wrong = bytearray(whole)
    wrong[-7] ^= 0x55  # the checksum alone
    path.write_bytes(wrong)
    with pytest.raises(UnreadableFileError, match="damaged"):
        read(path)
    for text in (b"", b"\x1f\x8b", b"text" * 300):
        path.write_bytes(text)
        with pytest.raises(UnreadableFileError):
            describe_volume_file(path)


def test_a_file_of_several_gzip_members(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    nib.Nifti1Image(cells(), oblique()).to_filename(path)
    content = path.read_bytes()
    packed = tmp_path / "p.nii.gz"
    packed.write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]) + bytes(100))
    assert np.array_equal(read(packed).array, cells().T)


@pytest.mark.parametrize("dtype", ["i2", "u2", "f4", "f8", "i4"])
def test_memory_is_that_of_the_volume(tmp_path: Path, dtype: str) -> None:
    voxels = np.zeros((256, 256, 160), dtype)
    voxels[:, 1] = 40_000 if dtype in ("u2", "i4") else 17
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(nib.Nifti1Image(voxels, oblique(), dtype=dtype).to_bytes(), 1))
    (record,) = describe_volume_file(path)
    del voxels
    tracemalloc.start()
    try:
        volume = read_volume_file(record)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1.25 * volume.array.nbytes


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_the_middle_slice_comes_before_the_rest(tmp_path: Path, name: str) -> None:
    voxels = cells(shape=(256, 256, 81))
    nib.Nifti1Image(voxels, oblique()).to_filename(tmp_path / name)
    (record,) = describe_volume_file(tmp_path / name)
    heard: list[Any] = []

    class Told:
        def report(self, fraction: float, message: str = "") -> None:
            heard.append(fraction)

    def partial(shown: tuple[int, npt.NDArray[Any]]) -> None:
        heard.append((shown[0], shown[1].copy()))

    read_volume_file(record, progress=Told(), partial=partial)
    (place,) = [place for place, item in enumerate(heard) if isinstance(item, tuple)]
    index, pixels = heard[place]
    assert index == 40
    assert np.array_equal(pixels, voxels[..., 40].T)
    assert heard[-1] == 1.0
    assert all(fraction < (0.01 if name == "v.nii" else 0.6) for fraction in heard[:place])


def test_cancel_stops_between_two_blocks(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    nib.Nifti1Image(np.zeros((256, 256, 64), np.int16), oblique()).to_filename(path)
    (record,) = describe_volume_file(path)
    flag = CancellationFlag()

    class Stop:
        def report(self, fraction: float, message: str = "") -> None:
            if fraction > 0:
                flag.cancel()

    with pytest.raises(CancelledError):
        read_volume_file(record, progress=Stop(), cancel=flag)
