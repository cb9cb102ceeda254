"""Which distance between pixels an image has, and what it was measured at.

PS3.3 10.7.1.3 (Pixel Spacing), C.8.11.2 and C.8.7.10 (Imager Pixel Spacing, at the detector),
C.8.5.5 (ultrasound regions).
"""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.dicom.elements import ElementTable

PIXEL_SPACING, IMAGER_SPACING, NOMINAL_SPACING = 0x00280030, 0x00181164, 0x00182010
US_REGIONS = 0x00186011
PROJECTIONS = frozenset(("CR", "DX", "MG", "XA", "RF", "IO", "PX", "DR"))
_CALIBRATION, _MODALITY = 0x00280A02, 0x00080060
SPACING_TAGS = frozenset(
    (PIXEL_SPACING, IMAGER_SPACING, NOMINAL_SPACING, US_REGIONS, _CALIBRATION, _MODALITY)
)
_TISSUE_IN_2D, _CENTIMETRES = 1, 3
_SAME_SPACING = 1e-3
_LEAST_MM, _MOST_MM = 1e-6, 1e4


@dataclass(frozen=True, slots=True)
class SpacingFacts:
    """Distance between pixels and where it comes from.

    Attributes:
        spacing: (between rows, between columns) in mm, or None.
        source: `pixel_spacing`, `imager_pixel_spacing`, `nominal_scanned_pixel_spacing`,
            `us_region`, or "".
        flags: `spacing_at_detector`, `us_regions_differ`.
    """

    spacing: tuple[float, float] | None
    source: str
    flags: tuple[str, ...] = ()


def spacing_facts(elements: ElementTable) -> SpacingFacts:
    """Return the spacing of an image outside functional groups.

    Pixel Spacing of a projection that was not calibrated, and Imager Pixel Spacing always, hold
    at the detector: lengths in the patient come out too large by the magnification.
    """
    spacing = pair(elements, PIXEL_SPACING)
    projection = elements.code(_MODALITY) in PROJECTIONS
    if spacing is not None:
        imager = pair(elements, IMAGER_SPACING)
        same = imager is not None and _close(spacing, imager)
        uncalibrated = projection and same and not elements.code(_CALIBRATION)
        return SpacingFacts(spacing, "pixel_spacing", _at_detector(uncalibrated))
    for tag, source in (
        (IMAGER_SPACING, "imager_pixel_spacing"),
        (NOMINAL_SPACING, "nominal_scanned_pixel_spacing"),
    ):
        spacing = pair(elements, tag)
        if spacing is not None:
            return SpacingFacts(spacing, source, _at_detector(tag == IMAGER_SPACING))
    return _region_spacing(elements)


def pair(elements: ElementTable, tag: int) -> tuple[float, float] | None:
    """Return two distances that a pixel can have, else None."""
    values = elements.decimals(tag)
    if len(values) != 2 or not _LEAST_MM <= min(values) <= max(values) <= _MOST_MM:
        return None
    return values[0], values[1]


def _at_detector(holds: bool) -> tuple[str, ...]:
    return ("spacing_at_detector",) if holds else ()


def _close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= _SAME_SPACING * b for a, b in zip(one, other, strict=True))


def _region_spacing(elements: ElementTable) -> SpacingFacts:
    """Return the spacing that all two-dimensional ultrasound regions share (C.8.5.5)."""
    found: list[tuple[float, float]] = []
    for region in elements.items(US_REGIONS):
        units = (region.unsigned(0x00186024), region.unsigned(0x00186026))
        if region.unsigned(0x00186012) != _TISSUE_IN_2D or units != (_CENTIMETRES,) * 2:
            continue
        across, down = region.binary(0x0018602C, "d"), region.binary(0x0018602E, "d")
        plausible = across and down and max(abs(across), abs(down)) < _MOST_MM
        if across and down and plausible:
            found.append((abs(down) * 10.0, abs(across) * 10.0))
    if not found:
        return SpacingFacts(None, "")
    if not all(_close(other, found[0]) for other in found):
        return SpacingFacts(None, "", ("us_regions_differ",))
    return SpacingFacts(found[0], "us_region")
