"""What a volume is found by, and what is typed, as full-text search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carez_desktop.domain.study import VolumeRecord

FIELDS = (
    *("patient", "description", "modality", "kind", "date"),
    *("maker", "body", "label", "tag", "other"),
)
"""Columns of the full-text table; each is a prefix that may be typed: `modality:ct`."""

_DESCRIPTIONS = ("series_description", "study_description", "protocol_name")
_NAMES = ("patient_name", "patient_name_ideographic", "patient_name_phonetic")
_OTHERS = ("accession_number", "station_name", "institution_name", "study_id")
_UID = re.compile(r"^\d+\.\d+(\.|(\.\d+)+\.?)(:\d+)?$")
_DATE = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed.

    Attributes:
        words: FTS5 expression, "" for none. uids: Beginnings of UIDs or volume ids.
        nothing: Something was typed that no volume can have (only signs).
    """

    words: str
    uids: tuple[str, ...]
    nothing: bool = False


def parse_query(search: str) -> Query:
    """Read what is typed: words, each with a field before a colon if wanted, and UIDs.

    Every word must begin a word of the record. Quotes inside are doubled (FTS5 string syntax), so
    whatever is typed stays a word and is never a query.
    """
    uids, terms = [], []
    for word in search.split():
        if _UID.match(word):
            uids.append(word)
            continue
        field, colon, rest = word.partition(":")
        named = bool(colon) and field.lower() in FIELDS
        text = rest if named else word
        if not any(letter.isalnum() for letter in text):
            continue
        quoted = '"' + text.replace('"', '""') + '"*'
        terms.append(f"{field.lower()} : {quoted}" if named else quoted)
    nothing = bool(search.strip()) and not terms and not uids
    return Query(" AND ".join(terms), tuple(uids), nothing)


def search_columns(
    record: VolumeRecord, labels: Mapping[str, str], tags: Sequence[str]
) -> tuple[str, ...]:
    """Return the text of each of `FIELDS` under which a volume is found."""
    known = record.attributes
    date = _text(known.get("study_date"))
    return (
        _joined(record.patient_id, *(known.get(name) for name in _NAMES)),
        _joined(record.description, *(known.get(name) for name in _DESCRIPTIONS)),
        record.modality,
        record.kind.value,
        _joined(date, known.get("series_date"), _with_hyphens(date)),
        _joined(known.get("manufacturer"), known.get("manufacturer_model_name")),
        _text(known.get("body_part_examined")),
        _joined(*labels.values()),
        _joined(*tags),
        _joined(record.source_format, *(known.get(name) for name in _OTHERS)),
    )


def _with_hyphens(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if _DATE.fullmatch(date) else ""


def _joined(*parts: object) -> str:
    return " ".join(dict.fromkeys(filter(None, map(_text, parts))))


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    # What is no text cannot be typed either.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
