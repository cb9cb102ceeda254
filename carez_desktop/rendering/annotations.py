"""What is written and drawn over a pane, as plain data; whoever paints decides on the looks."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.domain.patient_space import FloatArray, orientation_letters
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.annotations_text import size_text, spacing_text
from carez_desktop.rendering.slice_pipeline import value_at
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.viewport import Plane, Viewport

SYNTHETIC_BADGE = "SYNTHETIC"
STAND_IN_BADGE = "SIMULATED"
_RULER_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_RULER_SHARE = 0.3


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
        badge: `SYNTHETIC`; `SIMULATED` for a phantom that plays real; "" for a real volume.
        cursor: Logical pixel of the crosshair.
        pixels_per_voxel: Magnification of the in-plane voxels.
    """

    plane: Plane
    letters: EdgeLetters
    ruler: Ruler
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
    """Write the modality value of the voxel at a point; "" outside the volume."""
    value = value_at(volume, point_lps)
    if value is None:
        return ""
    unit = "" if volume.units in ("arbitrary", "label", "") else f" {volume.units}"
    return f"{value:g}{unit}" if volume.array.dtype.kind != "f" else f"{value:.4g}{unit}"


def badge_of(layer: Layer) -> str:
    """Return the badge that a pane must carry; "" for none."""
    if layer.is_synthetic:
        return SYNTHETIC_BADGE
    return STAND_IN_BADGE if layer.is_stand_in else ""


def annotate(viewport: Viewport, layer: Layer) -> PaneAnnotations:
    """Return what to write over a pane."""
    volume = layer.volume
    window = layer.window
    geometry = volume.geometry
    value = value_text(volume, viewport.cursor_lps)
    digits = 0 if window.width >= 20 else 3
    plane = viewport.plane.value.capitalize()
    bottom_left = (
        f"{value}   {position_text(viewport.cursor_lps)}" if value else "",
        f"C {window.center:.{digits}f}  W {window.width:.{digits}f}"
        + ("  inverted" if layer.inverted else ""),
    )
    return PaneAnnotations(
        plane=viewport.plane,
        letters=edge_letters(viewport),
        ruler=ruler(viewport),
        lines=plane_lines(viewport),
        cursor=viewport.lps_to_pixel(viewport.cursor_lps),
        badge=badge_of(layer),
        top_left=(layer.title, plane if badge_of(layer) else f"{plane}, {layer.kind_text}"),
        bottom_left=tuple(line for line in bottom_left if line),
        bottom_right=(
            size_text(geometry.shape),
            f"{spacing_text(geometry.spacing_mm)} mm",
            f"{viewport.slice_number} / {viewport.slice_count}",
        ),
    )
