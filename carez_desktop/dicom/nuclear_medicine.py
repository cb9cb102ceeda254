"""Frames of nuclear medicine images that lie somewhere: reconstructed tomograms.

PS3.3 C.8.4.8 (frame increment vectors), C.8.4.11 (detectors), C.8.4.15 (reconstruction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.domain.study import AttributeValue

DETECTORS, SLICE_VECTOR, SLOT_VECTOR, PHASE_VECTOR = 0x00540022, 0x00540080, 0x00540070, 0x00540100
ENERGY_VECTOR = 0x00540010
_SPACING, _THICKNESS = 0x00180088, 0x00180050
_POSITION, _ORIENTATION, _IMAGE_TYPE, _MODALITY = 0x00200032, 0x00200037, 0x00080008, 0x00080060
NUCLEAR_TAGS = frozenset(
    (
        *(DETECTORS, SLICE_VECTOR, SLOT_VECTOR, PHASE_VECTOR, ENERGY_VECTOR),
        *(_SPACING, _THICKNESS, _POSITION, _ORIENTATION, _IMAGE_TYPE, _MODALITY),
    )
)
_MOST_SLICES = 65_535
_RECONSTRUCTED = frozenset(("RECON TOMO", "RECON GATED TOMO"))


@dataclass(frozen=True, slots=True)
class TomogramFrame:
    """Where one frame of a tomogram lies.

    Attributes:
        position: Centre of its first pixel, LPS mm.
        orientation: Row and column cosines.
        attributes: `temporal_position_identifier` of a gated one, `energy_window`.
    """

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    attributes: dict[str, AttributeValue]


def tomogram_frames(
    elements: ElementTable, number_of_frames: int
) -> tuple[tuple[TomogramFrame, ...], tuple[str, ...]]:
    """Place the frames of a reconstructed tomogram; none for any other image.

    The first slice is where the detector information says; the others follow along row x column
    by Spacing Between Slices times the Slice Vector, behind the first if it is positive
    (C.8.4.15.1.1).

    Returns:
        The frames in file order, and flags: `spacing_from_thickness`, `tomogram_without_place`.
    """
    kinds = elements.codes(_IMAGE_TYPE)
    if elements.code(_MODALITY) != "NM" or len(kinds) < 3 or kinds[2] not in _RECONSTRUCTED:
        return (), ()
    slices = elements.binaries(SLICE_VECTOR, "H")[:_MOST_SLICES]
    if not slices and number_of_frames <= _MOST_SLICES:
        slices = tuple(float(index + 1) for index in range(number_of_frames))
    start = _start(elements)
    if start is None or len(slices) < number_of_frames:
        return (), ("tomogram_without_place",)
    position, orientation = start
    step = elements.decimal(_SPACING)
    flags: tuple[str, ...] = ()
    if not step:
        step, flags = elements.decimal(_THICKNESS), ("spacing_from_thickness",)
    if not step:
        return (), ("tomogram_without_place",)
    normal = np.cross(orientation[:3], orientation[3:])
    times = elements.binaries(SLOT_VECTOR, "H") or elements.binaries(PHASE_VECTOR, "H")
    energies = elements.binaries(ENERGY_VECTOR, "H")
    frames = []
    for index in range(number_of_frames):
        place = np.asarray(position) + normal * (step * (slices[index] - 1))
        facts: dict[str, AttributeValue] = {}
        if len(times) >= number_of_frames:
            facts["temporal_position_identifier"] = times[index]
        if len(energies) >= number_of_frames and len(set(energies)) > 1:
            facts["energy_window"] = energies[index]
        lps = (float(place[0]), float(place[1]), float(place[2]))
        frames.append(TomogramFrame(lps, orientation, facts))
    return tuple(frames), flags


def _start(
    elements: ElementTable,
) -> (
    tuple[
        tuple[float, float, float],
        tuple[float, float, float, float, float, float],
    ]
    | None
):
    """Return position and orientation of the first slice."""
    for table in (*elements.items(DETECTORS), elements):
        position, orientation = table.decimals(_POSITION), table.decimals(_ORIENTATION)
        if len(position) == 3 and len(orientation) == 6:
            x, y, z = position
            a, b, c, d, e, f = orientation
            return (x, y, z), (a, b, c, d, e, f)
    return None
