"""A few slices of a real CT folder, read with nothing but pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume


def load_slices(folder: Path, *, every: int = 1) -> Volume:
    """Return every n-th axial slice as one volume in HU, feet first."""
    heads = []
    for path in sorted(folder.rglob("*.dcm")):
        head = pydicom.dcmread(path, stop_before_pixels=True)
        if head.get("Modality") == "CT" and "AXIAL" in head.ImageType:
            heads.append((float(head.ImagePositionPatient[2]), path))
    heads = sorted(heads)[::every]
    slices = [pydicom.dcmread(path) for _, path in heads]
    first = slices[0]
    array = np.stack(
        [d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices]
    )
    spacing = (heads[1][0] - heads[0][0], *(float(step) for step in first.PixelSpacing))
    geometry = VolumeGeometry.from_parts(
        array.shape,
        spacing,
        [float(x) for x in first.ImagePositionPatient],
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
    )
    attributes = {
        "kvp": str(first.KVP),
        "exposure": str(first.Exposure),
        "convolution_kernel": str(first.ConvolutionKernel),
    }
    return Volume("1.2.3", array.astype(np.int16), geometry, "CT", "HU", attributes=attributes)
