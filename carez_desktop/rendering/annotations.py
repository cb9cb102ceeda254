"""What is written and drawn over a pane, as plain data; whoever paints decides on the looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carez_desktop.domain.patient_space import FloatArray, orientation_letters
from carez_desktop.rendering.corner_texts import corner_texts
from carez_desktop.workspace.display_options import Corner, DisplayOptions, LengthUnit
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.pane import Pane, PlacedLayer
from carez_desktop.workspace.plane_basis import Plane
from carez_desktop.workspace.viewport import Viewport

SYNTHETIC_BADGE = "SYNTHETIC"
STAND_IN_BADGE = "SIMULATED"
_RULER_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_RULER_SHARE = 0.3
_USUAL = DisplayOptions()
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
    unit: LengthUnit = LengthUnit.AUTO

    @property
    def label(self) -> str:
        """The length in words."""
        is_round = self.length_mm >= 10 and self.length_mm % 10 == 0
        if self.unit is LengthUnit.CENTIMETRES or (self.unit is LengthUnit.AUTO and is_round):
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
    top_right: tuple[str, ...]
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


def ruler(viewport: Viewport, unit: LengthUnit = LengthUnit.AUTO) -> Ruler:
    """Return the longest round length that takes at most three tenths of the pane's height."""
    room = viewport.size[1] * _RULER_SHARE * viewport.mm_per_pixel
    length = max((value for value in _RULER_LENGTHS_MM if value <= room), default=1)
    return Ruler(float(length), length / viewport.mm_per_pixel, unit)


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
    options: DisplayOptions = _USUAL,
) -> PaneAnnotations:
    """Return what to write over a pane.

    Args:
        viewport: Of the pane.
        layer: What it shows.
        others: Viewports linked with it, for the lines of their planes.
        to_layer: (4, 4) pane space to the layer's own LPS mm; None where they are the same.
        second: Compared with the layer and to be seen: its value is told, and its badge counts.
        options: What stands in which corner, and in which units.
    """
    is_plain = not layer.plane_refusal
    badges = {badge_of(layer), badge_of(second.layer) if second is not None else ""}
    texts = corner_texts(
        viewport,
        layer,
        options,
        to_layer=to_layer,
        second=second,
        has_badge=bool(badge_of(layer)),
    )
    return PaneAnnotations(
        plane=viewport.plane,
        letters=edge_letters(viewport) if layer.is_positioned else None,
        ruler=ruler(viewport, options.length_unit) if layer.is_calibrated else None,
        lines=plane_lines(viewport, others) if is_plain else (),
        cursor=viewport.lps_to_pixel(viewport.cursor_lps),
        badge=next((b for b in (SYNTHETIC_BADGE, STAND_IN_BADGE) if b in badges), ""),
        top_left=texts[Corner.TOP_LEFT],
        top_right=texts[Corner.TOP_RIGHT],
        bottom_left=texts[Corner.BOTTOM_LEFT],
        bottom_right=texts[Corner.BOTTOM_RIGHT],
    )


def annotate_pane(
    pane: Pane, others: Sequence[Viewport] = (), options: DisplayOptions = _USUAL
) -> PaneAnnotations | None:
    """Return what to write over a pane of the workspace; None while it is empty."""
    if pane.base is None or pane.viewport is None:
        return None
    second = pane.second if pane.is_comparing else None
    to_layer = pane.base.to_layer
    return annotate(
        pane.viewport,
        pane.base.layer,
        others=others,
        to_layer=to_layer,
        second=second,
        options=options,
    )
