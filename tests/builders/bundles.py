"""Small synthetic cases, staged and assembled, for tests of the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from carez_desktop.domain.bundle import BundleHeader, BundleSummary
from carez_desktop.domain.evaluation import Axis, AxisResult, Evaluation, Measurement, Verdict
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.generation import (
    GenerationRequest,
    GeneratorManifest,
    GeneratorPackage,
    LabelMap,
    PrivacyClass,
    SyntheticCase,
)
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.provenance import CaseOrigin, describe_generation
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.hdf5.assembly import assemble_bundle
from carez_desktop.hdf5.case_staging import stage_case
from carez_desktop.hdf5.reader import list_cases
from carez_desktop.system.keys import source_digest

BUNDLE_UUID = "6f0f6c1e-9a37-4c68-9d5b-0d6c4e1f2a3b"
SOURCE_UID = "1.2.840.99999.7.3.1415"
SOURCE_PATIENT = "MRN0042137"
SOURCE_PATH = "/data/pacs/MRN0042137/series3"
SITE_SECRET = b"s" * 32


def oblique_geometry(shape: tuple[int, int, int]) -> VolumeGeometry:
    """Left-handed, oblique, with three different spacings."""
    angle = np.deg2rad(17.0)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    direction = turn @ np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    return VolumeGeometry.from_parts(shape, (2.5, 0.7, 0.9), (-31.5, 12.25, 100.0), direction)


def make_case(
    case_id: str = "case-0001",
    *,
    shape: tuple[int, int, int] = (5, 12, 14),
    seed: int = 3,
    dtype: Any = np.int16,
    source: str = SOURCE_UID,
    package_digest: str = "c" * 64,
    raw: dict[str, Any] | None = None,
) -> SyntheticCase:
    """Build a case whose details mention what may never reach a bundle."""
    manifest = GeneratorManifest(
        id="low-dose-ct",
        version="1.0.0",
        family="low_dose_ct",
        title="Low-dose CT",
        summary="",
        modality="CT",
        units="HU",
        source_modality="CT",
        privacy_class=PrivacyClass.IMAGE_CONDITIONED,
        license="Apache-2.0",
        intended_use="tests",
        minimum_memory_mib=1,
        conditions=(),
        files={},
        raw=raw or {},
    )
    array, label = voxels_of(case_id, seed, shape, dtype)
    volume = Volume(
        volume_id=case_id,
        array=array,
        geometry=oblique_geometry(shape),
        modality="CT",
        units="HU",
        kind=VolumeKind.SYNTHETIC,
        frame_of_reference_uid=f"{SOURCE_UID}.9",
        window_center=40.0,
        window_width=400.0,
        attributes={"patient_name": SOURCE_PATIENT},
    )
    return SyntheticCase(
        request=GenerationRequest(
            "low-dose-ct", "1.0.0", case_id, seed, {"dose_fraction": 0.25}, source
        ),
        package=GeneratorPackage(manifest, Path(SOURCE_PATH), package_digest),
        volume=volume,
        labels=(LabelMap("nodule", label, {1: ("27925004", "SCT", "Nodule")}),),
        privacy_class=PrivacyClass.IMAGE_CONDITIONED,
        details={
            "photons": 1.5e5,
            "source_volume_id": source,
            "text": f"fitted on {source} in {SOURCE_PATH}/0001.dcm",
            "environment": {"numpy": np.__version__, "home": "/home/somebody"},
        },
        findings=(Finding(Severity.INFO, "extended_field", source, f"{source} was extended"),),
        seconds=0.5,
    )


def voxels_of(
    case_id: str, seed: int, shape: tuple[int, int, int], dtype: Any = np.int16
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth voxels with a little noise, and a label map, from the seed and the name alone."""
    rng = np.random.default_rng([seed, *case_id.encode()])
    grid = np.add.reduce(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    array = (grid * 7 - 300 + rng.normal(0, 12, shape)).astype(dtype)
    return array, (grid % 5 == 0).astype(np.uint8)


def stage_some(folder: Path, count: int = 2, **options: Any) -> list[Path]:
    """Stage cases `case-0001` ... in a folder."""
    return [
        stage_case(
            folder,
            make_case(f"case-{number:04d}", **options),
            source_digest=source_digest(SITE_SECRET, SOURCE_UID, "a" * 64),
            coverage_cell={"dose": "low", "sex": "F"},
        )
        for number in range(1, count + 1)
    ]


def header(**changes: Any) -> BundleHeader:
    """A header of a first draft."""
    facts: dict[str, Any] = {
        "bundle_uuid": BUNDLE_UUID,
        "created_utc": "2026-01-02T03:04:05+00:00",
        "producer": "Carez Desktop tests",
        "license": "CC-BY-4.0",
    }
    return BundleHeader(**(facts | changes))


COVERAGE = {
    "axes": [{"name": "dose", "levels": ["low", "full"]}],
    "cells": [
        {"axes": ["dose"], "strata": ["low"], "before": 3, "after": 5, "synthetic": 2},
        {"axes": ["dose"], "strata": ["full"], "before": 40, "after": 40, "synthetic": 0},
        {"axes": ["dose"], "strata": ["high"], "before": 50, "after": 50, "synthetic": 0},
        {"axes": ["dose"], "strata": ["unknown"], "before": 0, "after": 0, "synthetic": 0},
    ],
}


def provenance(staged: list[Path]) -> dict[str, Any]:
    """PROV-JSON of the cases."""
    origins = [
        CaseOrigin(
            path.name.split(".")[0],
            "d" * 64,
            "low-dose-ct",
            "1.0.0",
            "c" * 64,
            3,
            source_digest(SITE_SECRET, SOURCE_UID, "a" * 64),
            {"dose_fraction": 0.25},
        )
        for path in staged
    ]
    return describe_generation(
        BUNDLE_UUID,
        "Carez Desktop tests",
        origins,
        started_utc="2026-01-02T03:04:05+00:00",
        ended_utc="2026-01-02T03:05:05+00:00",
        environment={"python": "3.11", "libraries": {"numpy": "2"}},
    )


def make_bundle(
    folder: Path, *, count: int = 2, name: str = "set.h5", **options: Any
) -> BundleSummary:
    """Stage and assemble a small draft bundle."""
    staged = stage_some(folder / "staged", count, **options)
    summary = assemble_bundle(
        staged,
        folder / name,
        header=header(),
        coverage=COVERAGE,
        provenance=provenance(staged),
        cards={"model_card_low-dose-ct": "# Low-dose CT\nResearch use only.\n"},
        audit_extract=[{"sequence": 0, "action": "generate_cohort"}],
    )
    assert len(list_cases(summary.bundle)) == count
    return summary


def evaluation() -> Evaluation:
    """An evaluation with a small n and one axis that nobody could judge."""
    measured = Measurement("kid", 0.031, (0.02, 0.05), 7, method="unbiased MMD^2, cubic kernel")
    many = Measurement("recall", 0.9, (0.8, 0.95), 48, method="Wilson")
    return Evaluation(
        axes=(
            AxisResult(Axis.FIDELITY, Verdict.PASS, "inside its margin", (measured, many)),
            AxisResult(Axis.BIAS, Verdict.NOT_EVALUABLE, "fewer than 10 per group", ()),
        ),
        plan={"seed": 1, "margins": {"kid": 0.1}},
        created_utc="2026-01-03T03:04:05+00:00",
        required=(Axis.FIDELITY,),
    )
