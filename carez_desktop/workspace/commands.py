"""Every command of the workstation in one table: what it is called, its keys, where it works.

Menus, tooltips, the list of keys, the palette and the page that binds keys anew are all made from
this table. What a command does is registered in a `CommandRegistry`; which keys run it now, in a
`KeyMap`.
"""

from __future__ import annotations

from dataclasses import dataclass

SCOPES = {"view": "View", "library": "Library", "window": "Everywhere"}
"""Where commands work -> what the place is called."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can do from the keyboard.

    Attributes:
        id: Stable snake-case name.
        title: Words for menus, tooltips and the list of keys.
        keys: Key sequences in Qt's portable text (`Ctrl+1`, `PgDown`), before they are bound anew.
        scope: `window` works on every page, `view` where a pane shows a volume, `library` in the
            list of studies.
        group: Heading in menus and lists.
        needs: Name of the condition under which it can run; "" for always.
        is_held: It acts when its key goes down and again when the key comes up.
        undoable: Ctrl+Z takes back what it did to the view.
        words: Other words under which a person may look for it.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    scope: str
    group: str = ""
    needs: str = ""
    is_held: bool = False
    undoable: bool = False
    words: str = ""


def _view(
    group: str,
    needs: str,
    *rows: tuple[str, str, tuple[str, ...]] | tuple[str, str, tuple[str, ...], str],
    undoable: bool = False,
) -> tuple[Command, ...]:
    """Return the commands of one group of the View page."""
    return tuple(
        Command(
            row[0],
            row[1],
            row[2],
            "view",
            group,
            needs,
            undoable=undoable,
            words=row[3] if len(row) > 3 else "",
        )
        for row in rows
    )


_SLICES: tuple[Command, ...] = (
    *_view(
        "Slices",
        "volume",
        ("slice_next", "Next slice", ("Down",)),
        ("slice_previous", "Previous slice", ("Up",)),
        ("slice_skip_forward", "Ten slices on", ("Shift+Down",)),
        ("slice_skip_back", "Ten slices back", ("Shift+Up",)),
        ("slice_first", "First slice", ("Home",)),
        ("slice_last", "Last slice", ("End",)),
    ),
    *_view(
        "Slices",
        "series",
        ("series_next", "Next series", ("PgDown",)),
        ("series_previous", "Previous series", ("PgUp",)),
    ),
    *_view(
        "Slices",
        "frames",
        ("cine", "Play or stop", ("C",), "cine loop slices frames film"),
        ("cine_faster", "Play faster", ("]",), "cine frame rate"),
        ("cine_slower", "Play slower", ("[",), "cine frame rate"),
    ),
    *_view(
        "Slices",
        "time",
        ("time_next", "Next point in time", ("Right",), "4-D dynamic phase"),
        ("time_previous", "Previous point in time", ("Left",), "4-D dynamic phase"),
    ),
)

_PICTURE: tuple[Command, ...] = (
    *_view(
        "Picture",
        "volume",
        ("fit", "Fit the picture into the pane", ("=",), "zoom"),
        ("one_to_one", "One pixel to one of the screen", ("Z",), "zoom 1:1"),
        ("zoom_in", "Magnify", ("+",), "zoom in"),
        ("zoom_out", "Make smaller", ("-",), "zoom out"),
        ("invert", "Invert black and white", ("I",)),
        ("flip_horizontal", "Mirror left and right", ("H",), "flip"),
        ("flip_vertical", "Mirror up and down", ("V",), "flip"),
        ("turn_right", "Turn right by a quarter", ("R",), "rotate 90"),
        ("turn_left", "Turn left by a quarter", ("Shift+R",), "rotate 90"),
        ("interpolation", "Smooth or plain pixels", ("N",), "interpolation nearest linear"),
        ("reset", "Reset window and zoom", ("Space",)),
        undoable=True,
    ),
    *_view(
        "Planes",
        "planes",
        ("plane_axial", "Axial plane", ("Shift+A",)),
        ("plane_sagittal", "Sagittal plane", ("Shift+S",)),
        ("plane_coronal", "Coronal plane", ("Shift+C",)),
        ("oblique_left", "Turn the plane to the left", ("Alt+Left",), "oblique rotate"),
        ("oblique_right", "Turn the plane to the right", ("Alt+Right",), "oblique rotate"),
        ("oblique_up", "Tip the plane up", ("Alt+Up",), "oblique rotate"),
        ("oblique_down", "Tip the plane down", ("Alt+Down",), "oblique rotate"),
        ("oblique_reset", "Straighten an oblique plane", ("Alt+Home",), "rotate"),
        ("slab_mode", "Thin, MIP, MinIP, mean", ("S",), "slab thick"),
        ("slab_thicker", "Thicker slab", (".",), "slab mip"),
        ("slab_thinner", "Thinner slab", (",",), "slab mip"),
        undoable=True,
    ),
)

_GREYS: tuple[Command, ...] = _view(
    "Grey and colour",
    "volume",
    ("preset_1", "First window preset", ("1",)),
    ("preset_2", "Second window preset", ("2",)),
    ("preset_3", "Third window preset", ("3",)),
    ("preset_4", "Fourth window preset", ("4",)),
    ("preset_5", "Fifth window preset", ("5",)),
    ("full_range", "Show every value", ("0",), "window level"),
    ("file_window", "Next window of the file", ("`", "W"), "voi level"),
    ("auto_window", "Window by percentiles", ("A",), "auto level"),
    ("colour_map_next", "Next colour map", ("M",), "color"),
    undoable=True,
)

_COMPARE: tuple[Command, ...] = (
    *_view(
        "Compare",
        "second",
        ("compare_off", "Show one volume", ("Esc",), "compare none end"),
        ("compare_swipe", "Swipe curtain", ("Q",), "compare wipe"),
        ("compare_checkerboard", "Checkerboard", ("K",), "compare chess"),
        ("compare_blend", "Blend", ("B",), "compare opacity fade"),
        ("compare_difference", "Difference map", ("D",), "compare subtract"),
        ("compare_more", "More curtain or blend", ("Shift+Right",), "opacity tiles"),
        ("compare_less", "Less curtain or blend", ("Shift+Left",), "opacity tiles"),
        undoable=True,
    ),
    Command(
        "flicker",
        "Flicker while held",
        ("F",),
        "view",
        "Compare",
        "second",
        is_held=True,
        words="compare toggle other volume",
    ),
    *_view(
        "Links",
        "volume",
        ("link_position", "Link the position", ("L",), "scroll crosshair"),
        ("link_view", "Link zoom and movement", ("Shift+L",), "pan"),
        ("link_window", "Link the window", ("Ctrl+L",), "level"),
    ),
    *_view(
        "Links",
        "volume",
        ("register", "Register the two volumes", ("Ctrl+R",), "registration align"),
        ("line_profile", "Line profile", ("G",), "plot graph"),
    ),
    *_view(
        "Links",
        "second",
        ("joint_histogram", "Joint histogram", ("J",), "plot mutual information"),
    ),
)

_SCREEN: tuple[Command, ...] = (
    *_view(
        "On screen",
        "",
        ("hide_identity", "Hide the patient's identity", ("P",), "show name anonymous privacy"),
        ("corner_texts", "Texts in the corners", ("T",), "show hide annotations"),
    ),
    *_view(
        "On screen",
        "volume",
        ("crosshair", "Crosshair", ("X",), "lines"),
        ("overlays", "Graphics of the source", ("O",)),
        ("colour_bar", "Colour bar", ("Shift+M",), "scale legend"),
        ("export_picture", "Save a picture of the pane", ("Ctrl+E",), "png export screenshot"),
    ),
    *_view(
        "On screen",
        "frames",
        ("export_cine", "Save a film", ("Ctrl+Shift+E",), "gif mp4 movie slices frames export"),
    ),
)

_LAYOUT: tuple[Command, ...] = (
    *_view(
        "Layout",
        "",
        ("layout_1", "One pane", ("Alt+1",), "layout 1x1"),
        ("layout_2", "Two panes side by side", ("Alt+2",), "layout 1x2"),
        ("layout_3", "One large, two small panes", ("Alt+3",), "layout 1+2"),
        ("layout_4", "Four panes", ("Alt+4",), "layout 2x2"),
        ("layout_5", "Three planes beside three", ("Alt+5",), "layout 3|3 two volumes studies"),
        ("layout_6", "Three planes over three", ("Alt+6",), "layout 3/3 two volumes studies"),
        undoable=True,
    ),
    *_view(
        "Layout",
        "panes",
        ("maximise", "Maximise the pane", ("Return",)),
        ("pane_next", "Next pane", ("Ctrl+Right",)),
        ("pane_previous", "Previous pane", ("Ctrl+Left",)),
    ),
    *_view(
        "Layout",
        "",
        ("fold_panel", "Fold the panel on the right", ("Tab",), "sidebar"),
        ("fold_strip", "Fold the series on the left", ("Ctrl+B",), "thumbnails strip sidebar"),
        ("second_window", "Second window", ("Ctrl+Shift+N",), "monitor screen"),
        ("edit_hanging", "Edit the hanging protocol", (), "layout rules copy"),
    ),
)

_LIBRARY: tuple[Command, ...] = (
    Command("search", "Search the library", ("Ctrl+F",), "library", "Library"),
    Command("open_row", "Open the chosen series", ("Return",), "library", "Library", "row"),
    Command(
        "compare_rows", "Compare two chosen series", ("Ctrl+Return",), "library", "Library",
        "two_rows",
    ),
    Command("copy_rows", "Copy the chosen rows", ("Ctrl+C",), "library", "Library", "rows"),
    Command("tag_rows", "Tag the chosen series", ("Ctrl+T",), "library", "Library", "rows"),
    Command(
        "remove_rows", "Remove the chosen series", ("Del",), "library", "Library",
        "rows", words="delete",
    ),
    Command(
        "rescan", "Look for moved files", ("F5",), "library", "Library",
        words="refresh rescan vanished",
    ),
    Command("choose_labels", "Labels from a CSV", (), "library", "Library", words="outcomes"),
    Command(
        "unreadable", "Files that could not be read", (), "library", "Library", words="errors"
    ),
    Command("simulate", "Make simulated studies", (), "library", "Library", words="demo phantom"),
)  # fmt: skip

_WINDOW: tuple[Command, ...] = (
    Command("palette", "Find a command", ("Ctrl+K",), "window", "Workstation", words="search"),
    Command(
        "show_keys", "Show all keys", ("?", "F1"), "window", "Workstation", words="help shortcuts"
    ),
    Command(
        "settings", "Settings", ("Ctrl+,",), "window", "Workstation",
        words="preferences options bind keys texts units",
    ),
    Command("show_menu", "Menu", ("F10",), "window", "Workstation"),
    Command("undo", "Undo", ("Ctrl+Z",), "window", "Workstation", "undo", words="take back"),
    Command(
        "redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "window", "Workstation", "redo", words="again"
    ),
    Command(
        "import_folder", "Import a folder", ("Ctrl+O",), "window", "Workstation", words="open load"
    ),
    Command(
        "import_files", "Import files or a ZIP", ("Ctrl+Shift+O",), "window",
        "Workstation", words="open load nifti nrrd dicomdir",
    ),
    Command(
        "full_screen", "Full screen", ("F11",), "window", "Workstation", words="maximise"
    ),
    Command("quit", "Quit", ("Ctrl+Q",), "window", "Workstation", words="exit close"),
    Command("page_1", "Library", ("Ctrl+1",), "window", "Pages"),
    Command("page_2", "View", ("Ctrl+2",), "window", "Pages"),
    Command("page_3", "Coverage", ("Ctrl+3",), "window", "Pages"),
    Command("page_4", "Generate", ("Ctrl+4",), "window", "Pages"),
    Command("page_5", "Evaluate", ("Ctrl+5",), "window", "Pages"),
    Command("page_6", "Bundles", ("Ctrl+6",), "window", "Pages"),
)  # fmt: skip

COMMANDS: tuple[Command, ...] = (
    *_SLICES,
    *_PICTURE,
    *_GREYS,
    *_COMPARE,
    *_SCREEN,
    *_LAYOUT,
    *_LIBRARY,
    *_WINDOW,
)

CONDITIONS: dict[str, str] = {
    "volume": "Open a volume first",
    "planes": "The volume has no other planes",
    "frames": "There is only one slice",
    "time": "The series has one point in time",
    "series": "The library lists no other series",
    "panes": "There is only one pane",
    "second": "The pane compares nothing: choose a second volume",
    "row": "Choose one series",
    "rows": "Choose series first",
    "two_rows": "Choose two series",
    "undo": "There is nothing to undo",
    "redo": "There is nothing to redo",
}
"""Conditions that commands need -> what to say where nobody says more."""

MOUSE: tuple[tuple[str, str], ...] = (
    ("Left button", "Window: width, level"),
    ("Middle button", "Move the picture"),
    ("Right button", "Zoom: up magnifies"),
    ("Wheel", "Slices"),
    ("Ctrl + wheel", "Zoom at the pointer"),
    ("Double click", "Maximise the pane"),
    ("Ctrl + drag", "Window from a region"),
    ("Alt + drag", "Line profile"),
    ("Drag a line", "Move or turn the planes"),
    ("Shift + move", "Linked crosshair"),
    ("Two fingers", "Slices; Shift moves"),
    ("Pinch", "Zoom at the fingers"),
)

_BY_ID = {entry.id: entry for entry in COMMANDS}


def command(name: str) -> Command:
    """Return the command of an id.

    Raises:
        KeyError: There is none.
    """
    return _BY_ID[name]


def do_overlap(first: str, second: str) -> bool:
    """Whether two scopes are ever in force at once, so that they cannot share a key."""
    return first == second or "window" in (first, second)


def groups() -> dict[str, tuple[Command, ...]]:
    """Return every heading with its commands, in the order of the table."""
    found: dict[str, list[Command]] = {}
    for entry in COMMANDS:
        found.setdefault(entry.group, []).append(entry)
    return {name: tuple(entries) for name, entries in found.items()}
