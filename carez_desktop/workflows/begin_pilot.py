"""Start a pilot: its plan, its cohort with a split, and the gap that it fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.domain.cohort import Cohort, with_validation
from carez_desktop.domain.pilot import PilotGap
from carez_desktop.domain.plan import EvaluationPlan, PilotPlan
from carez_desktop.domain.strata import CoverageAxis, strata_of
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import UsageError
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.workflows.context import WorkflowContext

_FEWEST_FOR_SPLIT = 3


@dataclass(frozen=True)
class PilotStart:
    """What a pilot works on.

    Attributes:
        plan: With its `pilot` part.
        pilot: That part.
        cohort: Frozen, with its split; validation patients are set apart where it had none.
        reference: `NAME` of the cohort.
        statements: What its reader has to know from the start.
    """

    plan: EvaluationPlan
    pilot: PilotPlan
    cohort: Cohort
    reference: str
    statements: tuple[str, ...]


def begin_pilot(
    context: WorkflowContext,
    *,
    plan: Path | None,
    cohort: str = "",
    cancel: CancellationToken = NEVER,
) -> PilotStart:
    """Read the plan and find or freeze the cohort.

    Raises:
        UsageError: A plan without `[pilot]`. NotFoundError: No such cohort.
        InputError: No real volume in the library.
    """
    from carez_desktop.workflows._evaluation_plan_file import load_evaluation_plan
    from carez_desktop.workflows.freeze_cohort import freeze_cohort
    from carez_desktop.workflows.show_cohort import show_cohort

    loaded = load_evaluation_plan(plan)
    if loaded.pilot is None:
        raise UsageError(
            "The plan has no [pilot] table",
            subject=str(plan),
            hint="resources/plans/demo.toml shows one",
        )
    name = cohort or loaded.pilot.cohort
    if name:
        frozen, _ = show_cohort(context, cohort=name)
    else:
        frozen = freeze_cohort(
            context, name="pilot", search="", seed=loaded.pilot.seed, cancel=cancel
        )
    frozen = with_validation(frozen, _tested(context, frozen, loaded.pilot))
    statements = []
    if context.library.simulated_stand_in:
        statements.append(
            "The patients of this cohort are simulated and stand in for real ones: "
            "nothing here says anything about patients."
        )
    if len(frozen.patients) < _FEWEST_FOR_SPLIT:
        count = "One patient" if len(frozen.patients) == 1 else f"{len(frozen.patients)} patients"
        statements.append(
            f"{count} cannot be split into training, validation and test, "
            "so nothing could be held out."
        )
    if _all_in_cell(context, frozen, loaded.pilot):
        statements.append(
            "Every training volume that could be a source lies in the target cell already, so this "
            "fills no gap: the cases show what would be left of it at less dose still."
        )
    return PilotStart(loaded, loaded.pilot, frozen, frozen.name, tuple(statements))


def _all_in_cell(context: WorkflowContext, cohort: Cohort, pilot: PilotPlan) -> bool:
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    axes = load_coverage_plan().axes
    cell = dict(pilot.gap)
    records = candidate_sources(context, cohort, cell)
    return bool(records) and all(in_cell(record, cell, axes) for record in records)


def candidate_sources(
    context: WorkflowContext, cohort: Cohort, cell: dict[str, str]
) -> list[VolumeRecord]:
    """Return the real training volumes of the cell's modality."""
    return [
        record
        for member in cohort.of_split("train")
        if (record := context.library.volume(member.volume_id)).kind is VolumeKind.REAL
        and not record.refusal
        and record.modality == cell.get("modality", record.modality)
        and record.shape[0] > 1
    ]


def _tested(context: WorkflowContext, cohort: Cohort, pilot: PilotPlan) -> set[str]:
    """Return the test volumes in the cell that the pilot fills."""
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    axes = load_coverage_plan().axes
    cell = dict(pilot.gap)
    return {
        member.volume_id
        for member in cohort.of_split("test")
        if in_cell(context.library.volume(member.volume_id), cell, axes)
    }


def find_gap(
    context: WorkflowContext, start: PilotStart, *, cancel: CancellationToken = NEVER
) -> PilotGap:
    """Count the plan's cell in the training split, and find its place among the gaps there."""
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan
    from carez_desktop.workflows.measure_coverage import cohort_records, measure_coverage

    matrix = measure_coverage(context, cohort=f"{start.reference}@train", cancel=cancel)
    wanted = dict(start.pilot.gap)
    rank = next(
        (
            place
            for place, found in enumerate(matrix.gaps, start=1)
            if wanted.items() >= {**found.cell}.items() and set(found.axes) <= set(wanted)
        ),
        None,
    )
    axes = load_coverage_plan().axes
    inside = [
        record
        for record in cohort_records(context, f"{start.reference}@train")
        if record.kind is VolumeKind.REAL and in_cell(record, wanted, axes)
    ]
    return PilotGap(
        wanted, len({record.patient_id for record in inside}), len(inside), rank, len(matrix.gaps)
    )


def in_cell(record: VolumeRecord, cell: dict[str, str], axes: Sequence[CoverageAxis]) -> bool:
    """Whether a volume lies in a cell (axis name -> level)."""
    strata = strata_of(record, axes)
    return all(strata.get(axis) == level for axis, level in cell.items())
