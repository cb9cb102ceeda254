"""What a bundle says of itself, what lies in it, and what a check of it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from carez_desktop.domain.finding import Finding

BUNDLE_FORMAT = "carez-bundle"
FORMAT_VERSION = "1.0.0"
SEAL_PREDICATE_TYPE = "urn:carez-desktop:bundle-seal:v1"
FILE_PREDICATE_TYPE = "urn:carez-desktop:bundle-file:v1"
ROOT_DIGEST_NAME = "carezBundleMerkleRoot"
INTENDED_USE = (
    "Research use only: stress tests, augmentation and protocol diversity. Synthetic data is never "
    "a source of clinical truth."
)


class BundleState(StrEnum):
    """How far a bundle has come; each step is a new revision that names the root before it."""

    DRAFT = "draft"
    EVALUATED = "evaluated"
    SEALED = "sealed"


class SealVerdict(StrEnum):
    """What verification says."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    UNTRUSTED = "untrusted"
    INVALID = "invalid"


class RegenerationOutcome(StrEnum):
    """How a regenerated case compares with the stored one."""

    IDENTICAL = "identical"
    WITHIN_TOLERANCE = "within_tolerance"
    DIFFERENT = "different"
    SOURCE_MISSING = "source_missing"
    PACKAGE_MISSING = "package_missing"


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """The attributes of the file's root group.

    Attributes:
        bundle_uuid: Stays the same through all revisions.
        created_utc: ISO 8601, of this revision.
        producer: Product, version and site; never a person.
        license: Under which the synthetic data is handed over.
        previous_root: Merkle root of the revision before, "" for the first.
        stand_in: Whether simulated studies played real (DESIGN section 8).
    """

    bundle_uuid: str
    created_utc: str
    producer: str
    license: str
    intended_use: str = INTENDED_USE
    state: BundleState = BundleState.DRAFT
    revision: int = 1
    previous_root: str = ""
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """A bundle that was written.

    Attributes:
        bundle: Absolute path of the file.
        keyid: Key that signed it, "" for an unsigned one.
    """

    bundle: Path
    bundle_uuid: str
    state: BundleState
    revision: int
    root: str
    cases: tuple[str, ...]
    size_bytes: int
    keyid: str = ""


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One case of a bundle, read without its pixels.

    Attributes:
        shape: (slices, rows, columns). spacing_mm: (slice, row, column).
        sha256: Of the image's little-endian C-order bytes.
    """

    case_id: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    modality: str
    units: str
    privacy_class: str
    labels: tuple[str, ...]
    sha256: str
    generator_id: str
    generator_version: str
    coverage_cell: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """What verification of a bundle found.

    Attributes:
        root: Merkle root recomputed from the file's content.
        keyid: Key whose signature is good, "" for none.
        findings: Each names the object of the file that it is about.
    """

    bundle: Path
    verdict: SealVerdict
    findings: tuple[Finding, ...]
    root: str
    keyid: str
    revision: int
    state: str


@dataclass(frozen=True, slots=True)
class RegeneratedCase:
    """A case made again from its record.

    Attributes:
        max_difference: Largest absolute difference in modality values; None where not made.
        reason: What is missing or differs; "" for an identical one.
    """

    case_id: str
    outcome: RegenerationOutcome
    max_difference: float | None = None
    reason: str = ""
