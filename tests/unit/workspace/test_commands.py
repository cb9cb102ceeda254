"""The one table of commands, what they do, and which keys run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.workspace.command_registry import CommandRegistry
from carez_desktop.workspace.commands import COMMANDS, CONDITIONS, SCOPES, command, groups
from carez_desktop.workspace.key_map import KeyMap
from carez_desktop.workspace.keys_file import KEYS_FILE, load_key_map, save_key_map

# DESIGN section 9.
PROMISED = {
    "slice_next": "Down",
    "slice_previous": "Up",
    "series_next": "PgDown",
    "series_previous": "PgUp",
    "slice_first": "Home",
    "slice_last": "End",
    "invert": "I",
    "flip_horizontal": "H",
    "flip_vertical": "V",
    "cine": "C",
    "reset": "Space",
    "undo": "Ctrl+Z",
    "redo": "Ctrl+Shift+Z",
    "full_range": "0",
    "show_keys": "?",
    "palette": "Ctrl+K",
    **{f"preset_{number}": str(number) for number in range(1, 6)},
}


def test_ids_are_unique_and_rows_are_whole() -> None:
    assert len({entry.id for entry in COMMANDS}) == len(COMMANDS)
    for entry in COMMANDS:
        assert entry.scope in SCOPES, entry.id
        assert entry.title[:1].isupper(), entry.id
        assert entry.group, entry.id
        assert not entry.needs or entry.needs in CONDITIONS, entry.id
    assert sum(len(entries) for entries in groups().values()) == len(COMMANDS)


def test_keys_are_those_of_the_design() -> None:
    assert {name: command(name).keys[0] for name in PROMISED} == PROMISED


def test_no_two_commands_of_one_place_share_a_key() -> None:
    assert KeyMap().conflicts() == ()


def test_a_command_runs_only_where_it_works() -> None:
    commands, ran = CommandRegistry(), []
    assert commands.refusal("quit") == "Not available here"
    commands.register("invert", lambda: ran.append("invert"))
    commands.register("quit", lambda: ran.append("quit"))
    assert commands.run("invert") == "Works on the View page"
    commands.enter("view")
    assert commands.run("invert") == "Open a volume first"
    commands.set_condition("volume", lambda: "")
    assert commands.run("invert") == "" == commands.run("quit")
    assert ran == ["invert", "quit"]


def test_a_condition_says_its_own_reason() -> None:
    commands = CommandRegistry()
    commands.enter("view")
    commands.register("plane_axial", lambda: None)
    commands.set_condition("planes", lambda: "The slices are 12 mm apart")
    assert commands.refusal("plane_axial") == "The slices are 12 mm apart"
    with pytest.raises(KeyError):
        commands.set_condition("moonshine", str)
    with pytest.raises(KeyError):
        commands.register("moonshine", lambda: None)


def test_held_commands_are_let_go_once_and_with_their_page() -> None:
    commands, told = CommandRegistry(), []
    commands.enter("view")
    commands.set_condition("second", lambda: "")
    commands.register("flicker", lambda: told.append(1), released=lambda: told.append(0))
    commands.run("flicker")
    commands.release("flicker")
    commands.release("flicker")
    assert told == [1, 0]
    commands.run("flicker")
    commands.enter("library")
    assert told == [1, 0, 1, 0]


def test_switches_tell_their_state_and_runs_are_told() -> None:
    commands, told = CommandRegistry(), []
    commands.starting.connect(lambda name: told.append(("before", name)))
    commands.done.connect(lambda name: told.append(("after", name)))
    commands.register("full_screen", lambda: told.append(("now", "")), checked=lambda: True)
    assert commands.is_checked("full_screen") is True
    assert commands.is_checked("quit") is None
    commands.run("full_screen")
    assert told == [("before", "full_screen"), ("now", ""), ("after", "full_screen")]


def test_binding_takes_the_key_from_whoever_had_it() -> None:
    keys = KeyMap()
    assert keys.command_of("I", "view") == "invert"
    assert [entry.id for entry in keys.users_of("I", "cine")] == ["invert"]
    keys.bind("cine", ("I", "F9"))
    assert keys.command_of("I", "view") == "cine" == keys.command_of("F9", "view")
    assert keys.keys_of("invert") == ()
    assert keys.command_of("C", "view") == ""
    assert keys.conflicts() == ()
    assert keys.tooltip("invert") == "Invert black and white"
    keys.reset("invert")
    assert keys.command_of("I", "view") == "invert"
    assert keys.keys_of("cine") == ("F9",)
    keys.reset_all()
    assert keys.bound == {}


def test_a_key_of_every_page_stands_against_those_of_one() -> None:
    keys = KeyMap()
    # Return opens a row in the library and maximises a pane: never both at once.
    assert [entry.id for entry in keys.users_of("Return", "quit")] == ["maximise", "open_row"]
    assert keys.users_of("Return", "maximise") == ()
    assert keys.command_of("Ctrl+Q", "coverage") == "quit"
    assert keys.command_of("I", "coverage") == ""


def test_keys_come_back_from_their_file(tmp_path: Path) -> None:
    keys = KeyMap()
    keys.bind("invert", ("Ctrl+I", "+"))
    save_key_map(tmp_path, keys)
    again, findings = load_key_map(tmp_path)
    assert findings == ()
    assert again.bound == keys.bound == {"invert": ("Ctrl+I", "+"), "zoom_in": ()}
    assert load_key_map(tmp_path / "nowhere")[0].bound == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version = 1\n[keys", "keys_unreadable"),
        ("version = 9", "keys_version"),
        ("version = 1\nkeys = 3", "keys_not_keys"),
        ("version = 1\n[keys]\nmoonshine = ['X']", "keys_unknown_command"),
        ("version = 1\n[keys]\ninvert = [3]", "keys_not_keys"),
        ("version = 1\n[keys]\ninvert = 'X'", "keys_not_keys"),
        ("version = 1\n[keys]\ninvert = ['C']", "keys_shared"),
    ],
)
def test_a_spoilt_file_is_told_and_the_rest_is_used(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / KEYS_FILE).write_text(text)
    keys, findings = load_key_map(tmp_path)
    assert [finding.code for finding in findings] == [code]
    assert keys.command_of("Ctrl+Q", "view") == "quit"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / KEYS_FILE).write_bytes(b"\xff\xfe\x00")
    assert load_key_map(tmp_path)[1][0].code == "keys_unreadable"
