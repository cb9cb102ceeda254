"""What is typed finds what it should, by field, by UID and in any script."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.library.search import FIELDS, Query, parse_query, search_columns
from carez_desktop.library.study_library import StudyLibrary


def record(number: int, **attributes: str) -> VolumeRecord:
    return VolumeRecord(
        *(f"1.2.840.{number}", f"1.2.840.{number}", f"1.1.{number}", f"P{number}", "CT", "Thorax"),
        (4, 5, 6),
        (1.0, 1.0, 1.0),
        "SPL",
        VolumeKind.REAL,
        "dicom",
        ("/data/1",),
        attributes=attributes,
    )


@pytest.fixture
def library(tmp_path: Path):
    opened = StudyLibrary(tmp_path)
    opened.add_volumes(
        [
            record(
                1,
                patient_name="Yamada^Tarou",
                patient_name_ideographic="山田^太郎",
                patient_name_phonetic="やまだ^たろう",
                study_date="20240131",
                station_name="CT01",
            ),
            record(12, patient_name="Kim^Minsu", manufacturer="Thorax Devices"),
            record(123, patient_name="O'Brien^Zoë", study_date="1999.01.31"),
        ]
    )
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("山田", [1]),
        ("太郎", [1]),
        ("やま", [1]),
        ("yamada tar", [1]),
        ("patient:tarou", [1]),
        ("patient:ct", []),
        ("station ct01", []),
        ("ct01", [1]),
        ("other:ct", [1]),
        ("maker:thorax", [12]),
        ("thorax", [1, 12, 123]),
        ("date:2024 kind:real", [1]),
        ("date:2024-01-3", [1]),
        ("MODALITY:CT o'brien", [123]),
        ("zoe", [123]),
        ("1.2.840.12", [12, 123]),
        ("1.2.840.123", [123]),
        ("1.1.", [1, 12, 123]),
        ("1.2.840.1 thorax patient:kim", [12]),
        ("1.2.840.9", []),
        ("modality:", []),
        ("unknown:ct", []),
    ],
)
def test_what_is_typed(library: StudyLibrary, typed: str, found: list[int]) -> None:
    expected = [f"1.2.840.{number}" for number in found]
    assert [item.volume_id for item in library.volumes(typed)] == expected
    assert [item.volume_id for item in library.volumes(typed, limit=50)] == expected


def test_pages_follow_each_other_without_gap(library: StudyLibrary) -> None:
    pages = [library.volumes("thorax", limit=1, offset=k)[0].volume_id for k in range(3)]
    assert sorted(pages) == ["1.2.840.1", "1.2.840.12", "1.2.840.123"]
    assert library.volumes("thorax", limit=1, offset=3) == ()


def test_typed_words_are_quoted() -> None:
    assert parse_query('lung "x').words == '"lung"* AND """x"*'
    assert parse_query(" - ").nothing
    assert parse_query("Modality:ct kind:real").words == 'modality : "ct"* AND kind : "real"*'
    assert parse_query("name:ct").words == '"name:ct"*'
    assert parse_query("1.2.84 ct") == Query('"ct"*', ("1.2.84",))
    assert parse_query("1.2 mm").uids == ()


def test_each_field_has_its_text() -> None:
    columns = search_columns(record(1, study_date="20240131"), {"d": "nodule"}, ("x",))
    assert len(columns) == len(FIELDS)
    by_name = dict(zip(FIELDS, columns, strict=True))
    assert by_name["date"] == "20240131 2024-01-31"
    assert (by_name["label"], by_name["tag"], by_name["modality"]) == ("nodule", "x", "CT")
