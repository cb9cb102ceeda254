"""Conditions are checked before anything runs, naming the field."""

from __future__ import annotations

import pytest

from carez_desktop.domain.generation import ConditionSpec, GeneratorManifest, PrivacyClass
from carez_desktop.errors import UsageError

DOSE = ConditionSpec(
    "dose_fraction",
    "Dose",
    "number",
    minimum=0.0,
    maximum=1.0,
    exclusive_minimum=True,
    exclusive_maximum=True,
)
STEPS = ConditionSpec("steps", "Steps", "integer", minimum=1, maximum=50, default=8)
KERNEL = ConditionSpec("kernel", "Kernel", "string", choices=("soft", "sharp"), default="soft")


def manifest() -> GeneratorManifest:
    return GeneratorManifest(
        "x",
        "1.0.0",
        "diffusion",
        "X",
        "",
        "CT",
        "HU",
        "CT",
        PrivacyClass.IMAGE_CONDITIONED,
        "Apache-2.0",
        "research",
        100,
        (DOSE, STEPS, KERNEL),
        {},
    )


def test_defaults_are_filled_in_and_text_becomes_numbers() -> None:
    resolved = manifest().resolve_conditions({"dose_fraction": "0.25", "steps": "4"})
    assert resolved == {"dose_fraction": 0.25, "steps": 4, "kernel": "soft"}


@pytest.mark.parametrize("value", [0, 1, 2, -1, "much", float("nan"), None])
def test_a_dose_outside_its_range_names_the_field(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        manifest().resolve_conditions({"dose_fraction": value})
    assert caught.value.subject == "dose_fraction"
    assert "above 0 and below 1" in caught.value.hint


@pytest.mark.parametrize(
    "given",
    [{"dose_fraction": 0.5, "steps": 2.5}, {"dose_fraction": 0.5, "kernel": "x"}, {"other": 1}],
)
def test_other_wrong_values(given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        manifest().resolve_conditions(given)
