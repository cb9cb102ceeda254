"""Read real volumes and synthetic cases one after another, and reduce them for an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carez_desktop.domain.coverage import exclusion_of
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.domain.strata import CoverageAxis, strata_of
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import InputError
from carez_desktop.progress import (
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.evaluation.evidence import CaseEvidence, Evidence, ImageEvidence
    from carez_desktop.evaluation.fidelity import PairedNoise
    from carez_desktop.evaluation.utility import UtilityStudy

_RERUN_SHARE = 0.4


def gather_evidence(
    context: WorkflowContext,
    *,
    real: Sequence[VolumeRecord],
    synthetic: Path | Sequence[VolumeRecord],
    plan: EvaluationPlan,
    utility: UtilityStudy | None = None,
    utility_reason: str = "",
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> Evidence:
    """Reduce real volumes and synthetic cases, and make some of the cases again.

    Args:
        context: The site.
        real: Records of real volumes; synthetic ones among them are refused.
        synthetic: A bundle, or records of synthetic volumes.
        plan: How many cases are made again.
        utility: Both arms on held-out patients, if they were trained.
        utility_reason: Why they were not.
        progress: From 0 to 1.
        cancel: Asked at each volume.

    Raises:
        InputError: A synthetic volume among the real ones; a volume that cannot be read.
    """
    from carez_desktop.evaluation.evidence import Evidence
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    for record in real:
        if record.kind is not VolumeKind.REAL:
            raise InputError(
                "A synthetic or derived volume stands among the real ones",
                subject=record.volume_id,
                hint="Freeze the cohort again without it",
            )
    axes = load_coverage_plan().axes
    reading = PartProgress(progress, 0.0, 1.0 - _RERUN_SHARE)
    modalities = _modalities(synthetic)
    usable = [
        record
        for record in real
        if not exclusion_of(record) and record.modality in modalities and record.shape[0] > 1
    ]
    images = _reduce_real(context, usable, axes, PartProgress(reading, 0.0, 0.6), cancel)
    part = PartProgress(reading, 0.6, 1.0)
    if isinstance(synthetic, Path):
        cases = _reduce_bundle(context, synthetic, part, cancel)
        outcomes = _make_again(
            context, synthetic, plan, PartProgress(progress, 1.0 - _RERUN_SHARE, 1.0), cancel
        )
    else:
        cases, outcomes = _reduce_records(context, synthetic, axes, part, cancel), ()
    reason = utility_reason or "No model was trained; carez pilot trains both arms"
    return Evidence(images, cases, outcomes, utility, reason)


def _modalities(synthetic: Path | Sequence[VolumeRecord]) -> set[str]:
    """Return what the cases are, so that nothing is read that they cannot be compared with."""
    if isinstance(synthetic, Path):
        from carez_desktop.hdf5.reader import list_cases

        return {entry.modality for entry in list_cases(synthetic)}
    return {record.modality for record in synthetic}


def _reduce_real(
    context: WorkflowContext,
    records: Sequence[VolumeRecord],
    axes: Sequence[CoverageAxis],
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> tuple[ImageEvidence, ...]:
    from carez_desktop.evaluation.evidence import reduce_image
    from carez_desktop.workflows.load_volume import load_volume

    images = []
    for index, record in enumerate(records):
        cancel.raise_if_cancelled()
        progress.report(index / len(records), f"Real volume {index + 1} of {len(records)}")
        volume = load_volume(context, volume_id=record.volume_id, audit=False, cancel=cancel)
        images.append(
            reduce_image(
                volume,
                key=record.volume_id,
                patient=record.patient_id,
                strata=strata_of(record, axes),
            )
        )
    read = [record.volume_id for record in records]
    context.audit_log.append("load_volumes", purpose="evaluation", volume_ids=read)
    return tuple(images)


def _reduce_bundle(
    context: WorkflowContext,
    bundle: Path,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> tuple[CaseEvidence, ...]:
    from carez_desktop.evaluation.evidence import CaseEvidence, reduce_image
    from carez_desktop.hdf5.reader import list_cases, read_case_record, read_case_volume
    from carez_desktop.workflows.load_volume import load_volume

    entries = list_cases(bundle)
    cases = []
    source: Volume | None = None
    for index, entry in enumerate(entries):
        cancel.raise_if_cancelled()
        progress.report(index / len(entries), f"Case {index + 1} of {len(entries)}")
        record = read_case_record(bundle, entry.case_id)
        origin = _find_source(context, f"{bundle}#{entry.case_id}")
        volume = read_case_volume(bundle, entry.case_id)
        paired = None
        if origin is not None:
            if source is None or source.volume_id != origin.volume_id:
                source = load_volume(
                    context, volume_id=origin.volume_id, audit=False, cancel=cancel
                )
            paired = _compare(source, volume, record, origin.patient_id)
        cases.append(
            CaseEvidence(
                image=reduce_image(
                    volume,
                    key=entry.case_id,
                    patient=origin.patient_id if origin else "",
                    strata={str(k): str(v) for k, v in entry.coverage_cell.items()},
                ),
                generator_id=entry.generator_id,
                privacy_class=entry.privacy_class,
                source_key=origin.volume_id if origin else "",
                paired=paired,
                record=record,
            )
        )
    read = sorted({case.source_key for case in cases} - {""})
    if read:
        context.audit_log.append("load_volumes", purpose="evaluation", volume_ids=read)
    return tuple(cases)


def _find_source(context: WorkflowContext, volume_id: str) -> VolumeRecord | None:
    """Return the record of the volume that a case was made from; None if it is not here."""
    from carez_desktop.workflows.find_case_source import find_case_source

    found = find_case_source(context, volume_id=volume_id)
    return context.library.volume(found) if found else None


def _compare(
    source: Volume, volume: Volume, record: Mapping[str, Any], patient: str
) -> PairedNoise | None:
    """Compare a low-dose CT with its source; None for other cases."""
    from carez_desktop.evaluation.features import foreground_mask
    from carez_desktop.evaluation.fidelity import compare_with_source

    fraction = record.get("conditions", {}).get("dose_fraction")
    if volume.units != "HU" or fraction is None or not 0.0 < float(fraction) < 1.0:
        return None
    if source.array.shape != volume.array.shape:
        return None
    return compare_with_source(
        patient,
        source.array,
        volume.array,
        dose_fraction=float(fraction),
        mask=foreground_mask(source),
    )


def _reduce_records(
    context: WorkflowContext,
    records: Sequence[VolumeRecord],
    axes: Sequence[CoverageAxis],
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> tuple[CaseEvidence, ...]:
    """Reduce synthetic volumes of the library: nothing is known of how they were made."""
    from carez_desktop.evaluation.evidence import CaseEvidence

    images = _reduce_real(context, records, axes, progress, cancel)
    return tuple(CaseEvidence(image, "unknown", "unconditional") for image in images)


def _make_again(
    context: WorkflowContext,
    bundle: Path,
    plan: EvaluationPlan,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> tuple[str, ...]:
    """Make the first cases of each generator again, as many as the plan asks for in all."""
    from carez_desktop.hdf5.reader import list_cases
    from carez_desktop.workflows.regenerate_cases import regenerate_cases

    entries = list_cases(bundle)
    chosen: list[str] | None = None
    if plan.regenerate:
        names = sorted({entry.generator_id for entry in entries})
        chosen = []
        for name in names:
            own = [entry.case_id for entry in entries if entry.generator_id == name]
            chosen += own[: max(1, plan.regenerate // len(names))]
    made = regenerate_cases(
        context, bundle=bundle, case_ids=chosen, progress=progress, cancel=cancel
    )
    return tuple(case.outcome.value for case in made)
