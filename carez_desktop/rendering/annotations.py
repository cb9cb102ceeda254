"""What is written and drawn over a pane, as plain data; whoever paints decides on the looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.patient_space import FloatArray, orientation_letters
from carez_desktop.domain.volume import Volume
from carez_desktop.domain.window import VoiFunction
from carez_desktop.rendering.annotations_text import (
    plane_size_text,
    plane_spacing_text,
    size_text,
    spacing_text,
)
from carez_desktop.rendering.slice_pipeline import voxel_at
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport

SYNTHETIC_BADGE = "SYNTHETIC"
STAND_IN_BADGE = "SIMULATED"
_RULER_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_RULER_SHARE = 0.3
_LONGEST_NAME = 10


@dataclass(frozen=True, slots=True)
class EdgeLetters:
    """Where the picture's edges point in the patient (`R`, `AL`, ...)."""

    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True, slots=True)
class Ruler:
    """A length that fits the pane."""

    length_mm: float
    length_pixels: float

    @property
    def label(self) -> str:
        """The length in words."""
        if self.length_mm >= 10 and self.length_mm % 10 == 0:
            return f"{self.length_mm / 10:g} cm"
        return f"{self.length_mm:g} mm"


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """The line in which another plane cuts this one, in logical pixels."""

    plane: Plane
    start: tuple[float, float]
    stop: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PaneAnnotations:
    """Everything written over one pane.

    Attributes:
        letters: None where the source says no position.
        ruler: None where its pixels have no size.
        lines: None of the other planes where there is only the acquired one.
        badge: `SYNTHETIC`; `SIMULATED` for a phantom that plays real; "" for a real volume.
        cursor: Logical pixel of the crosshair.
        pixels_per_voxel: Magnification of the in-plane voxels.
    """

    plane: Plane
    letters: EdgeLetters | None
    ruler: Ruler | None
    lines: tuple[PlaneLine, ...]
    cursor: tuple[float, float]
    badge: str
    top_left: tuple[str, ...]
    bottom_left: tuple[str, ...]
    bottom_right: tuple[str, ...]


def edge_letters(viewport: Viewport) -> EdgeLetters:
    """Name the four edges from the direction cosines of the shown plane, flips included."""
    right, down = viewport.right, viewport.down
    return EdgeLetters(
        left=orientation_letters(-right),
        right=orientation_letters(right),
        top=orientation_letters(-down),
        bottom=orientation_letters(down),
    )


def ruler(viewport: Viewport) -> Ruler:
    """Return the longest round length that takes at most three tenths of the pane's height."""
    room = viewport.size[1] * _RULER_SHARE * viewport.mm_per_pixel
    length = max((value for value in _RULER_LENGTHS_MM if value <= room), default=1)
    return Ruler(float(length), length / viewport.mm_per_pixel)


def plane_lines(viewport: Viewport) -> tuple[PlaneLine, ...]:
    """Return where the other two planes through the crosshair cut this pane."""
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)
    width, height = viewport.size
    upright, level = {
        Plane.AXIAL: (Plane.SAGITTAL, Plane.CORONAL),
        Plane.SAGITTAL: (Plane.CORONAL, Plane.AXIAL),
        Plane.CORONAL: (Plane.SAGITTAL, Plane.AXIAL),
    }[viewport.plane]
    return (
        PlaneLine(upright, (x, 0.0), (x, float(height))),
        PlaneLine(level, (0.0, y), (float(width), y)),
    )


def position_text(point_lps: FloatArray) -> str:
    """Write a position with the letters of its sides (`L 12.0  P 40.5  S -3.2` as `... I 3.2`)."""
    words = []
    for value, (positive, negative) in zip(
        point_lps, (("L", "R"), ("P", "A"), ("S", "I")), strict=True
    ):
        words.append(f"{positive if value >= 0 else negative} {abs(float(value)):.1f}")
    return "  ".join(words)


def value_text(volume: Volume, point_lps: FloatArray) -> str:
    """Write the modality value of the voxel at a point; "" outside the volume.

    Colours as `R 12 G 34 B 56`; a mapped real-world value stands behind the modality value.
    """
    voxel = voxel_at(volume, point_lps)
    if voxel is None:
        return ""
    if voxel.ndim:
        return "  ".join(f"{name} {int(part)}" for name, part in zip("RGB", voxel, strict=True))
    value = float(voxel)
    if volume.padding_value is not None and value == volume.padding_value:
        return "not imaged"
    found = _real_world_texts(value, volume)
    plain = _with_unit(value, volume)
    # A map that changes nothing but the unit tells the unit.
    return found[0] if found and found[0].startswith(f"{plain} ") else " = ".join((plain, *found))


def _with_unit(value: float, volume: Volume) -> str:
    unit = "" if volume.units in ("arbitrary", "label", "") else f" {volume.units}"
    return f"{value:g}{unit}" if volume.array.dtype.kind != "f" else f"{value:.4g}{unit}"


def _real_world_texts(value: float, volume: Volume) -> list[str]:
    """Write each mapped quantity of a value that says more than the value itself."""
    found = []
    for mapping in volume.real_world_maps:
        real = mapping.of_modality_value(value)
        unit = mapping.unit.strip()
        if real is None or (real == value and unit in ("", "1", "[hnsf'U]")):
            continue
        name = mapping.name if len(mapping.name) <= _LONGEST_NAME else ""
        found.append(" ".join(part for part in (f"{real:.4g}", unit, name) if part))
    return found


def badge_of(layer: Layer) -> str:
    """Return the badge that a pane must carry; "" for none."""
    if layer.is_synthetic:
        return SYNTHETIC_BADGE
    return STAND_IN_BADGE if layer.is_stand_in else ""


def annotate(viewport: Viewport, layer: Layer) -> PaneAnnotations:
    """Return what to write over a pane."""
    is_plain = not layer.plane_refusal
    return PaneAnnotations(
        plane=viewport.plane,
        letters=edge_letters(viewport) if layer.is_positioned else None,
        ruler=ruler(viewport) if layer.is_calibrated else None,
        lines=plane_lines(viewport) if is_plain else (),
        cursor=viewport.lps_to_pixel(viewport.cursor_lps),
        badge=badge_of(layer),
        top_left=(layer.title, what_is_shown(viewport, layer)),
        bottom_left=() if layer.is_preview else _bottom_left(viewport, layer),
        bottom_right=() if layer.is_preview else _bottom_right(viewport, layer),
    )


def what_is_shown(viewport: Viewport, layer: Layer) -> str:
    """Name the plane and, where no badge does, the kind."""
    if layer.is_cine:
        words = "Cine"
    elif not layer.is_positioned:
        words = "Image"
    else:
        words = viewport.plane.value.capitalize()
    if layer.stack is not None:
        words += ", as acquired"
    return words if badge_of(layer) else f"{words}, {layer.kind_text}"


def _bottom_left(viewport: Viewport, layer: Layer) -> tuple[str, ...]:
    volume = layer.volume_at(viewport.array_index)
    value = value_text(volume, viewport.cursor_lps)
    place = (
        position_text(viewport.cursor_lps)
        if layer.is_positioned
        else pixel_text(volume, viewport.cursor_lps)
    )
    lines = (f"{value}   {place}" if value else "", window_text(layer))
    return tuple(line for line in lines if line)


def pixel_text(volume: Volume, point_lps: FloatArray) -> str:
    """Write the column and row of a point, counted from 0."""
    _, row, column = np.rint(volume.geometry.lps_to_index(point_lps)).astype(int)
    return f"column {column}  row {row}"


def window_text(layer: Layer) -> str:
    """Write how greys are made; "" for colours."""
    notes = ["inverted"] if layer.inverted else []
    if layer.volume.is_colour:
        return "".join(notes)
    if layer.is_film:
        notes.append("MONOCHROME1: high is black")
    window = layer.window
    digits = 0 if window.width >= 20 else 3
    words = f"C {window.center:.{digits}f}  W {window.width:.{digits}f}"
    if layer.lut is not None:
        words = f"Table {layer.lut.name}".rstrip()
    elif window.function is VoiFunction.SIGMOID:
        words += "  sigmoid"
    return "  ".join((words, *notes))


def _bottom_right(viewport: Viewport, layer: Layer) -> tuple[str, ...]:
    geometry = viewport.geometry
    is_flat = layer.is_cine or not layer.is_positioned
    size = plane_size_text(geometry.shape) if is_flat else size_text(_shape(viewport, layer))
    has_step = not is_flat and layer.stack is None
    spacing = (spacing_text if has_step else plane_spacing_text)(geometry.spacing_mm)
    lines = [size, f"{spacing} mm" if layer.is_calibrated else "no scale"]
    lines.append(count_text(viewport, layer))
    return tuple(line for line in lines if line)


def _shape(viewport: Viewport, layer: Layer) -> tuple[int, int, int]:
    _, rows, columns = viewport.geometry.shape
    return (viewport.slice_count, rows, columns) if layer.stack else viewport.geometry.shape


def count_text(viewport: Viewport, layer: Layer) -> str:
    """Write which slice or frame is shown of how many, a frame with its time where it is known."""
    count = f"{viewport.slice_number} / {viewport.slice_count}"
    if not layer.is_cine:
        return count if viewport.slice_count > 1 or layer.is_positioned else ""
    times = layer.volume.frame_times_ms
    index = viewport.array_index
    time = f"{times[index] / 1000.0:.2f} s   " if index < len(times) else ""
    return f"{time}frame {count}"
