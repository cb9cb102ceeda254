"""What may not leave the site, taken out of plain data before it is written into a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from carez_desktop.domain.codec import to_plain

SMALL_COUNT_LIMIT = 10
SUPPRESSED_COUNT = f"<={SMALL_COUNT_LIMIT}"
SUPPRESSED = "suppressed"

_COUNT_NAMES = re.compile(
    r"^(n|count|counts|before|after|missing|needed|shortfall|patients|volumes)$"
    r"|^n_|_n$|_count$|_counts$|_patients$|_volumes$|^patients_|^volumes_"
)
_COUNTS_IN_TEXT = re.compile(r"\bn = \d+\b|\bthere are \d+ and \d+\b")
_PRIVATE_NAMES = re.compile(
    r"(^|_)(path|paths|folder|file_name|filename|home|hostname|host|username|user_name|uid|uids"
    r"|patient_id|patient_name|patient|source_volume_id|volume_id|volume_ids)$"
)
_ABSOLUTE_PATH = re.compile(r"(?<![\w:/.])(?:/[\w.@+-]+){2,}/?|\b[A-Za-z]:\\\S+|\\\\\w+\\\S+")
_UID = re.compile(r"\b[0-2](?:\.\d+){4,}\b")
_REMOVED_PATH = "[path removed]"
_REMOVED_UID = "[uid removed]"


def suppress_count(count: int) -> int | str:
    """Return `<=10` for 1 to 10, else the count: a small cell can point at a person."""
    return SUPPRESSED_COUNT if 1 <= count <= SMALL_COUNT_LIMIT else count


def suppress_small_counts(value: Any) -> Any:
    """Return plain data in which each small count is `<=10`.

    A number counts people or their volumes if the key that holds it says so (`n`, `count`,
    `before`, `patients`, ...). Where `before` is suppressed, `after` beside it is withheld: their
    difference, the number of synthetic cases, is known to every reader.

    Args:
        value: Records or plain data.
    """
    return _suppress(to_plain(value), counting=False)


def _suppress(value: Any, *, counting: bool) -> Any:
    if isinstance(value, Mapping):
        made = {
            key: _suppress(item, counting=bool(_COUNT_NAMES.search(key)) or counting)
            for key, item in value.items()
        }
        if made.get("before") == SUPPRESSED_COUNT and "after" in made:
            made["after"] = SUPPRESSED
        return _suppress_measured_counts(made)
    if isinstance(value, list):
        return [_suppress(item, counting=counting) for item in value]
    if counting and isinstance(value, int) and not isinstance(value, bool):
        return suppress_count(value)
    if isinstance(value, str):
        return suppress_small_counts_in_text(value)
    return value


def _suppress_measured_counts(plain: dict[str, Any]) -> dict[str, Any]:
    """Hide what a measurement counts of people: its value, and the real side it refers to."""
    unit = plain.get("unit")
    counted = {"patients": ("value", "reference"), "volumes": ("reference",)}
    for name in counted.get(unit, ()) if isinstance(unit, str) else ():
        number = plain.get(name)
        if isinstance(number, float) and number.is_integer():
            shown = suppress_count(int(number))
            plain[name] = shown if isinstance(shown, str) else number
    return plain


def suppress_small_counts_in_text(text: str) -> str:
    """Return a sentence in which the small counts that ours name (`n = 4`) are `<=10`."""
    return _COUNTS_IN_TEXT.sub(
        lambda found: re.sub(
            r"\d+", lambda digits: str(suppress_count(int(digits.group()))), found.group()
        ),
        text,
    )


def scrub(value: Any, *, forbidden: Iterable[str] = (), replacement: str = "") -> Any:
    """Return plain data without paths, UIDs, and the given identifiers.

    Args:
        value: Records or plain data of a generator.
        forbidden: Texts that name the source (its volume id, series UID, patient).
        replacement: Stands in their place, such as the keyed digest of the source.
    """
    names = sorted({name for name in forbidden if name}, key=len, reverse=True)
    return _scrub(to_plain(value), names, replacement)


def _scrub(value: Any, names: list[str], replacement: str) -> Any:
    if isinstance(value, Mapping):
        return {
            _scrub_text(key, names, replacement): _scrub(item, names, replacement)
            for key, item in value.items()
            if not _PRIVATE_NAMES.search(key.lower())
        }
    if isinstance(value, list):
        return [_scrub(item, names, replacement) for item in value]
    return _scrub_text(value, names, replacement) if isinstance(value, str) else value


def _scrub_text(text: str, names: list[str], replacement: str) -> str:
    for name in names:
        text = text.replace(name, replacement)
    return _UID.sub(_REMOVED_UID, _ABSOLUTE_PATH.sub(_REMOVED_PATH, text))
