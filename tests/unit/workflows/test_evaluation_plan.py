"""Plans: the ones that come with the program, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.domain.evaluation import Axis
from carez_desktop.errors import UsageError
from carez_desktop.system.paths import resource_path
from carez_desktop.workflows._evaluation_plan_file import load_evaluation_plan

GOOD = """
version = 1
title = "t"
[[margin]]
axis = "utility"
measurement = "recall_lift"
low = 0.0
why = "because"
[pilot]
gap = { dose = "low" }
generator = "low-dose-ct"
conditions = { dose_fraction = 0.2 }
count = 3
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_the_plans_of_the_program_load_and_give_a_reason_for_every_margin() -> None:
    for name in ("default", "demo"):
        plan = load_evaluation_plan(resource_path(f"plans/{name}.toml"))
        assert plan.pilot is not None
        assert plan.pilot.generator_id == "low-dose-ct"
        assert all(margin.why for margin in plan.margins)
        assert plan.margins_of(Axis.UTILITY)[0].minimum_n == 10
    assert load_evaluation_plan() == load_evaluation_plan(resource_path("plans/default.toml"))


def test_a_plan_becomes_records(tmp_path: Path) -> None:
    plan = load_evaluation_plan(_write(tmp_path, GOOD))
    assert plan.margins[0].text == "at least 0, n at least 1"
    assert plan.pilot is not None
    assert plan.pilot.conditions == {"dose_fraction": 0.2}
    assert plan.pilot.segmenter.seeds == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('axis = "utility"', 'axis = "beauty"', "margin.0.axis"),
        ("low = 0.0", "", "margin.0"),
        ('why = "because"', "", "margin.0.why"),
        ("count = 3", "count = 0", "pilot.count"),
        ("version = 1", "version = 2", "version"),
        ('title = "t"', 'title = "t"\ncolour = 3', "colour"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, old: str, new: str, place: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=place):
        load_evaluation_plan(_write(tmp_path, GOOD.replace(old, new)))


def test_text_that_is_no_toml_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        load_evaluation_plan(_write(tmp_path, "this is not TOML"))
    with pytest.raises(UsageError, match="cannot be read"):
        load_evaluation_plan(tmp_path / "none.toml")
