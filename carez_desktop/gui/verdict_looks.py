"""Verdicts as a word with an icon and a colour: never colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QIcon

from carez_desktop.gui.theme import Theme, icon


@dataclass(frozen=True, slots=True)
class VerdictLooks:
    """How a verdict is shown.

    Attributes:
        shade: Colour token.
    """

    word: str
    icon: str
    shade: str


_LOOKS = {
    "pass": VerdictLooks("pass", "ph.check-circle", "good"),
    "fail": VerdictLooks("fail", "ph.x-circle", "bad"),
    "not_evaluable": VerdictLooks("not evaluable", "ph.minus-circle", "muted"),
    "valid": VerdictLooks("valid", "ph.shield-check", "good"),
    "unsigned": VerdictLooks("unsigned", "ph.shield", "caution"),
    "untrusted": VerdictLooks("signed by an unknown key", "ph.shield-warning", "caution"),
    "invalid": VerdictLooks("invalid", "ph.shield-slash", "bad"),
    "identical": VerdictLooks("identical", "ph.check-circle", "good"),
    "within_tolerance": VerdictLooks("within tolerance", "ph.check-circle", "good"),
    "different": VerdictLooks("different", "ph.x-circle", "bad"),
    "source_missing": VerdictLooks("source missing", "ph.minus-circle", "muted"),
    "package_missing": VerdictLooks("package missing", "ph.minus-circle", "muted"),
    "error": VerdictLooks("error", "ph.x-circle", "bad"),
    "warning": VerdictLooks("warning", "ph.warning", "caution"),
    "info": VerdictLooks("info", "ph.info", "muted"),
}


def looks_of(verdict: str) -> VerdictLooks:
    """Return how a verdict or severity is shown; unknown ones as plain words."""
    return _LOOKS.get(verdict, VerdictLooks(verdict.replace("_", " "), "ph.info", "muted"))


def verdict_icon(theme: Theme, verdict: str) -> QIcon:
    """Return the icon of a verdict in its colour."""
    looks = looks_of(verdict)
    return icon(theme, looks.icon, looks.shade)
