"""The page that all reports share: theme, templates, numbers in words."""

from __future__ import annotations

import tomllib
from typing import Any

import jinja2

from carez_desktop.domain.evaluation import Axis, Measurement, Verdict
from carez_desktop.system.paths import resource_path

_MINUS = "\u2212"
AXIS_TITLES = {
    Axis.FIDELITY: "Fidelity",
    Axis.DIVERSITY: "Diversity",
    Axis.NON_MEMORIZATION: "Non-memorization",
    Axis.UTILITY: "Model utility",
    Axis.BIAS: "Bias",
    Axis.TRACEABILITY: "Traceability",
}
VERDICT_WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.NOT_EVALUABLE: "not evaluable",
}


def load_theme() -> dict[str, Any]:
    """Return `resources/theme.toml`: colours, sizes, scales."""
    return tomllib.loads(resource_path("theme.toml").read_text(encoding="utf-8"))


def number_text(value: float | None, unit: str = "") -> str:
    """Return a number in three significant digits with its unit; a dash for none."""
    if value is None:
        return "\u2013"
    if value and abs(value) < 1e-3:
        text = f"{value:.1e}"
    elif float(value).is_integer() and abs(value) < 1e6:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3g}"
    return f"{text.replace('-', _MINUS)} {unit}".strip()


def interval_text(measurement: Measurement) -> str:
    """Return the interval of a measurement as `low to high`; empty for none."""
    if measurement.interval is None:
        return ""
    low, high = measurement.interval
    return f"{number_text(low)} to {number_text(high)}"


def measurement_title(name: str) -> str:
    """Return the name of a measurement in words."""
    return name.replace("_", " ")


def render_page(template: str, **facts: Any) -> str:
    """Render a template of `resources/templates` with the theme and the words above."""
    theme = load_theme()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        colours=theme["colours"],
        sizes=theme["sizes"],
        axis_titles={axis.value: title for axis, title in AXIS_TITLES.items()},
        verdict_words={verdict.value: words for verdict, words in VERDICT_WORDS.items()},
        number=number_text,
        interval=interval_text,
        words=measurement_title,
        **facts,
    )
