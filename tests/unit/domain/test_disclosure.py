from __future__ import annotations

import pytest

from carez_desktop.domain.disclosure import scrub, suppress_count, suppress_small_counts


@pytest.mark.parametrize(
    ("count", "shown"), [(0, 0), (1, "<=10"), (10, "<=10"), (11, 11), (500, 500)]
)
def test_counts_from_one_to_ten_are_hidden(count: int, shown: int | str):
    assert suppress_count(count) == shown


def test_only_numbers_that_count_people_are_hidden():
    plain = {
        "n": 4,
        "value": 3,
        "timesteps": [1, 2],
        "groups": [{"patients": {"F": 5, "M": 50}, "seed": 7}],
        "bias_count": 2,
        "is_count": True,
        "before": 2,
        "after": 20,
    }
    assert suppress_small_counts(plain) == {
        "n": "<=10",
        "value": 3,
        "timesteps": [1, 2],
        "groups": [{"patients": {"F": "<=10", "M": 50}, "seed": 7}],
        "bias_count": "<=10",
        "is_count": True,
        "before": "<=10",
        "after": "suppressed",
    }


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("read /data/pacs/x.dcm now", "read [path removed] now"),
        (r"from C:\Users\jane\x", "from [path removed]"),
        ("series 1.2.840.113619.2.55", "series [uid removed]"),
        ("counts/mAs at 1/2 dose", "counts/mAs at 1/2 dose"),
        ("version 2.13.0, https://slsa.dev/a/b", "version 2.13.0, https://slsa.dev/a/b"),
        ("doi:10.1088/0031-9155/54/7/002", "doi:10.1088/0031-9155/54/7/002"),
        ("made from SRC-7", "made from digest"),
    ],
)
def test_paths_uids_and_given_names_are_taken_out(text: str, clean: str):
    assert scrub(text, forbidden=("SRC-7",), replacement="digest") == clean


def test_private_keys_are_dropped_at_any_depth():
    plain = {"a": [{"file_path": "x", "patient_id": "y", "kept": 1, "hostname": "h"}], "uid": "1"}
    assert scrub(plain) == {"a": [{"kept": 1}]}


def test_a_measurement_that_counts_people_hides_them():
    measured = [
        {"name": "distinct_source_patients", "unit": "patients", "value": 4.0, "reference": None},
        {"name": "target_cell_added", "unit": "volumes", "value": 3.0, "reference": 2.0},
        {"name": "many", "unit": "patients", "value": 40.0, "reference": 0.0},
        {"name": "noise", "unit": "HU", "value": 4.0, "reference": 5.0},
    ]
    hidden = suppress_small_counts(measured)
    assert [(row["value"], row["reference"]) for row in hidden] == [
        ("<=10", None),
        (3.0, "<=10"),
        (40.0, 0.0),
        (4.0, 5.0),
    ]


def test_sentences_hide_them_too():
    hidden = suppress_small_counts({"reason": "n = 1 is below 3; there are 2 and 14, n = 48"})
    assert hidden["reason"] == "n = <=10 is below 3; there are <=10 and 14, n = 48"
