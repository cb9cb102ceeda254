"""What one pilot found: the gap, the cases, the proof, the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.domain.evaluation import Evaluation, Measurement
from carez_desktop.domain.finding import Finding


@dataclass(frozen=True, slots=True)
class PilotGap:
    """The cell that a pilot fills.

    Attributes:
        cell: Axis -> level, as the plan declares it.
        patients / volumes: Real ones in the cell, in the training split.
        rank: Place of this gap in the ranking of the training split, from 1; None where the cell
            is no gap there.
        gaps: How many gaps there are.
    """

    cell: Mapping[str, str]
    patients: int
    volumes: int
    rank: int | None
    gaps: int

    @property
    def text(self) -> str:
        """The gap in one sentence."""
        cell = ", ".join(f"{axis} {level}" for axis, level in self.cell.items())
        if self.rank is None:
            return f"{cell}: {self.patients} training patients, not a gap here"
        return f"{cell}: {self.patients} training patients, gap {self.rank} of {self.gaps}"


@dataclass(frozen=True, slots=True)
class PilotResult:
    """What `run_pilot` hands over.

    Attributes:
        verdict: Of verifying the sealed bundle (`valid`, ...).
        lift: Recall lift of the utility axis, as it came out.
        statements: What a reader has to know, in sentences (simulated, what was not possible).
        seconds: Wall time of all of it.
    """

    bundle: Path
    bundle_uuid: str
    report: Path
    verdict: str
    root: str
    keyid: str
    revision: int
    evaluation: Evaluation
    gap: PilotGap
    cases: int
    device: str
    seconds_per_case: float
    lift: Measurement | None
    statements: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float
