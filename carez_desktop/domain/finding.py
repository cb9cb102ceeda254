"""Observations that do not stop the work: returned and shown, never only logged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to whoever uses the result."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about one subject.

    Attributes:
        severity: How much it matters.
        code: Stable snake_case key, for tests and filters (`gantry_tilt`, `lossy_compression`).
        subject: The file, series or case that it is about; free of patient identity.
        text: One sentence for a person.
    """

    severity: Severity
    code: str
    subject: str
    text: str


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 file`, `3 files`; `plural` is for nouns that take more than an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
