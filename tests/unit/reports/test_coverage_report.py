"""The coverage report: squares say what they are, and the page is whole."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from carez_desktop.domain.coverage import CoverageAxis, CoverageSubject, measure
from carez_desktop.domain.strata import AxisSource
from carez_desktop.reports.coverage_report import _ink, heat_maps, render_coverage_report

SCALE = ["#00224E", "#707173", "#FEE838"]
_DOSE = AxisSource("ctdi_vol_mgy", (3.0,))
AXES = (
    CoverageAxis("modality", "Modality", (AxisSource("modality"),), levels=("CT", "MR")),
    CoverageAxis("dose", "CT dose", (_DOSE,), levels=("low", "standard"), modalities=("CT",)),
    CoverageAxis("sex", "Sex <of the patient>", (AxisSource("sex"),), levels=("F", "M")),
)


def make_matrix(**changes: object):
    subjects = [
        *(
            CoverageSubject(f"P{n}", {"modality": "CT", "dose": "standard", "sex": "FM"[n % 2]})
            for n in range(9)
        ),
        CoverageSubject("Q", {"modality": "MR", "dose": "not_applicable", "sex": "unknown"}),
        *(
            CoverageSubject("", {"modality": "CT", "dose": "low", "sex": "F"}, synthetic=True)
            for _ in range(3)
        ),
        CoverageSubject("", {"modality": "CT", "dose": "standard", "sex": "F"}, synthetic=True),
    ]
    return measure(subjects, AXES, **changes)  # type: ignore[arg-type]


class Balance(HTMLParser):
    """Every element that opens must close in order."""

    VOID = frozenset(("meta", "br", "hr", "img", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_squares_say_what_they_are() -> None:
    maps = {(m.row_axis.name, m.column_axis.name): m for m in heat_maps(make_matrix(), SCALE)}
    rows = dict(maps["modality", "dose"].rows)
    low, standard = rows["CT"]
    assert (low.kind, low.patients, low.synthetic_volumes, low.synthetic_percent) == (
        "empty",
        0,
        3,
        100,
    )
    assert (standard.kind, standard.patients, standard.synthetic_percent) == ("filled", 9, 10)
    assert standard.background == SCALE[-1]
    assert [square.kind for square in rows["MR"]] == ["impossible", "impossible"]
    by_sex = dict(maps["modality", "sex"].rows)
    assert [square.kind for square in by_sex["CT"]] == ["filled", "filled", "unknown"]
    assert [square.kind for square in by_sex["MR"]] == ["empty", "empty", "filled"]


def test_the_page_is_whole_and_safe() -> None:
    text = render_coverage_report(make_matrix(), title="<chest>@train", created_utc="2026-01-02")
    page = Balance()
    page.feed(text)
    assert page.open == []
    assert "&lt;chest&gt;@train" in text
    assert "<of the patient>" not in text
    assert "script" not in page.seen
    assert "http" not in text
    assert "+ 3 synthetic" in text
    assert "simulated" not in text
    assert "research use only" in text


def test_a_stand_in_says_so() -> None:
    text = render_coverage_report(make_matrix(stand_in=True), title="x", created_utc="now")
    assert "simulated and stand in for real ones" in text


def test_an_empty_library_still_has_a_page() -> None:
    text = render_coverage_report(measure([], AXES), title="x", created_utc="now")
    page = Balance()
    page.feed(text)
    assert page.open == []


@pytest.mark.parametrize(
    ("background", "ink"),
    [
        ("#00224E", "#FFFFFF"),
        ("#FEE838", "#000000"),
        ("#FFFFFF", "#000000"),
        ("#000000", "#FFFFFF"),
    ],
)
def test_numbers_stay_legible(background: str, ink: str) -> None:
    assert _ink(background) == ink
