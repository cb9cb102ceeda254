"""Generate the cases of an order and stage each as one whole file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.coverage import CoverageSubject, exclusion_of
from carez_desktop.domain.finding import Finding
from carez_desktop.domain.generation import (
    GenerationOrder,
    GenerationRequest,
    GeneratorPackage,
    SyntheticCase,
)
from carez_desktop.domain.pixel_identity import pixel_digest
from carez_desktop.domain.provenance import CaseOrigin
from carez_desktop.domain.strata import CoverageAxis, strata_of
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import InputError, NotFoundError, UsageError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)

if TYPE_CHECKING:
    from carez_desktop.workflows.context import WorkflowContext

MAXIMUM_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class StagedCase:
    """A generated case on disk, and what the bundle's own records need of it.

    Attributes:
        path: Its staged file.
        source_volume_id: On this site only; the bundle names the source by a keyed digest.
        pixels / shape: By which the library recognises it when it comes back without its marks.
        subject: Its strata, for coverage.
        device: What ran it, in words.
    """

    path: Path
    origin: CaseOrigin
    source_volume_id: str
    pixels: str
    shape: tuple[int, int, int]
    subject: CoverageSubject
    device: str
    seconds: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """An order that was checked: it can run."""

    package: GeneratorPackage
    requests: tuple[GenerationRequest, ...]


def prepare_order(
    context: WorkflowContext, order: GenerationOrder, *, first_number: int = 1
) -> PreparedOrder:
    """Check package, conditions and sources before anything runs.

    Args:
        context: The site.
        order: What is asked for.
        first_number: Number of its first case in the bundle.

    Raises:
        UsageError: A count, condition or source that does not fit, naming the field.
        ModelError: A package that is missing or changed. NotFoundError: No such source.
    """
    from carez_desktop.inference.package_store import find_package

    if not 1 <= order.count <= MAXIMUM_COUNT:
        raise UsageError(
            f"{order.count} cases cannot be generated",
            subject="count",
            hint=f"Give 1 to {MAXIMUM_COUNT}",
        )
    name, _, version = order.generator_id.partition("@")
    package = find_package(context.package_roots, name, version or None)
    manifest = package.manifest
    conditions = manifest.resolve_conditions(order.conditions)
    sources = _resolve_sources(context, package, order.sources)
    requests = tuple(
        GenerationRequest(
            generator_id=manifest.id,
            generator_version=manifest.version,
            case_id=f"case-{first_number + index:04d}",
            seed=order.seed,
            conditions=conditions,
            source_volume_id=sources[index % len(sources)] if sources else "",
        )
        for index in range(order.count)
    )
    return PreparedOrder(package, requests)


def _resolve_sources(
    context: WorkflowContext, package: GeneratorPackage, sources: Sequence[str]
) -> tuple[str, ...]:
    """Return volume ids; a cohort gives those of its volumes that have the right modality."""
    wanted = package.manifest.source_modality
    if not wanted:
        if sources:
            raise UsageError(
                f"{package.manifest.id} takes no source", subject="source", hint="Leave it out"
            )
        return ()
    if not sources:
        raise UsageError(
            f"{package.manifest.id} needs a {wanted} volume or cohort as source",
            subject="source",
            hint="carez series lists the volumes",
        )
    found: list[str] = []
    for source in sources:
        found.extend(_volumes_of(context, source, wanted))
    return tuple(found)


def _volumes_of(context: WorkflowContext, source: str, modality: str) -> tuple[str, ...]:
    try:
        record = context.library.volume(source)
    except NotFoundError as error:
        if context.library.volumes_of_series(source):
            raise  # the series has several volumes, and the error names them
        return _volumes_of_cohort(context, source, modality, error)
    unfit = _unfit(record, modality)
    if unfit:
        raise InputError(
            unfit,
            subject=record.volume_id,
            hint="Choose another source; carez series lists the volumes",
        )
    return (record.volume_id,)


def _volumes_of_cohort(
    context: WorkflowContext, source: str, modality: str, no_volume: NotFoundError
) -> tuple[str, ...]:
    from carez_desktop.workflows.show_cohort import show_cohort

    try:
        cohort, split = show_cohort(context, cohort=source)
    except NotFoundError as no_cohort:
        raise NotFoundError(
            "No volume and no cohort has this name",
            subject=source,
            hint=f"{no_cohort.hint}; {no_volume.hint}",
        ) from None
    members = [context.library.volume(member.volume_id) for member in cohort.of_split(split)]
    fitting = [member.volume_id for member in members if not _unfit(member, modality)]
    if not fitting:
        raise InputError(
            f"None of its {len(members)} volumes can be the source of a case made from {modality}",
            subject=source,
            hint="Choose another cohort or split; carez cohort show lists its volumes",
        )
    return tuple(fitting)


def _unfit(record: VolumeRecord, modality: str) -> str:
    """Say why a volume cannot be a source; "" when it can."""
    if record.modality != modality:
        return f"The source is {record.modality or 'of no modality'}, needed is {modality}"
    if record.kind is VolumeKind.SYNTHETIC:
        return "The source is synthetic: synthetic cases are made from acquired data only"
    if record.refusal:
        return f"The source is no volume: {record.refusal}"
    if exclusion_of(record) == "localizer":
        return "The source is a localizer, not a slice of the patient"
    if not record.orientation:
        return "The source has no position in the patient (image_position_patient)"
    return ""


def stage_cases(
    context: WorkflowContext,
    *,
    order: PreparedOrder,
    folder: Path,
    axes: Sequence[CoverageAxis],
    device: str,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[SyntheticCase], None] = IGNORE,
) -> tuple[StagedCase, ...]:
    """Generate every case of an order; each is on disk before the next begins.

    Args:
        context: The site.
        order: Checked.
        folder: For the staged files.
        axes: Of the coverage matrix.
        device: `auto`, `cpu` or `cuda`.
        progress: From 0 to 1 over all cases.
        cancel: Checked within every case.
        partial: Given each case as it comes.

    Raises:
        InputError: A source that does not fit. DeviceError: As the family says.
        StorageError: The folder is full or cannot be written. CancelledError: When asked.
    """
    from carez_desktop.generators.catalogue import family_function

    generate = family_function(order.package.manifest.family)
    staged: list[StagedCase] = []
    source: Volume | None = None
    total = len(order.requests)
    for index, request in enumerate(order.requests):
        cancel.raise_if_cancelled()
        part = PartProgress(
            progress, index / total, (index + 1) / total, f"case {index + 1} of {total}: "
        )
        if request.source_volume_id and (
            source is None or source.volume_id != request.source_volume_id
        ):
            source = _load_source(context, request.source_volume_id, cancel)
        case = generate(
            order.package, request, source=source, device=device, progress=part, cancel=cancel
        )
        staged.append(_stage(context, case, source, folder, axes, cancel))
        partial(case)
    return tuple(staged)


def _load_source(context: WorkflowContext, volume_id: str, cancel: CancellationToken) -> Volume:
    from carez_desktop.workflows.load_volume import load_volume

    return load_volume(context, volume_id=volume_id, cancel=cancel)


def _stage(
    context: WorkflowContext,
    case: SyntheticCase,
    source: Volume | None,
    folder: Path,
    axes: Sequence[CoverageAxis],
    cancel: CancellationToken,
) -> StagedCase:
    from carez_desktop.hdf5.case_staging import stage_case
    from carez_desktop.system.keys import site_secret, source_digest

    digest = ""
    if source is not None:
        digest = source_digest(
            site_secret(context.home), source.volume_id, array_digest(source.array)
        )
    strata = strata_of(_record_of(context, case), axes)
    path = stage_case(folder, case, source_digest=digest, coverage_cell=strata, cancel=cancel)
    request = case.request
    origin = CaseOrigin(
        case_id=request.case_id,
        image_sha256=array_digest(case.volume.array),
        generator_id=request.generator_id,
        generator_version=request.generator_version,
        package_digest=case.package.digest,
        seed=request.seed,
        conditions=request.conditions,
        source_digest=digest,
    )
    return StagedCase(
        path=path,
        origin=origin,
        source_volume_id=request.source_volume_id,
        pixels=pixel_digest(case.volume.array),
        shape=case.volume.geometry.shape,
        subject=CoverageSubject("", strata, synthetic=True),
        device=str(case.details.get("device", "CPU")),
        seconds=case.seconds,
        findings=case.findings,
    )


def _record_of(context: WorkflowContext, case: SyntheticCase) -> VolumeRecord:
    """Return the facts of a case as the library would list them: its source's, changed."""
    volume, source_id = case.volume, case.request.source_volume_id
    if source_id:
        source = context.library.volume(source_id)
        attributes = {**source.attributes, **volume.attributes}
        return replace(source, kind=VolumeKind.SYNTHETIC, attributes=attributes)
    return VolumeRecord(
        volume_id=volume.volume_id,
        series_instance_uid="",
        study_instance_uid="",
        patient_id="",
        modality=volume.modality,
        description="",
        shape=volume.geometry.shape,
        spacing_mm=volume.geometry.spacing_mm,
        orientation=volume.geometry.orientation,
        kind=VolumeKind.SYNTHETIC,
        source_format="generator",
        paths=(),
        attributes=dict(volume.attributes),
    )
