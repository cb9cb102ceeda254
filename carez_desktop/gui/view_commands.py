"""The commands of the View page and when they can run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carez_desktop.workspace.layouts import LAYOUTS
from carez_desktop.workspace.plane_basis import Plane, rotation_about

if TYPE_CHECKING:
    from carez_desktop.gui.session import Session
    from carez_desktop.gui.view_page import ViewPage

_TURN = np.radians(5.0)
_RATE_STEP = 1.25


def register_view_commands(page: ViewPage, session: Session) -> None:
    """Register what the keys and menus of the View page do."""
    commands = session.commands
    commands.register_all(
        {
            **page.actions_of_keys.table(),
            "series_next": partial(page.step_series, 1),
            "series_previous": partial(page.step_series, -1),
            "fold_panel": page.fold_panel,
            "fold_strip": page.fold_strip,
            "colour_bar": page.grid.toggle_colour_bar,
            "second_window": page.open_second_window,
            "pane_next": partial(_step_pane, page, 1),
            "pane_previous": partial(_step_pane, page, -1),
            "time_next": partial(page.times.step, 1),
            "time_previous": partial(page.times.step, -1),
            "cine_faster": partial(_change_rate, page, _RATE_STEP),
            "cine_slower": partial(_change_rate, page, 1.0 / _RATE_STEP),
            "oblique_left": partial(_turn_plane, page, "down", _TURN),
            "oblique_right": partial(_turn_plane, page, "down", -_TURN),
            "oblique_up": partial(_turn_plane, page, "right", _TURN),
            "oblique_down": partial(_turn_plane, page, "right", -_TURN),
            "oblique_reset": partial(_straighten, page),
            **{f"plane_{plane.value}": partial(page.show_plane, plane) for plane in Plane},
            **{
                f"layout_{number}": partial(page.set_layout, layout)
                for number, layout in enumerate(LAYOUTS, start=1)
            },
        }
    )
    for name, refusal in (
        ("volume", _without_volume),
        ("planes", _without_planes),
        ("frames", _without_frames),
        ("panes", _without_panes),
        ("time", _without_times),
    ):
        commands.set_condition(name, partial(refusal, page))
    commands.set_condition("series", page.without_series)


def _step_pane(page: ViewPage, by: int) -> None:
    arrangement = page.current.arrangement
    index = (arrangement.active + by) % len(arrangement.panes)
    if arrangement.maximised is not None:
        arrangement.maximise(index)
    arrangement.activate(index)
    page.current.active_widget().setFocus()


def _change_rate(page: ViewPage, factor: float) -> None:
    page.set_frame_rate(page.actions_of_keys.rate * factor)


def _turn_plane(page: ViewPage, axis: str, angle: float) -> None:
    """Turn the plane of the active pane about an edge of its picture."""
    viewport = page.current.arrangement.active_pane.viewport
    if viewport is not None:
        viewport.rotate(rotation_about(getattr(viewport, axis), angle))


def _straighten(page: ViewPage) -> None:
    for pane in page.current.arrangement.panes:
        if pane.viewport is not None:
            pane.viewport.reset_plane()


def _without_volume(page: ViewPage) -> str:
    return "" if page.current.arrangement.layers else "Open a volume first"


def _without_planes(page: ViewPage) -> str:
    base = page.current.arrangement.active_pane.base
    return base.layer.plane_refusal if base is not None else "The pane shows nothing"


def _without_frames(page: ViewPage) -> str:
    viewport = page.current.arrangement.active_pane.viewport
    return "" if viewport is not None and viewport.slice_count > 1 else "There is only one slice"


def _without_panes(page: ViewPage) -> str:
    return "" if len(page.current.arrangement.panes) > 1 else "There is only one pane"


def _without_times(page: ViewPage) -> str:
    return "" if page.times.points else "The series has one point in time"
