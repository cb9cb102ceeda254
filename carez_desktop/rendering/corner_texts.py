"""What can stand in the corners of a pane, and which of it a person wants where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.volume import Volume
from carez_desktop.domain.window import VoiFunction
from carez_desktop.rendering.annotations_text import (
    plane_size_text,
    plane_spacing_text,
    size_text,
    spacing_text,
)
from carez_desktop.rendering.slice_pipeline import voxel_at
from carez_desktop.workspace.display_options import Corner, DisplayOptions, PositionStyle
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import PlacedLayer
from carez_desktop.workspace.viewport import Viewport

_LONGEST_NAME = 10
_WHOLE, _WIDEST, _NARROWEST = 20.0, 1e6, 0.01
_LOSSY = "lossy_compression"
_ATTRIBUTES = {
    "patient": "patient_name",
    "patient_id": "patient_id",
    "birth_date": "patient_birth_date",
    "study_date": "study_date",
    "institution": "institution_name",
}
_OF_PREVIEWS = ("title", "plane", *_ATTRIBUTES)
"""All that is known while a volume is still being read."""


def corner_texts(
    viewport: Viewport,
    layer: Layer,
    options: DisplayOptions,
    *,
    to_layer: FloatArray | None = None,
    second: PlacedLayer | None = None,
    has_badge: bool = False,
) -> dict[Corner, tuple[str, ...]]:
    """Return the lines of each corner, from top to bottom.

    Args:
        viewport: Of the pane.
        layer: What it shows.
        options: Which fields stand where; identity is left out where it is hidden.
        to_layer: (4, 4) pane space to the layer's own LPS mm; None where they are the same.
        second: Compared with the layer and to be seen: its title and value are told.
        has_badge: A badge tells the kind of the layer.
    """
    found: dict[Corner, tuple[str, ...]] = {}
    for corner in Corner:
        lines: list[str] = []
        for name in options.shown_in(corner):
            if layer.is_preview and name not in _OF_PREVIEWS:
                continue
            if name == "plane":
                lines.append(what_is_shown(viewport, layer, has_badge=has_badge))
            elif name == "value":
                lines += _value_lines(viewport, layer, to_layer, second, options.position_style)
            elif name == "findings":
                lines += _warnings(layer)
            else:
                lines.append(_line(name, viewport, layer, second))
        found[corner] = tuple(line for line in lines if line)
    return found


def _line(name: str, viewport: Viewport, layer: Layer, second: PlacedLayer | None) -> str:
    """Return the line of a field that has one; "" where there is nothing to tell."""
    if name in _ATTRIBUTES:
        return str(layer.volume.attributes.get(_ATTRIBUTES[name], ""))
    if name == "title":
        return layer.title if second is None else f"{layer.title}  |  {second.layer.title}"
    lines: dict[str, Callable[[Layer], str]] = {
        "window": window_text,
        "size": lambda x: _size(viewport, x),
        "spacing": lambda x: _spacing(viewport, x),
        "count": lambda x: count_text(viewport, x),
        "slab": lambda _: viewport.slab.text,
        "zoom": lambda x: _zoom(viewport, x),
    }
    return lines[name](layer)


def _size(viewport: Viewport, layer: Layer) -> str:
    shape = viewport.geometry.shape
    is_flat = layer.is_cine or not layer.is_positioned
    return plane_size_text(shape) if is_flat else size_text(_shape(viewport, layer))


def _spacing(viewport: Viewport, layer: Layer) -> str:
    if not layer.is_calibrated:
        return "no scale"
    has_step = not (layer.is_cine or not layer.is_positioned) and layer.stack is None
    text = (spacing_text if has_step else plane_spacing_text)(viewport.geometry.spacing_mm)
    return f"{text} mm"


def _zoom(viewport: Viewport, layer: Layer) -> str:
    """Write the logical pixels of the screen on one voxel of the plane (its finer spacing)."""
    steps = layer.volume.geometry.spacing_mm
    axis = viewport.basis.grid_axis
    finest = min(step for number, step in enumerate(steps) if number != axis)
    return f"zoom {finest / viewport.mm_per_pixel:.3g}"


def _value_lines(
    viewport: Viewport,
    layer: Layer,
    to_layer: FloatArray | None,
    second: PlacedLayer | None,
    style: PositionStyle,
) -> list[str]:
    volume = layer.volume_at(viewport.array_index)
    own = _placed(viewport.cursor_lps, to_layer)
    value = value_text(volume, own)
    place = position_text(own, style) if layer.is_positioned else pixel_text(volume, own)
    lines = [f"{value}   {place}" if value else ""]
    if second is not None:
        there = _placed(viewport.cursor_lps, second.to_layer)
        other = value_text(second.layer.volume, there) or "outside"
        lines.append(f"{other}   {position_text(there, style)}   {second.layer.title}")
    return lines


def what_is_shown(viewport: Viewport, layer: Layer, *, has_badge: bool) -> str:
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
    return words if has_badge else f"{words}, {layer.kind_text}"


def _warnings(layer: Layer) -> tuple[str, ...]:
    """Write what a person must know before trusting the picture: geometry, lossy compression."""
    told = [f for f in layer.volume.findings if f.severity is not Severity.INFO]
    lossy = any(finding.code == _LOSSY for finding in told)
    others = [finding.text for finding in told if finding.code != _LOSSY]
    more = f"  (+{len(others) - 1} in the panel)" if len(others) > 1 else ""
    return (*(["Lossy compression"] if lossy else []), *(f"{text}{more}" for text in others[:1]))


def position_text(point_lps: FloatArray, style: PositionStyle = PositionStyle.LETTERS) -> str:
    """Write a position in the patient, in mm.

    With the letters of its sides (`L 12.0  P 40.5  I 3.2`), or as numbers of LPS or of RAS.
    """
    if style is not PositionStyle.LETTERS:
        signs = (1.0, 1.0, 1.0) if style is PositionStyle.LPS else (-1.0, -1.0, 1.0)
        # Adding zero turns -0.0 into 0.0.
        numbers = [float(value) * sign + 0.0 for value, sign in zip(point_lps, signs, strict=True)]
        return f"{style.value.upper()} " + "  ".join(f"{number:.1f}" for number in numbers)
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
    if not np.isfinite(value):
        return "no number"
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
    words = f"C {_number(window.center, window.width)}  W {_number(window.width, window.width)}"
    if layer.lut is not None:
        words = f"Table {layer.lut.name}".rstrip()
    elif window.function is VoiFunction.SIGMOID:
        words += "  sigmoid"
    return "  ".join((words, *notes))


def _number(value: float, width: float) -> str:
    """Write a number of a window so that its last digit matters against the width."""
    if width >= _WIDEST or width < _NARROWEST:
        return f"{value:.4g}"
    return f"{value:.0f}" if width >= _WHOLE else f"{value:.3f}"


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
