"""What is written over panes, kept as `display.toml` in the home folder."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.system.file_safety import atomic_output
from carez_desktop.workspace.display_options import (
    CORNER_FIELDS,
    Corner,
    DisplayOptions,
    LengthUnit,
    PositionStyle,
)

DISPLAY_FILE = "display.toml"
DISPLAY_VERSION = 1

Choice = TypeVar("Choice", bound=StrEnum)


def load_display(home: Path) -> tuple[DisplayOptions, tuple[Finding, ...]]:
    """Read the options of a home folder.

    What cannot be used is passed over and told: a spoilt file never keeps the workstation from
    starting, and never shows an identity that was to be hidden.

    Returns:
        The options, and what was passed over.
    """
    try:
        raw = tomllib.loads((home / DISPLAY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DisplayOptions(), ()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        text = f"The texts over panes cannot be read ({error}); identity is hidden to be safe"
        return DisplayOptions(hides_identity=True), (_finding("display_unreadable", text),)
    if raw.get("version") != DISPLAY_VERSION:
        text = f"The texts over panes are of version {raw.get('version')}, not {DISPLAY_VERSION}"
        return DisplayOptions(hides_identity=True), (_finding("display_version", text),)
    findings: list[Finding] = []
    options = DisplayOptions(
        corners=_corners(raw.get("corners"), findings),
        shows_corners=_flag(raw, "shows_corners", True, findings),
        hides_identity=_flag(raw, "hides_identity", False, findings),
        length_unit=_choice(raw, "length_unit", LengthUnit.AUTO, findings),
        position_style=_choice(raw, "position_style", PositionStyle.LETTERS, findings),
    )
    return options, tuple(findings)


def save_display(home: Path, options: DisplayOptions) -> None:
    """Write the options.

    Raises:
        StorageError: When the home folder cannot be written.
    """
    import tomli_w

    document = {
        "version": DISPLAY_VERSION,
        "shows_corners": options.shows_corners,
        "hides_identity": options.hides_identity,
        "length_unit": options.length_unit.value,
        "position_style": options.position_style.value,
        "corners": {corner.value: list(names) for corner, names in options.corners.items()},
    }
    with atomic_output(home / DISPLAY_FILE, "the texts over panes") as part:
        part.write_text(tomli_w.dumps(document), encoding="utf-8")


def _corners(raw: object, findings: list[Finding]) -> dict[Corner, tuple[str, ...]]:
    usual = DisplayOptions().corners
    if raw is None:
        return usual
    if not isinstance(raw, dict):
        findings.append(_finding("display_corners", "The corners are not a table"))
        return usual
    known = {entry.id for entry in CORNER_FIELDS}
    found: dict[Corner, tuple[str, ...]] = {}
    seen: set[str] = set()
    for corner in Corner:
        names = raw.get(corner.value, [])
        usable = [name for name in names if name in known] if isinstance(names, list) else []
        if not isinstance(names, list) or len(usable) != len(names):
            text = f"The corner {corner.value} names something that cannot be shown"
            findings.append(_finding("display_corners", text))
        found[corner] = tuple(name for name in dict.fromkeys(usable) if name not in seen)
        seen.update(usable)
    return found


def _flag(raw: dict[str, object], name: str, usual: bool, findings: list[Finding]) -> bool:
    value = raw.get(name, usual)
    if isinstance(value, bool):
        return value
    findings.append(_finding("display_value", f"{name} is neither true nor false"))
    # What says who a patient is stays away when in doubt.
    return True if name == "hides_identity" else usual


def _choice(raw: dict[str, object], name: str, usual: Choice, findings: list[Finding]) -> Choice:
    value = raw.get(name, usual.value)
    for choice in type(usual):
        if choice.value == value:
            return choice
    findings.append(_finding("display_value", f"{name} is not one of its choices"))
    return usual


def _finding(code: str, text: str) -> Finding:
    return Finding(Severity.WARNING, code, DISPLAY_FILE, text)
