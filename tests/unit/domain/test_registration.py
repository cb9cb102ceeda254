"""When a registration is proposed, and what is said when it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.registration import RegistrationQuality, judge, objection

GOOD = RegistrationQuality(0.4, 0.9, 0.6, 0.8, 0.3, 0.5, 4.0, 12.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"overlap_share": 0.1}, "10%"),
        ({"mutual_information": 0.01}, "next to nothing"),
        ({"mutual_information_before": 0.95}, "No better place"),
        ({"peak_share": 0.01}, "within 1%"),
        ({"peak_share": -0.2}, "within 0%"),
        ({"residual_mm": 6.25}, "6.2 mm"),
    ],
)
def test_each_reason_is_said_with_its_number(change: dict, word: str) -> None:
    alignment = Alignment("a", "b", np.eye(4), AlignmentMethod.REGISTRATION)
    report = judge(alignment, replace(GOOD, **change), one_frame=True)
    assert report.alignment is None
    assert word in report.verdict
    assert report.verdict.endswith("Nothing is proposed.")


def test_without_a_common_frame_the_place_before_means_nothing() -> None:
    better_before = replace(GOOD, mutual_information_before=0.95)
    assert objection(better_before, one_frame=True)
    assert objection(better_before, one_frame=False) == ""


def test_doubt_is_said_and_the_numbers_are_there() -> None:
    alignment = Alignment("a", "b", np.eye(4), AlignmentMethod.REGISTRATION)
    sure = judge(alignment, GOOD, one_frame=True)
    assert sure.alignment is alignment
    assert not sure.is_doubtful
    for number in ("4.0 degrees", "12.0 mm", "0.40 to 0.90", "80%", "0.5 mm"):
        assert number in sure.verdict
    doubtful = judge(alignment, replace(GOOD, residual_mm=2.0), one_frame=True)
    assert doubtful.is_doubtful
    assert doubtful.verdict.startswith("Doubtful")
    assert set(GOOD.facts) == set(RegistrationQuality.__slots__)
