"""Judge where the slices of a pile lie: a regular grid, slices at places of their own, neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.pile_pixels import is_cine, level_matrix
from carez_desktop.domain.slice_order import (
    EXACT_MM,
    REGULAR_MM,
    SliceFit,
    check_corners,
    fit_slices,
    flat_geometry,
    slice_normal,
    stack_geometry,
)
from carez_desktop.domain.slice_places import has_place
from carez_desktop.domain.study import InstanceHeader

_LEAST_MM, _MOST_MM = 1e-7, 1e5


@dataclass(frozen=True, slots=True)
class PileGeometry:
    """Where the slices of a pile lie.

    Attributes:
        refusal: Why they are no regular volume; "" for one.
        slices_only: Whether they can be shown at their places although they are refused.
        spacing_mm: (slice, row, column); None where refused.
        orientation: Dominant letters of the slice, row and column axis; "" without a place.
    """

    refusal: str = ""
    slices_only: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""
    findings: tuple[Finding, ...] = ()


def stack_geometry_of(
    headers: Sequence[InstanceHeader],
) -> tuple[VolumeGeometry, SliceFit | None]:
    """Return the geometry of slices in order, and how well they fit a regular grid.

    One slice, or an image without position, has no fit; its slice step is Slice Thickness (else
    1 mm), which is for display only. So is the step of 1 between the moments of a cine.

    Raises:
        ValueError: The orientation or the spacing is invalid.
    """
    first = headers[0]
    rows, columns = level_matrix(first) or (first.rows, first.columns)
    position, cosines = first.image_position_patient, first.image_orientation_patient
    if is_cine(first):
        shape = (first.number_of_frames, rows, columns)
        return flat_geometry(shape, first.pixel_spacing), None
    shape = (len(headers), rows, columns)
    if position is None or cosines is None or not has_place(first):
        return flat_geometry(shape, first.pixel_spacing), None
    spacing = first.pixel_spacing or (1.0, 1.0)
    if len(headers) == 1:
        thickness = first.attributes.get("slice_thickness")
        known = isinstance(thickness, float) and _LEAST_MM < thickness < _MOST_MM
        height = float(thickness or 1.0) if known else 1.0
        step = [float(part) * height for part in slice_normal(cosines)]
        return stack_geometry(shape, position, step, cosines, spacing), None
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    fit = fit_slices(positions, cosines)
    return stack_geometry(shape, position, fit.step_lps, cosines, spacing), fit


def judge_geometry(volume_id: str, headers: Sequence[InstanceHeader]) -> PileGeometry:
    """Judge the places of images, in slice order, that have pixels."""
    first = headers[0]
    findings: list[Finding] = []
    if first.pixel_spacing is None:
        if len(headers) > 1:
            return PileGeometry("Pixel Spacing is missing")
        text = "No Pixel Spacing: distances are in pixels"
        findings.append(Finding(Severity.WARNING, "no_pixel_spacing", volume_id, text))
    elif not all(_LEAST_MM <= step <= _MOST_MM for step in first.pixel_spacing):
        steps = " x ".join(f"{step:g}" for step in first.pixel_spacing)
        return PileGeometry(f"Its Pixel Spacing of {steps} mm is impossible")
    try:
        if first.image_orientation_patient is not None:
            slice_normal(first.image_orientation_patient)
    except ValueError as error:
        return PileGeometry(f"Image Orientation (Patient) is invalid: {error}")
    try:
        geometry, fit = stack_geometry_of(headers)
    except ValueError as error:
        return PileGeometry(f"Its geometry is invalid: {error}")
    if is_cine(first) or not has_place(first):
        if not is_cine(first) and level_matrix(first) is None:
            text = "The image has no position in the patient"
            findings.append(Finding(Severity.WARNING, "no_position", volume_id, text))
        return PileGeometry(spacing_mm=geometry.spacing_mm, findings=tuple(findings))
    if fit is None:
        text = f"One slice: its height of {geometry.spacing_mm[0]:g} mm is for display only"
        findings.append(Finding(Severity.INFO, "single_slice", volume_id, text))
        refusal = ""
    else:
        refusal = _judge_grid(volume_id, headers, geometry, fit, findings)
    return PileGeometry(
        refusal=refusal,
        slices_only=bool(refusal),
        spacing_mm=None if refusal else geometry.spacing_mm,
        orientation=geometry.orientation,
        findings=tuple(findings),
    )


def _judge_grid(
    volume_id: str,
    headers: Sequence[InstanceHeader],
    geometry: VolumeGeometry,
    fit: SliceFit,
    findings: list[Finding],
) -> str:
    """Return why slices are no regular grid, "" for one; note what is odd."""
    if fit.refusal:
        code = "gantry_tilt" if fit.refusal.startswith("Tilted") else "uneven_slices"
        findings.append(Finding(Severity.ERROR, code, volume_id, fit.refusal))
        return fit.refusal
    worst = max(check_corners(headers, geometry), fit.deviation_mm)
    if worst > REGULAR_MM:
        refusal = f"The corners of its slices leave the grid by {worst:.3f} mm"
        findings.append(Finding(Severity.ERROR, "uneven_slices", volume_id, refusal))
        return refusal
    if worst > EXACT_MM:
        text = f"Slices leave a regular grid by up to {worst:.3f} mm"
        findings.append(Finding(Severity.INFO, "nearly_regular", volume_id, text))
    return ""
