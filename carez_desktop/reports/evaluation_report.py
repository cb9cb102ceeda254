"""The evaluation on six axes as an HTML page that needs nothing but a browser."""

from __future__ import annotations

from carez_desktop.domain.evaluation import Evaluation
from carez_desktop.reports.page import render_page


def render_evaluation_report(
    evaluation: Evaluation, *, title: str, subtitle: str = "", stand_in: bool = False
) -> str:
    """Return the page; its counts are exact, so it is for people of this site.

    Args:
        evaluation: What was measured and judged.
        title: For the head line.
        subtitle: What it was compared with.
        stand_in: Whether simulated studies played real: the page says so first.
    """
    return render_page(
        "evaluation_report.html",
        title=title,
        subtitle=subtitle,
        evaluation=evaluation,
        stand_in=stand_in,
    )
