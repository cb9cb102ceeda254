"""From version 1 to 2: patients, studies, series and instances get tables of their own.

Labels leave the records for rows keyed by what they hold for, objects are kept once and linked,
and search gets a column for each field. What version 1 did not keep (sizes, times, headers) is
unknown afterwards, so that the next import reads those files again.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from carez_desktop.library.path_columns import split_path

STATEMENTS = (
    "CREATE TABLE patients (id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL UNIQUE)",
    """CREATE TABLE studies (
        id INTEGER PRIMARY KEY,
        study_instance_uid TEXT NOT NULL,
        patient INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
        study_date TEXT NOT NULL,
        description TEXT NOT NULL,
        UNIQUE (study_instance_uid, patient)
    )""",
    "CREATE INDEX studies_by_patient ON studies (patient)",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        series_instance_uid TEXT NOT NULL UNIQUE,
        study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
        modality TEXT NOT NULL,
        description TEXT NOT NULL,
        headers BLOB
    )""",
    "CREATE INDEX series_by_study ON series (study)",
    "CREATE TABLE folders (id INTEGER PRIMARY KEY, path NOT NULL UNIQUE)",
    """CREATE TABLE instances (
        id INTEGER PRIMARY KEY,
        folder INTEGER NOT NULL REFERENCES folders (id),
        name NOT NULL,
        size INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        reader INTEGER NOT NULL,
        role TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL,
        series INTEGER REFERENCES series (id) ON DELETE CASCADE,
        missing_since TEXT,
        UNIQUE (folder, name)
    )""",
    "CREATE INDEX instances_by_uid ON instances (sop_instance_uid) WHERE sop_instance_uid != ''",
    "CREATE INDEX instances_by_series ON instances (series)",
    "CREATE INDEX instances_missing ON instances (series) WHERE missing_since IS NOT NULL",
    """CREATE TABLE objects (
        id INTEGER PRIMARY KEY,
        instance INTEGER NOT NULL UNIQUE REFERENCES instances (id) ON DELETE CASCADE,
        record TEXT NOT NULL
    )""",
    """CREATE TABLE object_references (
        uid TEXT NOT NULL,
        object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
        PRIMARY KEY (uid, object)
    ) WITHOUT ROWID""",
    "CREATE INDEX references_of_object ON object_references (object)",
    """CREATE TABLE volume_objects (
        volume INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
        object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
        PRIMARY KEY (volume, object)
    ) WITHOUT ROWID""",
    "CREATE INDEX volumes_of_object ON volume_objects (object)",
    """CREATE TABLE labels (
        key TEXT NOT NULL,
        key_value TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (key, key_value, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE tags (
        volume_id TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (volume_id, tag)
    ) WITHOUT ROWID""",
    "CREATE TABLE files_to_delete (path NOT NULL UNIQUE)",
    "ALTER TABLE unreadable_files RENAME TO unreadable_files_1",
    """CREATE TABLE unreadable_files (
        path NOT NULL UNIQUE, reason TEXT NOT NULL, series_instance_uid TEXT NOT NULL
    )""",
    "INSERT INTO unreadable_files SELECT path, reason, '' FROM unreadable_files_1",
    "DROP TABLE unreadable_files_1",
    "CREATE INDEX unreadable_by_series ON unreadable_files (series_instance_uid)",
    "ALTER TABLE volumes ADD COLUMN series INTEGER REFERENCES series (id) ON DELETE CASCADE",
    "ALTER TABLE volumes ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE volumes ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE volumes ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE volumes ADD COLUMN content TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX volumes_of_series ON volumes (series)",
    "DROP TABLE volume_text",
    """CREATE VIRTUAL TABLE volume_text USING fts5 (
        patient, description, modality, kind, date, maker, body, label, tag, other,
        prefix = '1 2 3 4 5 6', tokenize = 'unicode61 remove_diacritics 2'
    )""",
)

_PAGE = 1000


def move_data(connection: sqlite3.Connection) -> None:
    """Fill the new tables from the records of version 1."""
    last = 0
    while True:
        rows = connection.execute(
            "SELECT id, volume_id, series_instance_uid, study_instance_uid, patient_id, "
            "study_date, modality, record, paths FROM volumes WHERE id > ? ORDER BY id LIMIT ?",
            (last, _PAGE),
        ).fetchall()
        if not rows:
            return
        for row in rows:
            _move_volume(connection, row)
        last = rows[-1][0]


def _move_volume(connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    volume, volume_id, series_uid, study_uid, patient_id, date, modality, record, paths = row
    plain: dict[str, Any] = json.loads(record)
    series = _series_of(connection, series_uid, study_uid, patient_id, date, modality, plain)
    labels = plain.pop("labels", None) or {}
    connection.executemany(
        "INSERT OR REPLACE INTO labels VALUES ('volume_id', ?, ?, ?)",
        [(volume_id, name, value) for name, value in labels.items()],
    )
    for item in plain.pop("objects", None) or ():
        _move_object(connection, volume, item)
    role = "image" if plain.get("source_format") == "dicom" else "volume"
    packed = json.loads(paths)
    for name in packed["names"]:
        _file(connection, packed["prefix"] + name, role, series)
    connection.execute(
        "UPDATE volumes SET series = ?, labels = ?, record = ? WHERE id = ?",
        (series, json.dumps(labels), json.dumps(plain, separators=(",", ":")), volume),
    )
    columns = _words(plain, labels, date, modality)
    marks = ", ".join("?" * len(columns))
    connection.execute(
        f"INSERT INTO volume_text (rowid, {', '.join(columns)}) VALUES (?, {marks})",  # noqa: S608
        (volume, *columns.values()),
    )


def _series_of(
    connection: sqlite3.Connection,
    series_uid: str,
    study_uid: str,
    patient_id: str,
    date: str,
    modality: str,
    plain: dict[str, Any],
) -> int:
    found = connection.execute(
        "SELECT id FROM series WHERE series_instance_uid = ?", (series_uid,)
    ).fetchone()
    if found is not None:
        return int(found[0])
    connection.execute("INSERT OR IGNORE INTO patients (patient_id) VALUES (?)", (patient_id,))
    patient = connection.execute(
        "SELECT id FROM patients WHERE patient_id = ?", (patient_id,)
    ).fetchone()[0]
    study = study_uid or series_uid
    text = str(plain.get("attributes", {}).get("study_description") or "")
    connection.execute(
        "INSERT OR IGNORE INTO studies (study_instance_uid, patient, study_date, description) "
        "VALUES (?, ?, ?, ?)",
        (study, patient, date, text),
    )
    made = connection.execute(
        "INSERT INTO series (series_instance_uid, study, modality, description) "
        "SELECT ?, id, ?, ? FROM studies WHERE study_instance_uid = ? AND patient = ?",
        (series_uid, modality, plain.get("description", ""), study, patient),
    )
    return int(made.lastrowid or 0)


def _file(connection: sqlite3.Connection, path: str, role: str, series: int | None) -> int:
    """Note a file whose size and time are not known, so that it counts as changed."""
    folder, name = split_path(path)
    connection.execute("INSERT OR IGNORE INTO folders (path) VALUES (?)", (folder,))
    connection.execute(
        "INSERT OR IGNORE INTO instances "
        "(folder, name, size, modified_ns, reader, role, sop_instance_uid, series) "
        "SELECT id, ?, -1, -1, 0, ?, '', ? FROM folders WHERE path = ?",
        (name, role, series, folder),
    )
    return int(
        connection.execute(
            "SELECT instances.id FROM instances JOIN folders ON folders.id = folder "
            "WHERE path = ? AND name = ?",
            (folder, name),
        ).fetchone()[0]
    )


def _move_object(connection: sqlite3.Connection, volume: int, item: dict[str, Any]) -> None:
    instance = _file(connection, item["path"], "object", None)
    references = item.get("references", [])
    connection.execute(
        "INSERT OR IGNORE INTO objects (instance, record) VALUES (?, ?)",
        (instance, json.dumps(item, separators=(",", ":"))),
    )
    made = connection.execute("SELECT id FROM objects WHERE instance = ?", (instance,)).fetchone()[
        0
    ]
    connection.executemany(
        "INSERT OR IGNORE INTO object_references VALUES (?, ?)", [(uid, made) for uid in references]
    )
    connection.execute("INSERT OR IGNORE INTO volume_objects VALUES (?, ?)", (volume, made))


def _words(
    plain: dict[str, Any], labels: dict[str, str], date: str, modality: str
) -> dict[str, str]:
    """Return the search columns as the next import would write them."""
    known = {key: "" if value is None else str(value) for key, value in plain["attributes"].items()}

    def joined(*parts: str) -> str:
        return " ".join(dict.fromkeys(part for part in parts if part))

    with_hyphens = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else ""
    return {
        "patient": joined(plain["patient_id"], known.get("patient_name", "")),
        "description": joined(
            plain["description"],
            known.get("series_description", ""),
            known.get("study_description", ""),
            known.get("protocol_name", ""),
        ),
        "modality": modality,
        "kind": plain["kind"],
        "date": joined(date, known.get("series_date", ""), with_hyphens),
        "maker": joined(known.get("manufacturer", ""), known.get("manufacturer_model_name", "")),
        "body": known.get("body_part_examined", ""),
        "label": joined(*labels.values()),
        "tag": "",
        "other": joined(
            known.get("accession_number", ""),
            known.get("station_name", ""),
            known.get("institution_name", ""),
        ),
    }
