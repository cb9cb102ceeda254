"""Volume records to rows and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from os.path import commonprefix
from typing import Any

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import ReferencedObject, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, VolumeKind
from carez_desktop.library.header_blob import as_tuples

COLUMNS = "volumes.id, record, paths, labels, tags, notes"
"""What `records_from_rows` needs, in this order."""

_FIELDS = frozenset(field.name for field in fields(VolumeRecord))
_OWN_COLUMNS = ("paths", "frame_indices", "labels", "tags", "objects")
_CHUNK = 500

Row = tuple[int, str, str, str, str, str]


def series_key(record: VolumeRecord) -> str:
    """Return what a re-import replaces: the series, or the file where there is none."""
    return record.series_instance_uid or record.set_id or record.volume_id


def record_text(record: VolumeRecord) -> str:
    """Return the `record` column: all that has no column or table of its own."""
    plain = {name: getattr(record, name) for name in _FIELDS if name not in _OWN_COLUMNS}
    return to_json(plain)


def paths_text(record: VolumeRecord) -> str:
    """Return the `paths` column; a thousand slices of one folder name it once."""
    paths = record.paths
    if len(paths) > 1 and paths.count(paths[0]) == len(paths):
        packed: dict[str, Any] = {"prefix": paths[0], "count": len(paths)}
    else:
        # Letter by letter on purpose: file names of a series share a start as well.
        prefix = commonprefix(paths)  # noqa: RUF071
        packed = {"prefix": prefix, "names": [path[len(prefix) :] for path in paths]}
    if record.frame_indices:
        packed["frames"] = record.frame_indices
    return to_json(packed)


def paths_of(column: str) -> tuple[str, ...]:
    """Return the files of the slices from the `paths` column."""
    return _unpack(json.loads(column))


def records_from_rows(
    connection: sqlite3.Connection, rows: Sequence[Row]
) -> tuple[VolumeRecord, ...]:
    """Rebuild records from rows of `COLUMNS`, with the objects that are linked to them."""
    objects = _objects_of(connection, [row[0] for row in rows])
    return tuple(_record(row, objects.get(row[0], ())) for row in rows)


def findings_from(column: str) -> tuple[Finding, ...]:
    """Rebuild findings from JSON."""
    return tuple(map(_finding, json.loads(column)))


def chunks(values: Sequence[Any]) -> Iterable[tuple[Sequence[Any], str]]:
    """Cut a list to what one statement may bind, with its question marks."""
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))


def to_json(value: Any) -> str:
    """Encode as short JSON that SQLite takes: a name of a file may hold lone surrogates."""
    return json.dumps(value, separators=(",", ":"), default=to_plain)


def _record(row: Row, objects: tuple[ReferencedObject, ...]) -> VolumeRecord:
    _, record, paths, labels, tags, notes = row
    plain: dict[str, Any] = json.loads(record)
    packed = json.loads(paths)
    found = {name: as_tuples(value) for name, value in plain.items() if name in _FIELDS}
    found["kind"] = VolumeKind(plain["kind"])
    found["slice_axis"] = SliceAxis(plain.get("slice_axis", "space"))
    found["findings"] = (*map(_finding, plain["findings"]), *findings_from(notes))
    found["attributes"] = {key: as_tuples(value) for key, value in plain["attributes"].items()}
    found["paths"] = _unpack(packed)
    found["frame_indices"] = tuple(packed.get("frames", plain.get("frame_indices", ())))
    found["labels"] = json.loads(labels)
    found["tags"] = tuple(json.loads(tags))
    found["objects"] = objects
    return VolumeRecord(**found)


def _unpack(packed: dict[str, Any]) -> tuple[str, ...]:
    prefix: str = packed["prefix"]
    if "count" in packed:
        return (prefix,) * int(packed["count"])
    return tuple(prefix + name for name in packed["names"])


def _finding(plain: dict[str, Any]) -> Finding:
    return Finding(**{**plain, "severity": Severity(plain["severity"])})


def _objects_of(
    connection: sqlite3.Connection, volumes: Sequence[int]
) -> dict[int, tuple[ReferencedObject, ...]]:
    if connection.execute("SELECT 1 FROM volume_objects LIMIT 1").fetchone() is None:
        return {}
    found: dict[int, tuple[ReferencedObject, ...]] = {}
    decoded: dict[int, ReferencedObject] = {}
    for chunk, marks in chunks(volumes):
        query = (
            "SELECT volume, objects.id, record FROM volume_objects "  # noqa: S608
            f"JOIN objects ON objects.id = object WHERE volume IN ({marks}) ORDER BY volume, object"
        )
        for volume, number, record in connection.execute(query, chunk):
            if number not in decoded:
                decoded[number] = object_from(record)
            found[volume] = (*found.get(volume, ()), decoded[number])
    return found


def object_from(record: str) -> ReferencedObject:
    """Rebuild an object from the `record` column of `objects`."""
    names = {field.name for field in fields(ReferencedObject)}
    plain = json.loads(record)
    return ReferencedObject(
        **{name: as_tuples(value) for name, value in plain.items() if name in names}
    )
