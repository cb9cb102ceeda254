from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.imaging.volume_files import describe_volume_file, read_volume_file
from carez_desktop.imaging.volume_writer import write_volume_file


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd"])
def test_colour_comes_back(tmp_path: Path, slices: int, suffix: str) -> None:
    colours = np.random.default_rng(1).integers(0, 255, (slices, 5, 7, 3), dtype=np.uint8)
    geometry = VolumeGeometry.from_parts(
        (slices, 5, 7), (3.0, 0.8, 0.6), (1.0, 2.0, 3.0), np.eye(3)[:, ::-1]
    )
    path = tmp_path / f"colour{suffix}"
    write_volume_file(Volume("1.2", colours, geometry, "US", "rgb"), path)
    (record,) = describe_volume_file(path)
    assert (record.refusal, record.samples) == ("", 3)
    again = read_volume_file(record)
    assert np.array_equal(again.array, colours)
    assert again.geometry.is_close_to(geometry, tolerance_mm=1e-4)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image).reshape(colours.shape), colours)
    if suffix != ".nrrd":
        written = nibabel.load(path)
        assert written.shape[:3] == (7, 5, slices)
        assert np.allclose(
            np.diag([-1, -1, 1, 1]) @ written.affine, geometry.affine[:, [2, 1, 0, 3]]
        )
