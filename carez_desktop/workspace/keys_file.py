"""The keys that a person bound, kept as `keys.toml` in the home folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.system.file_safety import atomic_output
from carez_desktop.workspace.commands import COMMANDS
from carez_desktop.workspace.key_map import KeyMap

KEYS_FILE = "keys.toml"
KEYS_VERSION = 1
_LONGEST_KEY = 40


def load_key_map(home: Path) -> tuple[KeyMap, tuple[Finding, ...]]:
    """Read the keys of a home folder.

    What cannot be used is passed over and told, so that a spoilt file never keeps the workstation
    from starting.

    Returns:
        The keys, those of the table where the file says nothing, and what was passed over.
    """
    path = home / KEYS_FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return KeyMap(), ()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        text = f"The keys cannot be read ({error}); the program's own are used"
        return KeyMap(), (_finding("keys_unreadable", text),)
    if raw.get("version") != KEYS_VERSION:
        text = f"The keys are of version {raw.get('version')}, not {KEYS_VERSION}, and not used"
        return KeyMap(), (_finding("keys_version", text),)
    return _key_map(raw.get("keys", {}))


def _key_map(table: object) -> tuple[KeyMap, tuple[Finding, ...]]:
    if not isinstance(table, dict):
        return KeyMap(), (_finding("keys_not_keys", "The keys are not a table of commands"),)
    known = {entry.id: entry.title for entry in COMMANDS}
    bound, findings = {}, []
    for name, wanted in table.items():
        if name not in known:
            findings.append(_finding("keys_unknown_command", f"There is no command “{name}”"))
        elif not _are_keys(wanted):
            text = f"The keys of “{known[name]}” are not a list of keys"
            findings.append(_finding("keys_not_keys", text))
        else:
            bound[name] = tuple(wanted)
    keys = KeyMap(bound)
    for key, first, second in keys.conflicts():
        text = f"{key} stands for “{first.title}” and “{second.title}”; it runs the first"
        findings.append(_finding("keys_shared", text))
    return keys, tuple(findings)


def save_key_map(home: Path, keys: KeyMap) -> None:
    """Write the keys that are not the table's.

    Raises:
        StorageError: When the home folder cannot be written.
    """
    import tomli_w

    bound = {name: list(held) for name, held in keys.bound.items()}
    text = tomli_w.dumps({"version": KEYS_VERSION, "keys": bound})
    with atomic_output(home / KEYS_FILE, "the keys") as part:
        part.write_text(text, encoding="utf-8")


def _are_keys(wanted: object) -> bool:
    return isinstance(wanted, list) and all(
        isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY for key in wanted
    )


def _finding(code: str, text: str) -> Finding:
    return Finding(Severity.WARNING, code, KEYS_FILE, text)
