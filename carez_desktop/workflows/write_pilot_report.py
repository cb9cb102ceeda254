"""Collect what the pictures of a pilot show, and write its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carez_desktop.domain.cohort import SPLITS, Cohort
from carez_desktop.domain.coverage import CoverageMatrix, CoverageSubject, measure, subjects_of
from carez_desktop.domain.pilot import PilotResult
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.domain.strata import UNKNOWN
from carez_desktop.domain.volume import Volume
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.train_arms import Truth

if TYPE_CHECKING:
    from carez_desktop.reports.figures import HeatTable, SlicePair
    from carez_desktop.workflows.generate_cohort import GeneratedCohort

_COLUMN_AXES = ("age_group", "manufacturer", "sex")
_LUNG_WINDOW = (-300.0, 1400.0)


def write_pilot_report(
    context: WorkflowContext,
    *,
    plan: EvaluationPlan,
    cohort: Cohort,
    result: PilotResult,
    generated: GeneratedCohort,
    truth: Truth | None = None,
) -> None:
    """Write `result.report`.

    Args:
        context: The site.
        plan: With its pilot.
        cohort: Real volumes.
        result: What the pilot found.
        generated: Cases and their sources.
        truth: Chooses the slice that shows a lesion, where there is one.

    Raises:
        StorageError: The report cannot be written.
    """
    from carez_desktop.reports.pilot_report import PilotPictures, render_pilot_report
    from carez_desktop.system.file_safety import atomic_output

    pictures = PilotPictures(
        slices=_slices(context, result, generated, truth),
        coverage=_coverage(context, plan, cohort, result),
    )
    text = render_pilot_report(
        result,
        pictures=pictures,
        stand_in=cohort.stand_in,
        cohort={
            "name": cohort.name,
            "version": cohort.version,
            "patients": len(cohort.patients),
            "splits": {
                split: len({member.patient_id for member in cohort.of_split(split)})
                for split in SPLITS
            },
        },
    )
    with atomic_output(result.report, "The report cannot be written") as part:
        part.write_text(text, encoding="utf-8")


def _slices(
    context: WorkflowContext,
    result: PilotResult,
    generated: GeneratedCohort,
    truth: Truth | None,
) -> SlicePair | None:
    """Return a slice of the first case that has a source, beside the same slice of the source."""
    from carez_desktop.hdf5.reader import read_case_volume
    from carez_desktop.reports.figures import SlicePair
    from carez_desktop.workflows.load_volume import load_volume

    case = next((case for case in generated.cases if case.source_volume_id), None)
    if case is None:
        return None
    source = load_volume(context, volume_id=case.source_volume_id)
    synthetic = read_case_volume(result.bundle, case.case_id)
    if source.array.shape != synthetic.array.shape:
        return None
    index = source.array.shape[0] // 2
    mask = truth(case.source_volume_id) if truth else None
    if mask is not None and mask.any():
        index = int(np.argmax(mask.reshape(len(mask), -1).sum(axis=1)))
    played = "simulated, plays real" if context.library.simulated_stand_in else "real"
    row_mm, column_mm = source.geometry.spacing_mm[1:]
    return SlicePair(
        source=_as_viewed(source, index),
        synthetic=_as_viewed(synthetic, index),
        spacing_mm=(row_mm, column_mm),
        window=_LUNG_WINDOW,
        caption=(
            f"{case.case_id} beside its source, axial, centre {_LUNG_WINDOW[0]:.0f} HU, width "
            f"{_LUNG_WINDOW[1]:.0f} HU, seen from the feet; the difference is the added noise."
        ),
        source_title=f"Source ({played})",
    )


def _as_viewed(volume: Volume, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Return a slice with the patient's right at the left and anterior on top."""
    plane = volume.array[index]
    direction = volume.geometry.direction_lps
    if direction[1, 1] < 0.0:
        plane = plane[::-1]
    if direction[0, 2] < 0.0:
        plane = plane[:, ::-1]
    return np.asarray(plane)


def _coverage(
    context: WorkflowContext, plan: EvaluationPlan, cohort: Cohort, result: PilotResult
) -> tuple[HeatTable, HeatTable] | None:
    """Return the training volumes over the gap's axis and a patient axis, before and after."""
    from carez_desktop.hdf5.reader import list_cases
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    axes = load_coverage_plan().axes
    wanted = [name for name in result.gap.cell if name != "modality"]
    names = {axis.name for axis in axes}
    row = next((name for name in wanted if name in names), "")
    column = next((name for name in _COLUMN_AXES if name in names and name != row), "")
    if not row or not column or plan.pilot is None:
        return None
    modality = result.gap.cell.get("modality", "")
    records = [context.library.volume(member.volume_id) for member in cohort.of_split("train")]
    real = subjects_of([record for record in records if modality in ("", record.modality)], axes)
    made = [
        CoverageSubject("", dict(entry.coverage_cell), synthetic=True)
        for entry in list_cases(result.bundle)
        if modality in ("", entry.modality)
    ]
    after = measure([*real, *made], axes)
    return _table(after, row, column, with_synthetic=False), _table(
        after, row, column, with_synthetic=True
    )


def _table(matrix: CoverageMatrix, row: str, column: str, *, with_synthetic: bool) -> HeatTable:
    from carez_desktop.reports.figures import HeatTable

    first, second = matrix.axis(row), matrix.axis(column)
    rows = tuple(level for level in first.levels if level != UNKNOWN)
    columns = tuple(level for level in second.levels if level != UNKNOWN)
    cells = [[matrix.cell({row: level, column: other}) for other in columns] for level in rows]
    return HeatTable(
        row_title=first.title,
        column_title=second.title,
        rows=rows,
        columns=columns,
        real=tuple(tuple(cell.volumes if cell else None for cell in line) for line in cells),
        synthetic=tuple(
            tuple(
                (cell.synthetic_volumes if with_synthetic else 0) if cell else None for cell in line
            )
            for line in cells
        ),
    )
