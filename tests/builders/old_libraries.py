"""A library as version 1 of the schema wrote it, made without today's code."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

VERSION_1 = """
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_utc TEXT NOT NULL);
INSERT INTO schema_version VALUES (1, '2026-01-01T00:00:00+00:00');
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE volumes (
    id INTEGER PRIMARY KEY, volume_id TEXT NOT NULL UNIQUE, series_instance_uid TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL, patient_id TEXT NOT NULL, study_date TEXT NOT NULL,
    modality TEXT NOT NULL, kind TEXT NOT NULL, record TEXT NOT NULL, paths TEXT NOT NULL
);
CREATE INDEX volumes_by_series ON volumes (series_instance_uid);
CREATE INDEX volumes_by_study ON volumes (study_instance_uid);
CREATE INDEX volumes_in_order ON volumes (patient_id, study_date, volume_id);
CREATE INDEX volumes_by_kind ON volumes (kind);
CREATE VIRTUAL TABLE volume_text USING fts5 (
    words, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE thumbnails (
    volume_id TEXT PRIMARY KEY REFERENCES volumes (volume_id) ON DELETE CASCADE, png BLOB NOT NULL
);
CREATE TABLE pixel_digests (
    volume_id TEXT PRIMARY KEY REFERENCES volumes (volume_id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL
);
CREATE TABLE synthetic_digests (
    sha256 TEXT PRIMARY KEY, shape TEXT NOT NULL, origin TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX synthetic_digests_by_shape ON synthetic_digests (shape);
CREATE TABLE issued_uids (uid TEXT PRIMARY KEY, purpose TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unreadable_files (path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE cohorts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL,
    created_utc TEXT NOT NULL, stand_in INTEGER NOT NULL, sha256 TEXT NOT NULL,
    UNIQUE (name, version)
);
CREATE TABLE cohort_members (
    cohort INTEGER NOT NULL REFERENCES cohorts (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    volume_id TEXT NOT NULL, patient_id TEXT NOT NULL, split TEXT NOT NULL, labels TEXT NOT NULL,
    PRIMARY KEY (cohort, position)
) WITHOUT ROWID;
INSERT INTO facts VALUES ('simulated_stand_in', 'no');
INSERT INTO thumbnails VALUES ('1.2.1', x'89504e47');
INSERT INTO pixel_digests VALUES ('1.2.1', 'abab');
INSERT INTO synthetic_digests VALUES ('cdcd', '3x4x5', 'bundle#case-0001');
INSERT INTO issued_uids VALUES ('2.25.77', 'synthetic_case');
INSERT INTO unreadable_files VALUES ('/data/bad', 'truncated');
INSERT INTO cohorts VALUES (1, 'chest', 1, '2026-01-01T00:00:00+00:00', 0, 'ef');
INSERT INTO cohort_members VALUES (1, 0, '1.2.1', 'PAT01', 'train', '{"disease": "nodule"}');
"""
"""As frozen with version 1: tables, and one row or more of each but the volumes."""


def plain_volume(number: int, folder: str, **changes: Any) -> dict[str, Any]:
    """Return the record of a four-slice volume as version 1 kept it, with its paths."""
    return {
        "volume_id": f"1.2.{number}",
        "series_instance_uid": f"1.2.{number}",
        "study_instance_uid": f"1.1.{number}",
        "patient_id": f"PAT{number:02d}",
        "modality": "CT",
        "description": f"Lung {number}",
        "shape": [4, 12, 10],
        "spacing_mm": [2.5, 0.8, 0.7],
        "orientation": "SPL",
        "kind": "real",
        "source_format": "dicom",
        "frame_of_reference_uid": f"1.3.{number}",
        "refusal": "",
        "split_reason": "",
        "set_id": "",
        "set_index": 0,
        "findings": [
            {"severity": "info", "code": "monochrome1", "subject": f"1.2.{number}", "text": "Odd"}
        ],
        "objects": [],
        "attributes": {"patient_name": "Müller^Änne", "study_date": "20240131", "kvp": 120.0},
        "labels": {},
        "paths": [f"{folder}/series{number}/IM{index:03d}" for index in range(4)],
    } | changes


def write_version_1(path: Path, volumes: list[dict[str, Any]]) -> None:
    """Write a library of version 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(VERSION_1)
    for plain in volumes:
        record = {name: value for name, value in plain.items() if name != "paths"}
        prefix = plain["paths"][0][:-1]
        names = [name.removeprefix(prefix) for name in plain["paths"]]
        columns = (
            *(plain[name] for name in ("volume_id", "series_instance_uid", "study_instance_uid")),
            *(plain["patient_id"], plain["attributes"]["study_date"], plain["modality"]),
            *(plain["kind"], json.dumps(record, ensure_ascii=False)),
            json.dumps({"prefix": prefix, "names": names}),
        )
        made = connection.execute(
            "INSERT INTO volumes (volume_id, series_instance_uid, study_instance_uid, patient_id, "
            "study_date, modality, kind, record, paths) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            columns,
        )
        connection.execute(
            "INSERT INTO volume_text (rowid, words) VALUES (?, ?)",
            (made.lastrowid, f"{plain['patient_id']} {plain['description']}"),
        )
    connection.commit()
    connection.close()
