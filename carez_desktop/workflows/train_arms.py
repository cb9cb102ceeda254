"""Train a segmenter with and without synthetic cases, and read both on held-out patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.cohort import Cohort
from carez_desktop.domain.evaluation import LabelledVolume
from carez_desktop.domain.plan import PilotPlan
from carez_desktop.domain.strata import CoverageAxis, strata_of
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.evaluation.utility import UtilityStudy

Truth = Callable[[str], npt.NDArray[Any] | None]
"""Volume id -> reference label map on its grid (0 is background), or None."""

SUBGROUPS = ("sex", "age_group", "manufacturer")


def train_arms(
    context: WorkflowContext,
    *,
    cohort: Cohort,
    bundle: Path,
    plan: PilotPlan,
    truth: Truth | None,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> tuple[UtilityStudy | None, str]:
    """Train both arms of a utility study, as far as labels and split allow.

    The arm `real` has the labelled training patients; `real+synthetic` has the same and the
    bundle's cases of these patients, with the labels of their sources. The threshold comes from the
    validation patients; read are the test patients' real volumes in the plan's cell.

    Args:
        context: The site.
        cohort: With its split.
        bundle: Synthetic cases.
        plan: Cell, seeds, steps.
        truth: Gives reference label maps; None where there are none.
        progress: From 0 to 1.
        cancel: Asked at each training step.

    Returns:
        The study, or None and the reason why there is none.

    Raises:
        InputError: A volume that cannot be read. CancelledError: When asked.
    """
    if truth is None:
        return None, "No label maps come with these studies, so no model can be trained on them"
    progress.report(0.0, "Reading labelled volumes")
    splits = {
        split: _labelled(context, cohort, split, truth, cancel)
        for split in ("train", "validation", "test")
    }
    cell = dict(plan.gap)
    held_out = [volume for volume, strata in splits["test"] if _in_cell(strata, cell)]
    train = [volume for volume, _ in splits["train"]]
    validation = [volume for volume, _ in splits["validation"]]
    reason = _obstacle(train, validation, held_out, cell)
    if reason:
        return None, reason
    made = _synthetic(context, bundle, {volume.key: volume for volume in train}, cancel)
    if not made:
        return None, "No synthetic case was made from a labelled training volume"
    return _run(train, made, validation, held_out, plan, progress, cancel), ""


def _run(
    train: Sequence[LabelledVolume],
    made: Sequence[LabelledVolume],
    validation: Sequence[LabelledVolume],
    held_out: Sequence[LabelledVolume],
    plan: PilotPlan,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> UtilityStudy:
    from carez_desktop.evaluation.utility import REAL, WITH_SYNTHETIC, run_arms
    from carez_desktop.training.segmenter import Segmenter, single_thread, train_segmenter

    def train_and_predict(
        cases: Sequence[LabelledVolume],
        *,
        seed: int,
        progress: ProgressReporter,
        cancel: CancellationToken,
    ) -> Segmenter:
        return train_segmenter(
            cases, seed=seed, plan=plan.segmenter, progress=progress, cancel=cancel
        )

    with single_thread():
        return run_arms(
            train_and_predict,
            {REAL: train, WITH_SYNTHETIC: [*train, *made]},
            validation,
            held_out,
            plan.segmenter,
            progress=progress,
            cancel=cancel,
        )


def _obstacle(
    train: Sequence[LabelledVolume],
    validation: Sequence[LabelledVolume],
    held_out: Sequence[LabelledVolume],
    cell: Mapping[str, str],
) -> str:
    """Return why no study is possible, or ""."""
    if not any(volume.mask.any() for volume in train):
        return "No training volume has a labelled lesion"
    if not validation:
        return "The split has no labelled validation patient to fix the threshold with"
    if not held_out:
        words = ", ".join(f"{axis} {level}" for axis, level in cell.items())
        return f"The split has no labelled test patient in the cell ({words})"
    return ""


def _in_cell(strata: Mapping[str, str], cell: Mapping[str, str]) -> bool:
    return all(strata.get(axis) == level for axis, level in cell.items())


def _labelled(
    context: WorkflowContext,
    cohort: Cohort,
    split: str,
    truth: Truth,
    cancel: CancellationToken,
) -> list[tuple[LabelledVolume, Mapping[str, str]]]:
    """Load the labelled real volumes of a split with their strata."""
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan
    from carez_desktop.workflows.load_volume import load_volume

    axes = load_coverage_plan().axes
    found = []
    for member in cohort.of_split(split):
        cancel.raise_if_cancelled()
        record = context.library.volume(member.volume_id)
        if record.kind is not VolumeKind.REAL or record.refusal:
            continue
        mask = truth(record.volume_id)
        if mask is None:
            continue
        volume = load_volume(context, volume_id=record.volume_id, audit=False, cancel=cancel)
        if mask.shape != volume.array.shape:
            continue
        found.append(_entry(record, volume.array, mask, axes))
    read = [entry.key for entry, _ in found]
    context.audit_log.append("load_volumes", purpose="training", split=split, volume_ids=read)
    return found


def _entry(
    record: VolumeRecord,
    image: npt.NDArray[Any],
    mask: npt.NDArray[Any],
    axes: Sequence[CoverageAxis],
) -> tuple[LabelledVolume, Mapping[str, str]]:
    strata = strata_of(record, axes)
    labelled = LabelledVolume(
        key=record.volume_id,
        patient=record.patient_id,
        image=image,
        mask=np.asarray(mask) > 0,
        subgroups={name: strata[name] for name in SUBGROUPS if name in strata},
    )
    return labelled, strata


def _synthetic(
    context: WorkflowContext,
    bundle: Path,
    sources: Mapping[str, LabelledVolume],
    cancel: CancellationToken,
) -> list[LabelledVolume]:
    """Load the cases made from labelled training volumes; they lie on their sources' grids."""
    from carez_desktop.hdf5.reader import list_cases, read_case_volume
    from carez_desktop.workflows.find_case_source import find_case_source

    made = []
    for entry in list_cases(bundle):
        cancel.raise_if_cancelled()
        source = sources.get(find_case_source(context, volume_id=f"{bundle}#{entry.case_id}"), None)
        if source is None or source.mask.shape != entry.shape:
            continue
        volume = read_case_volume(bundle, entry.case_id)
        made.append(
            LabelledVolume(
                entry.case_id, source.patient, volume.array, source.mask, True, source.subgroups
            )
        )
    return made
