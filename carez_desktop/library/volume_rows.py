"""Volume records to rows and back, and the words by which they are found."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from os.path import commonprefix
from typing import Any

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import ReferencedObject, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, VolumeKind

_SEARCHED_ATTRIBUTES = (
    "patient_name",
    "study_description",
    "series_description",
    "protocol_name",
    "manufacturer",
    "manufacturer_model_name",
    "body_part_examined",
    "study_date",
    "series_date",
    "accession_number",
    "station_name",
    "institution_name",
)


def series_key(record: VolumeRecord) -> str:
    """Return what a re-import replaces: the series, or the volume itself where it has none."""
    return record.series_instance_uid or record.volume_id


def record_to_columns(record: VolumeRecord) -> tuple[str, ...]:
    """Return the values of a `volumes` row, from volume_id to paths."""
    plain = to_plain(record)
    paths = plain.pop("paths")
    return (
        record.volume_id,
        series_key(record),
        record.study_instance_uid,
        record.patient_id,
        _plain_text(record.attributes.get("study_date")),
        record.modality,
        record.kind.value,
        json.dumps(plain, separators=(",", ":"), ensure_ascii=False),
        _pack_paths(paths),
    )


def record_from_columns(record: str, paths: str) -> VolumeRecord:
    """Rebuild a record from the `record` and `paths` columns."""
    plain: dict[str, Any] = json.loads(record)
    spacing = plain["spacing_mm"]
    return VolumeRecord(
        **{
            **plain,
            "shape": tuple(plain["shape"]),
            "spacing_mm": None if spacing is None else tuple(spacing),
            "kind": VolumeKind(plain["kind"]),
            "frame_indices": tuple(plain.get("frame_indices", ())),
            "slice_axis": SliceAxis(plain.get("slice_axis", "space")),
            "tags": tuple(plain.get("tags", ())),
            "paths": _unpack_paths(paths),
            "findings": tuple(
                Finding(**{**item, "severity": Severity(item["severity"])})
                for item in plain["findings"]
            ),
            "objects": tuple(
                ReferencedObject(**{**item, "references": tuple(item["references"])})
                for item in plain["objects"]
            ),
        }
    )


def search_words(record: VolumeRecord) -> str:
    """Return the text under which a record is found."""
    parts = [
        record.patient_id,
        record.description,
        record.modality,
        record.kind.value,
        record.series_instance_uid,
        record.study_instance_uid,
        *(_plain_text(record.attributes.get(name)) for name in _SEARCHED_ATTRIBUTES),
        *record.labels.values(),
    ]
    date = _plain_text(record.attributes.get("study_date"))
    if re.fullmatch(r"\d{8}", date):
        parts.append(f"{date[:4]}-{date[4:6]}-{date[6:]}")
    return " ".join(dict.fromkeys(part for part in parts if part))


def match_expression(search: str) -> str:
    """Turn typed words into an FTS5 query: every word must begin a word of the record.

    Quotes inside are doubled (FTS5 string syntax), so whatever is typed stays a word.
    """
    words = [word for word in search.split() if any(letter.isalnum() for letter in word)]
    return " AND ".join('"' + word.replace('"', '""') + '"*' for word in words)


def _plain_text(value: object) -> str:
    return "" if value is None else str(value)


def _pack_paths(paths: Sequence[str]) -> str:
    # A thousand slices of one folder name it once.
    # Letter by letter on purpose: file names of a series share a start as well.
    prefix = commonprefix(paths)  # noqa: RUF071
    return json.dumps(
        {"prefix": prefix, "names": [path[len(prefix) :] for path in paths]},
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _unpack_paths(packed: str) -> tuple[str, ...]:
    plain = json.loads(packed)
    return tuple(plain["prefix"] + name for name in plain["names"])
