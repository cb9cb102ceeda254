"""Generate synthetic cases into a draft bundle, all or nothing."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import carez_desktop
from carez_desktop.domain.bundle import BundleHeader, BundleSummary
from carez_desktop.domain.finding import Finding, counted
from carez_desktop.domain.generation import GenerationOrder, GeneratorPackage, SyntheticCase
from carez_desktop.errors import StorageError, UsageError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.stage_cases import (
    PreparedOrder,
    StagedCase,
    prepare_order,
    stage_cases,
)

if TYPE_CHECKING:
    from carez_desktop.workflows._coverage_plan_file import CoveragePlan
    from carez_desktop.workflows.context import WorkflowContext

_ASSEMBLY_SHARE = 0.06
_STAGING_MARK = ".staging-"


@dataclass(frozen=True, slots=True)
class GeneratedCase:
    """One case of the new bundle, in brief.

    Attributes:
        source_volume_id: On this site only; the bundle names the source by a keyed digest.
    """

    case_id: str
    generator_id: str
    sha256: str
    source_volume_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class GeneratedCohort:
    """What one generation made.

    Attributes:
        device: Which device ran it, in words.
        seconds_per_case: Mean wall time of a case.
    """

    bundle: Path
    bundle_uuid: str
    cases: tuple[GeneratedCase, ...]
    device: str
    seconds_per_case: float
    findings: tuple[Finding, ...] = ()


def generate_cohort(
    context: WorkflowContext,
    *,
    generator_id: str,
    count: int,
    seed: int,
    out: Path,
    sources: Sequence[str] = (),
    conditions: Mapping[str, Any] | None = None,
    also: Sequence[GenerationOrder] = (),
    device: str | None = None,
    overwrite: bool = False,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[SyntheticCase], None] = IGNORE,
) -> GeneratedCohort:
    """Generate cases and assemble them into a draft bundle.

    Args:
        context: The site.
        generator_id: `id`, or `id@version`.
        count: How many cases, in all; sources take turns.
        seed: With the case id it keys every random number.
        out: The bundle; it appears whole when everything is done.
        sources: Volume ids, or cohorts as NAME[@split], for a generator that needs a source.
        conditions: Values by name; the package's defaults fill the rest.
        also: Further orders whose cases go into the same bundle.
        device: `auto`, `cpu` or `cuda`; None takes the setting.
        overwrite: Replace an existing file.
        progress: Told after each step of each case.
        cancel: Checked within every case.
        partial: Given each case as it comes.

    Raises:
        UsageError: A condition outside its range, a missing source. ModelError: An invalid package.
        InputError: A source that does not fit. StorageError: An output that cannot be written.
        CancelledError: Nothing half-written is left behind.
    """
    from carez_desktop.hdf5.assembly import refuse_existing
    from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

    out = out.expanduser().absolute()
    refuse_existing(out, overwrite=overwrite)
    chosen_device = _known_device(device or context.settings.device)
    first = GenerationOrder(generator_id, count, seed, dict(conditions or {}), tuple(sources))
    orders = _prepare(context, (first, *also))
    plan = load_coverage_plan()
    started = context.clock()
    staged: list[StagedCase] = []
    total = sum(len(order.requests) for order in orders)
    with _staging_folder(out) as folder:
        for order in orders:
            share = (1.0 - _ASSEMBLY_SHARE) / total
            begin = len(staged) * share
            part = PartProgress(progress, begin, begin + len(order.requests) * share)
            staged += stage_cases(
                context,
                order=order,
                folder=folder,
                axes=plan.axes,
                device=chosen_device,
                progress=part,
                cancel=cancel,
                partial=partial,
            )
        cancel.raise_if_cancelled()
        progress.report(1.0 - _ASSEMBLY_SHARE, "assembling the bundle")
        packages = tuple(order.package for order in orders)
        summary = _assemble(context, staged, packages, plan, out, started, overwrite, cancel)
    _remember(context, staged, summary)
    progress.report(1.0, counted(total, "case"))
    return GeneratedCohort(
        bundle=out,
        bundle_uuid=summary.bundle_uuid,
        cases=tuple(
            GeneratedCase(
                case.origin.case_id,
                case.origin.generator_id,
                case.origin.image_sha256,
                case.source_volume_id,
                case.seconds,
            )
            for case in staged
        ),
        device=", ".join(dict.fromkeys(case.device for case in staged)),
        seconds_per_case=sum(case.seconds for case in staged) / total,
        findings=_distinct(finding for case in staged for finding in case.findings),
    )


def _known_device(name: str) -> str:
    """Return the name; families that run on the processor alone would not look at it.

    Raises:
        UsageError: For another word than auto, cpu, cuda.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"There is no device {name}", subject="device", hint="Give auto, cpu or cuda"
        )
    return name


def _prepare(
    context: WorkflowContext, orders: Sequence[GenerationOrder]
) -> tuple[PreparedOrder, ...]:
    """Check every order before the first case runs; case numbers go on from order to order."""
    prepared: list[PreparedOrder] = []
    number = 1
    for order in orders:
        prepared.append(prepare_order(context, order, first_number=number))
        number += order.count
    return tuple(prepared)


@contextmanager
def _staging_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside the bundle that is gone afterwards, whatever happens.

    One that a killed process left behind for the same bundle is removed first.
    """
    if not out.parent.is_dir():
        raise UsageError(
            "The folder for the bundle does not exist",
            subject=str(out.parent),
            hint="Create it, or choose another --out",
        )
    from carez_desktop.system.file_safety import is_running

    prefix = f".{out.name}{_STAGING_MARK}"
    for left in out.parent.glob(f"{glob.escape(prefix)}*"):
        number = left.name.removeprefix(prefix).split("-")[0]
        if number.isdigit() and not is_running(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=out.parent))
    except OSError as error:
        raise StorageError(
            f"The folder for the bundle cannot be written: {error.strerror}",
            subject=str(out.parent),
            hint="Choose a writable folder with free space",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _assemble(
    context: WorkflowContext,
    staged: Sequence[StagedCase],
    packages: Sequence[GeneratorPackage],
    plan: CoveragePlan,
    out: Path,
    started: datetime,
    overwrite: bool,
    cancel: CancellationToken,
) -> BundleSummary:
    from carez_desktop.domain.provenance import describe_generation
    from carez_desktop.hdf5.assembly import assemble_bundle
    from carez_desktop.system.environment import describe_environment

    now = context.clock()
    producer = f"Carez Desktop {carez_desktop.__version__}"
    if context.settings.site_name:
        producer += f", {context.settings.site_name}"
    header = BundleHeader(
        bundle_uuid=str(uuid.uuid4()),
        created_utc=now.isoformat(timespec="seconds"),
        producer=producer,
        license=" AND ".join(dict.fromkeys(package.manifest.license for package in packages)),
        stand_in=context.library.simulated_stand_in,
    )
    provenance = describe_generation(
        header.bundle_uuid,
        producer,
        [case.origin for case in staged],
        started_utc=started.isoformat(timespec="seconds"),
        ended_utc=now.isoformat(timespec="seconds"),
        environment=describe_environment(),
    )
    return assemble_bundle(
        [case.path for case in staged],
        out,
        header=header,
        coverage=coverage_of_bundle(context, staged, plan),
        provenance=provenance,
        cards=_cards(packages),
        audit_extract=context.audit_log.extract(),
        overwrite=overwrite,
        cancel=cancel,
    )


def coverage_of_bundle(
    context: WorkflowContext, staged: Sequence[StagedCase], plan: CoveragePlan
) -> dict[str, Any]:
    """Return axes, cells with counts before and after, and the target cells of a bundle.

    Counted are volumes: before are the site's real ones, after is before plus the bundle's cases.
    """
    from carez_desktop.domain.coverage import measure, subjects_of

    real = subjects_of(context.library.volumes(), plan.axes)
    acquired = [subject for subject in real if not subject.synthetic]
    matrix = measure([*acquired, *(case.subject for case in staged)], plan.axes)
    targets = {tuple(sorted(case.subject.strata.items())) for case in staged}
    return {
        "axes": [
            {"name": axis.name, "title": axis.title, "levels": axis.levels} for axis in matrix.axes
        ],
        "unit": "volumes",
        "cells": [
            {
                "axes": cell.axes,
                "strata": cell.strata,
                "before": cell.volumes,
                "after": cell.volumes + cell.synthetic_volumes,
                "synthetic": cell.synthetic_volumes,
            }
            for cell in matrix.cells
            if cell.volumes or cell.synthetic_volumes
        ],
        "target_cells": [dict(target) for target in sorted(targets)],
        "pairwise_coverage_before": matrix.pairwise_coverage,
        "pairwise_coverage_after": matrix.pairwise_with_synthetic,
    }


def _cards(packages: Sequence[GeneratorPackage]) -> dict[str, str]:
    """Return the model card of every package, by a name that is one object of the file."""
    cards = {}
    for package in packages:
        card = package.folder / "README.md"
        name = f"model-{package.manifest.id}-{package.manifest.version}"
        cards[name] = (
            card.read_text(encoding="utf-8") if card.is_file() else package.manifest.summary
        )
    return cards


def _remember(
    context: WorkflowContext, staged: Sequence[StagedCase], summary: BundleSummary
) -> None:
    """Keep what recognises the cases when they come back, and write the audit line."""
    origins = [case.origin for case in staged]
    for case in staged:
        context.library.remember_digest(
            case.pixels, shape=case.shape, origin=f"{summary.bundle_uuid} {case.origin.case_id}"
        )
    context.audit_log.append(
        "generate",
        bundle=summary.bundle_uuid,
        root=summary.root,
        cases=len(origins),
        packages=sorted({origin.package_digest for origin in origins}),
        images=[origin.image_sha256 for origin in origins],
    )


def _distinct(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
