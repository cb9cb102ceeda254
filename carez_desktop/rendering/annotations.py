"""What is written and drawn over a pane, as plain data; whoever paints decides on the looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.finding import Severity
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
from carez_desktop.workspace.pane import Pane, PlacedLayer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport

SYNTHETIC_BADGE = "SYNTHETIC"
STAND_IN_BADGE = "SIMULATED"
_RULER_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_RULER_SHARE = 0.3
_LONGEST_NAME = 10
_LOSSY = "lossy_compression"
_PARALLEL = 1e-3
_ROUNDING = 1e-9


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


def plane_lines(viewport: Viewport, others: Sequence[Viewport] = ()) -> tuple[PlaneLine, ...]:
    """Return where the other two planes through the crosshair cut this pane.

    Args:
        viewport: Of the pane.
        others: Viewports linked with it; a plane that none of them shows stands at right angles
            to the edges of the picture.
    """
    shown = {other.plane: other for other in reversed(others) if other.plane is not viewport.plane}
    upright, level = {
        Plane.AXIAL: (Plane.SAGITTAL, Plane.CORONAL),
        Plane.SAGITTAL: (Plane.CORONAL, Plane.AXIAL),
        Plane.CORONAL: (Plane.SAGITTAL, Plane.AXIAL),
    }[viewport.plane]
    if viewport.turns % 2:
        upright, level = level, upright
    lines = (
        _plane_line(viewport, upright, shown.get(upright), (0.0, 1.0)),
        _plane_line(viewport, level, shown.get(level), (1.0, 0.0)),
    )
    return tuple(line for line in lines if line is not None)


def _plane_line(
    viewport: Viewport, plane: Plane, other: Viewport | None, way: tuple[float, float]
) -> PlaneLine | None:
    """Cut another plane with this one; None where they are parallel.

    Args:
        viewport: Of the pane.
        plane: The other plane.
        other: A viewport that shows it.
        way: (across, down) of the line where there is none.
    """
    if other is not None:
        along = np.cross(viewport.basis.forward, other.basis.forward)
        way = (float(along @ viewport.right), float(along @ viewport.down))
    length = float(np.hypot(*way))
    if length < _PARALLEL:
        return None
    across, down = (0.0 if abs(part) < _ROUNDING * length else part / length for part in way)
    if down < 0.0 or (down == 0.0 and across < 0.0):
        across, down = -across, -down
    x, y = viewport.lps_to_pixel(viewport.cursor_lps)
    width, height = viewport.size
    # To the edges of the pane and no farther.
    steps = sorted(
        step
        for start, part, end in ((x, across, width), (y, down, height))
        if part
        for step in (-start / part, (end - start) / part)
    )
    first, last = (steps[0], steps[-1]) if len(steps) == 2 else (steps[1], steps[2])
    return PlaneLine(
        plane,
        (x + first * across, y + first * down),
        (x + last * across, y + last * down),
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


def annotate(
    viewport: Viewport,
    layer: Layer,
    *,
    others: Sequence[Viewport] = (),
    to_layer: FloatArray | None = None,
    second: PlacedLayer | None = None,
) -> PaneAnnotations:
    """Return what to write over a pane.

    Args:
        viewport: Of the pane.
        layer: What it shows.
        others: Viewports linked with it, for the lines of their planes.
        to_layer: (4, 4) pane space to the layer's own LPS mm; None where they are the same.
        second: Compared with the layer and to be seen: its value is told, and its badge counts.
    """
    is_plain = not layer.plane_refusal
    badges = {badge_of(layer), badge_of(second.layer) if second is not None else ""}
    return PaneAnnotations(
        plane=viewport.plane,
        letters=edge_letters(viewport) if layer.is_positioned else None,
        ruler=ruler(viewport) if layer.is_calibrated else None,
        lines=plane_lines(viewport, others) if is_plain else (),
        cursor=viewport.lps_to_pixel(viewport.cursor_lps),
        badge=next((b for b in (SYNTHETIC_BADGE, STAND_IN_BADGE) if b in badges), ""),
        top_left=_top_left(viewport, layer, second),
        bottom_left=() if layer.is_preview else _bottom_left(viewport, layer, to_layer, second),
        bottom_right=() if layer.is_preview else _bottom_right(viewport, layer),
    )


def annotate_pane(pane: Pane, others: Sequence[Viewport] = ()) -> PaneAnnotations | None:
    """Return what to write over a pane of the workspace; None while it is empty."""
    if pane.base is None or pane.viewport is None:
        return None
    second = pane.second if pane.is_comparing else None
    to_layer = pane.base.to_layer
    return annotate(pane.viewport, pane.base.layer, others=others, to_layer=to_layer, second=second)


def _top_left(viewport: Viewport, layer: Layer, second: PlacedLayer | None) -> tuple[str, ...]:
    title = layer.title if second is None else f"{layer.title}  |  {second.layer.title}"
    lines = [title, what_is_shown(viewport, layer)]
    return tuple(lines) if layer.is_preview else (*lines, *_warnings(layer))


def _warnings(layer: Layer) -> tuple[str, ...]:
    """Write what a person must know before trusting the picture: geometry, lossy compression."""
    told = [f for f in layer.volume.findings if f.severity is not Severity.INFO]
    lossy = any(finding.code == _LOSSY for finding in told)
    others = [finding.text for finding in told if finding.code != _LOSSY]
    more = f"  (+{len(others) - 1} in the panel)" if len(others) > 1 else ""
    return (*(["Lossy compression"] if lossy else []), *(f"{text}{more}" for text in others[:1]))


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
    if viewport.is_turned:
        words += ", oblique"
    if viewport.slab.is_thick:
        words += f", {viewport.slab.text}"
    return words if badge_of(layer) else f"{words}, {layer.kind_text}"


def _bottom_left(
    viewport: Viewport,
    layer: Layer,
    to_layer: FloatArray | None,
    second: PlacedLayer | None,
) -> tuple[str, ...]:
    volume = layer.volume_at(viewport.array_index)
    own = _placed(viewport.cursor_lps, to_layer)
    value = value_text(volume, own)
    place = position_text(own) if layer.is_positioned else pixel_text(volume, own)
    lines = [f"{value}   {place}" if value else ""]
    if second is not None:
        there = _placed(viewport.cursor_lps, second.to_layer)
        other = value_text(second.layer.volume, there)
        lines.append(f"{other or 'outside'}   {position_text(there)}   {second.layer.title}")
    lines.append(window_text(layer))
    return tuple(line for line in lines if line)


def _placed(point_lps: FloatArray, to_layer: FloatArray | None) -> FloatArray:
    if to_layer is None:
        return point_lps
    return np.asarray(to_layer[:3, :3] @ point_lps + to_layer[:3, 3], dtype=np.float64)


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
