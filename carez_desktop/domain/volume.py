"""A volume: voxels, where they lie, and what they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.geometry import VolumeGeometry


class VolumeKind(StrEnum):
    """Where the voxels come from."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    DERIVED = "derived"


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels in modality values with their geometry.

    Attributes:
        volume_id: `<series uid>[:k]`, `2.25.<n>` for NIfTI and NRRD, `FILE.h5#CASE` for a case.
        array: (slice, row, column), C order, read-only; modality values (rescale applied).
        geometry: Shape and affine in LPS mm.
        modality: DICOM Modality (`CT`, `MR`, ...).
        units: `HU`, `SUVbw`, `arbitrary`, `label`, ...
        kind: real, synthetic or derived.
        frame_of_reference_uid: Volumes are in one space only if this is equal and not empty.
        padding_value: Modality value of pixels that were never imaged, if the source names one.
        window_center / window_width: First VOI of the source in modality values, if any.
        findings: What was odd on the way.
        attributes: Display facts (series_description, patient_name, ...); plain values only.
    """

    volume_id: str
    array: npt.NDArray[Any]
    geometry: VolumeGeometry
    modality: str
    units: str
    kind: VolumeKind = VolumeKind.REAL
    frame_of_reference_uid: str = ""
    padding_value: float | None = None
    window_center: float | None = None
    window_width: float | None = None
    findings: tuple[Finding, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold a read-only view and check that it fits the geometry."""
        if self.array.shape != self.geometry.shape:
            raise ValueError(
                f"array {self.array.shape} does not fit geometry {self.geometry.shape}"
            )
        view = np.ascontiguousarray(self.array).view()
        view.flags.writeable = False
        object.__setattr__(self, "array", view)

    def with_array(self, array: npt.NDArray[Any], **changes: Any) -> Self:
        """Return a new volume on the same grid with other voxels and, if given, other facts."""
        return replace(self, array=array, **changes)
