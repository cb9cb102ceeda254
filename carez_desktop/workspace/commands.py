"""Every command of the workstation in one table: what it is called, its keys, where it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can do from the keyboard.

    Attributes:
        id: Stable snake-case name.
        title: Words for menus, tooltips and the list of keys.
        keys: Key sequences in Qt's portable text (`Ctrl+1`, `PgDown`).
        scope: `window` works on every page, `view` where a pane shows a volume, `library` in the
            list of studies.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    scope: str


COMMANDS: tuple[Command, ...] = (
    Command("slice_next", "Next slice", ("Down",), "view"),
    Command("slice_previous", "Previous slice", ("Up",), "view"),
    Command("slice_first", "First slice", ("Home",), "view"),
    Command("slice_last", "Last slice", ("End",), "view"),
    Command("series_next", "Next series", ("PgDown",), "view"),
    Command("series_previous", "Previous series", ("PgUp",), "view"),
    Command("invert", "Invert black and white", ("I",), "view"),
    Command("flip_horizontal", "Mirror left and right", ("H",), "view"),
    Command("flip_vertical", "Mirror up and down", ("V",), "view"),
    Command("cine", "Play or stop the slices or frames", ("C",), "view"),
    Command("overlays", "Show or hide the source's graphics", ("O",), "view"),
    Command("reset", "Reset window, zoom and mirror", ("Space",), "view"),
    Command("preset_1", "First window preset", ("1",), "view"),
    Command("preset_2", "Second window preset", ("2",), "view"),
    Command("preset_3", "Third window preset", ("3",), "view"),
    Command("preset_4", "Fourth window preset", ("4",), "view"),
    Command("preset_5", "Fifth window preset", ("5",), "view"),
    Command("full_range", "Show every value", ("0",), "view"),
    Command("maximise", "Maximise the pane (also a double click)", ("Return",), "view"),
    Command("fold_panel", "Fold the panel on the right", ("Tab",), "view"),
    Command("search", "Search the library", ("Ctrl+F",), "library"),
    Command("open_row", "Open the chosen series", ("Return",), "library"),
    Command("copy_rows", "Copy the chosen rows", ("Ctrl+C",), "library"),
    Command("remove_rows", "Remove the chosen series from the library", ("Del",), "library"),
    Command("show_keys", "Show all keys", ("?",), "window"),
    Command("page_1", "Library", ("Ctrl+1",), "window"),
    Command("page_2", "View", ("Ctrl+2",), "window"),
    Command("page_3", "Coverage", ("Ctrl+3",), "window"),
    Command("page_4", "Generate", ("Ctrl+4",), "window"),
    Command("page_5", "Evaluate", ("Ctrl+5",), "window"),
    Command("page_6", "Bundles", ("Ctrl+6",), "window"),
    Command("import_folder", "Import a folder", ("Ctrl+O",), "window"),
    Command("quit", "Quit", ("Ctrl+Q",), "window"),
)

MOUSE: tuple[tuple[str, str], ...] = (
    ("Left button", "Window: right widens, down brightens the centre"),
    ("Middle button", "Move the picture"),
    ("Right button", "Zoom: up magnifies"),
    ("Wheel", "Slices"),
    ("Ctrl + wheel", "Zoom at the pointer"),
    ("Double click", "Maximise the pane"),
    ("Shift + move", "Crosshair in every linked pane"),
)


def command(name: str) -> Command:
    """Return the command of an id.

    Raises:
        KeyError: There is none.
    """
    for entry in COMMANDS:
        if entry.id == name:
            return entry
    raise KeyError(name)


def tooltip(name: str) -> str:
    """Return a command's title and its first key, for a tooltip."""
    entry = command(name)
    return f"{entry.title} ({entry.keys[0]})" if entry.keys else entry.title
