"""A volume: voxels, where they lie, and what they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.intensity import OverlayPlane, RealWorldMap
from carez_desktop.domain.window import VoiLut, VoiWindow


class VolumeKind(StrEnum):
    """Where the voxels come from."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    DERIVED = "derived"


class SliceAxis(StrEnum):
    """What runs along the first axis of an array: space, or the moments of a cine."""

    SPACE = "space"
    TIME = "time"


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels in modality values with their geometry.

    Attributes:
        volume_id: `<series uid>[:k]`, `2.25.<n>` for NIfTI and NRRD, `FILE.h5#CASE` for a case.
        array: (slice, row, column), C order, read-only; modality values (rescale applied).
            Colour has a last axis of 3 (red, green, blue; uint8).
        geometry: Shape and affine in LPS mm.
        modality: DICOM Modality (`CT`, `MR`, ...).
        units: `HU`, `SUVbw`, `arbitrary`, `label`, `rgb`, ...
        kind: real, synthetic or derived.
        frame_of_reference_uid: Volumes are in one space only if this is equal and not empty.
        padding_value: Modality value of pixels that were never imaged, if the source names one.
        window_center / window_width: First VOI of the source in modality values, if any.
        findings: What was odd on the way.
        attributes: Display facts (series_description, patient_name, ...); plain values only.
        slice_axis: Time for a cine, whose slices have no distance in millimetres.
        windows: Every linear or sigmoid VOI of the source, in its order.
        voi_luts: VOI look-up tables of the source.
        real_world_maps: How modality values become physical quantities.
        overlays: Graphics of the source, burnt into no pixel.
        frame_times_ms: Start of each moment of a cine; empty where the source does not say.
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
    slice_axis: SliceAxis = SliceAxis.SPACE
    windows: tuple[VoiWindow, ...] = ()
    voi_luts: tuple[VoiLut, ...] = ()
    real_world_maps: tuple[RealWorldMap, ...] = ()
    overlays: tuple[OverlayPlane, ...] = ()
    frame_times_ms: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Hold a read-only view and check that it fits the geometry."""
        colour = self.array.ndim == 4 and self.array.shape[3] == 3
        if self.array.shape[:3] != self.geometry.shape or not (colour or self.array.ndim == 3):
            raise ValueError(
                f"array {self.array.shape} does not fit geometry {self.geometry.shape}"
            )
        view = np.ascontiguousarray(self.array).view()
        view.flags.writeable = False
        object.__setattr__(self, "array", view)

    @property
    def is_colour(self) -> bool:
        """Whether the voxels are colours, which have no modality value."""
        return self.array.ndim == 4

    def with_array(self, array: npt.NDArray[Any], **changes: Any) -> Self:
        """Return a new volume on the same grid with other voxels and, if given, other facts."""
        return replace(self, array=array, **changes)
