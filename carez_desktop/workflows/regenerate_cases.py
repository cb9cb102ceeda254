"""Make every case of a bundle again from its record, and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.bundle import RegeneratedCase, RegenerationOutcome
from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.generation import (
    GenerateCase,
    GenerationRequest,
    GeneratorPackage,
    SyntheticCase,
)
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import InputError, ModelError, NotFoundError
from carez_desktop.progress import (
    IGNORE,
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)
from carez_desktop.workflows.context import WorkflowContext

if TYPE_CHECKING:
    from carez_desktop.domain.generation import LabelMap

GOLDEN_FILE = "golden/golden.json"
TOLERANCE_KEY = "regeneration_tolerance"
LABEL_TOLERANCE_SHARE = 1e-3


class _MissingError(Exception):
    """Something that a case was made from is not here."""

    def __init__(self, outcome: RegenerationOutcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def regenerate_cases(
    context: WorkflowContext,
    *,
    bundle: Path,
    case_ids: Sequence[str] | None = None,
    device: str = "auto",
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
    partial: Callable[[object], None] = IGNORE,
) -> tuple[RegeneratedCase, ...]:
    """Run each case's generator again with its recorded package, source, seed and conditions.

    Args:
        context: Its packages and library must hold what the cases were made from.
        bundle: Should be verified first.
        case_ids: Only these; None for all.
        device: As for generating.
        progress: From 0 to 1.
        cancel: Asked within each case.
        partial: Receives each `RegeneratedCase`.

    Returns:
        For each case: `identical` (same voxels and labels), `within_tolerance` (of the package,
        for the provider at hand), `different`, `source_missing` or `package_missing`.

    Raises:
        InputError: Not a bundle, or damaged. DeviceError: As the family says.
    """
    from carez_desktop.hdf5.reader import list_cases

    cases = [entry for entry in list_cases(bundle) if case_ids is None or entry.case_id in case_ids]
    bench = _Bench(context, device)
    made: list[RegeneratedCase] = []
    for index, entry in enumerate(cases):
        cancel.raise_if_cancelled()
        span = (index / len(cases), (index + 1) / len(cases))
        part = PartProgress(progress, *span, prefix=f"{entry.case_id}: ")
        made.append(_regenerate(bench, bundle, entry.case_id, part, cancel))
        partial(made[-1])
    context.audit_log.append(
        "regenerate_cases", outcomes={case.case_id: case.outcome.value for case in made}
    )
    return tuple(made)


class _Bench:
    """Keeps the package, family and source at hand from one case to the next."""

    def __init__(self, context: WorkflowContext, device: str) -> None:
        self.context = context
        self.device = device
        self._packages: dict[tuple[str, str], GeneratorPackage] = {}
        self._families: dict[str, GenerateCase] = {}
        self._sources: dict[str, Volume] = {}

    def package(self, record: Mapping[str, Any]) -> GeneratorPackage:
        """Return the very package that the record names."""
        from carez_desktop.inference.package_store import find_package

        key = (record["generator_id"], record["generator_version"])
        if key not in self._packages:
            try:
                self._packages[key] = find_package(self.context.package_roots, *key)
            except ModelError as error:
                raise _MissingError(RegenerationOutcome.PACKAGE_MISSING, error.what) from error
        package = self._packages[key]
        if package.digest != record["package_digest"]:
            raise _MissingError(
                RegenerationOutcome.PACKAGE_MISSING,
                f"{key[0]} {key[1]} is here, but not the same files",
            )
        return package

    def generate(self, family: str) -> GenerateCase:
        """Return what makes the cases of a family; asked once, it may keep a process."""
        from carez_desktop.generators.catalogue import family_function

        if family not in self._families:
            self._families[family] = family_function(family)
        return self._families[family]

    def source(self, digest: str, cancel: CancellationToken) -> Volume | None:
        """Find the source by its keyed digest; its pixels must still be the same."""
        from carez_desktop.system.keys import is_source, site_secret, source_digest

        if not digest:
            return None
        if digest in self._sources:
            return self._sources[digest]
        secret = site_secret(self.context.home)
        for record in self.context.library.volumes():
            if is_source(secret, digest, record.volume_id):
                volume = self._load(record.volume_id, cancel)
                now = source_digest(secret, record.volume_id, array_digest(volume.array))
                if now != digest:
                    raise _MissingError(
                        RegenerationOutcome.SOURCE_MISSING,
                        "The source is in the library, but its pixels are not the same",
                    )
                self._sources = {digest: volume}
                return volume
        raise _MissingError(
            RegenerationOutcome.SOURCE_MISSING, "The source is not in this site's library"
        )

    def _load(self, volume_id: str, cancel: CancellationToken) -> Volume:
        from carez_desktop.workflows.load_volume import load_volume

        try:
            return load_volume(self.context, volume_id=volume_id, cancel=cancel)
        except (InputError, NotFoundError) as error:
            raise _MissingError(
                RegenerationOutcome.SOURCE_MISSING, f"The source does not load: {error.what}"
            ) from error


def _regenerate(
    bench: _Bench, bundle: Path, case_id: str, progress: ProgressReporter, cancel: CancellationToken
) -> RegeneratedCase:
    from carez_desktop.hdf5.reader import read_case_labels, read_case_record, read_case_volume

    record = read_case_record(bundle, case_id)
    try:
        package = bench.package(record)
        source = bench.source(record["source_digest"], cancel)
    except _MissingError as missing:
        return RegeneratedCase(case_id, missing.outcome, None, str(missing))
    request = GenerationRequest(
        generator_id=record["generator_id"],
        generator_version=record["generator_version"],
        case_id=record["case_id"],
        seed=record["seed"],
        conditions=record["conditions"],
        source_volume_id=source.volume_id if source else "",
    )
    generate = bench.generate(package.manifest.family)
    again = generate(
        package, request, source=source, device=bench.device, progress=progress, cancel=cancel
    )
    stored = read_case_volume(bundle, case_id)
    return compare(
        case_id, again, stored.array, read_case_labels(bundle, case_id), _tolerance(package, again)
    )


def compare(
    case_id: str,
    again: SyntheticCase,
    stored: npt.NDArray[Any],
    labels: tuple[LabelMap, ...],
    tolerance: float,
) -> RegeneratedCase:
    """Compare a case made again with the stored one.

    Args:
        case_id: For the result.
        again: The case made again.
        stored: (slice, row, column), modality values.
        labels: Stored label maps.
        tolerance: Largest allowed absolute difference, in modality values.
    """
    made = again.volume.array
    made_labels = {label.name: label.array for label in again.labels}
    shapes_fit = made.shape == stored.shape and made_labels.keys() == {x.name for x in labels}
    if not shapes_fit:
        return RegeneratedCase(
            case_id, RegenerationOutcome.DIFFERENT, None, "The shape or the set of labels differs"
        )
    difference = float(np.max(np.abs(made.astype(np.float64) - stored.astype(np.float64))))
    shares = [float(np.mean(made_labels[item.name] != item.array)) for item in labels]
    share = max(shares, default=0.0)
    same_bytes = array_digest(made) == array_digest(stored)
    if same_bytes and share == 0.0:
        return RegeneratedCase(case_id, RegenerationOutcome.IDENTICAL, 0.0)
    reason = f"largest difference {difference:g}, {share:.2%} of the label voxels differ"
    close = difference <= tolerance and share <= LABEL_TOLERANCE_SHARE and tolerance > 0.0
    outcome = RegenerationOutcome.WITHIN_TOLERANCE if close else RegenerationOutcome.DIFFERENT
    return RegeneratedCase(
        case_id, outcome, difference, f"{reason}; the package allows {tolerance:g}"
    )


def _tolerance(package: GeneratorPackage, again: SyntheticCase) -> float:
    """Return what the package allows: its manifest's key, or its golden file's for the provider."""
    from carez_desktop.inference.package_store import read_package_json

    stated = package.manifest.raw.get(TOLERANCE_KEY)
    if isinstance(stated, int | float):
        return float(stated)
    if GOLDEN_FILE not in package.manifest.files:
        return 0.0
    golden: Any = read_package_json(package, GOLDEN_FILE)
    by_provider = golden.get("final_volume", {}).get("tolerance", {})
    provider = str(again.details.get("environment", {}).get("provider", ""))
    return float(by_provider.get(provider, 0.0))
