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
