"""From an order to a bundle: real series, a fake family, and everything that can go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carez_desktop.domain.generation import (
    GenerationOrder,
    GenerationRequest,
    GeneratorPackage,
    SyntheticCase,
)
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import (
    CancelledError,
    DeviceError,
    InputError,
    ModelError,
    StorageError,
    UsageError,
)
from carez_desktop.progress import CancellationFlag
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.generate_cohort import generate_cohort
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_volumes import list_volumes
from carez_desktop.workflows.load_volume import load_volume
from carez_desktop.workflows.regenerate_cases import regenerate_cases
from carez_desktop.workflows.verify_bundle import verify_bundle
from tests.builders.dicom_series import SeriesPlan, build_series


def add_noise(
    package: GeneratorPackage,
    request: GenerationRequest,
    *,
    source: Volume | None,
    device: str,
    progress: Any,
    cancel: Any,
) -> SyntheticCase:
    """Stand in for the physics: values shifted by a number that the request alone decides."""
    assert source is not None
    cancel.raise_if_cancelled()
    if device == "cuda":
        raise DeviceError("No CUDA device", subject="cuda", hint="Use --device cpu")
    shift = round(100 * float(request.conditions["dose_fraction"])) + request.seed
    progress.report(1.0, "noise")
    volume = replace(
        source.with_array((source.array + shift).astype(np.int16)),
        kind=VolumeKind.SYNTHETIC,
        attributes={"exposure": "40"},
    )
    return SyntheticCase(
        request, package, volume, (), package.manifest.privacy_class, {"device": "CPU"}
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[WorkflowContext, str]]:
    monkeypatch.setattr(
        "carez_desktop.generators.catalogue.family_function", lambda _family: add_noise
    )
    build_series(tmp_path / "ct", SeriesPlan())
    context = open_context(tmp_path / "home")
    import_studies(context, paths=(tmp_path / "ct",))
    (record,) = list_volumes(context)
    yield context, record.volume_id
    context.library.close()


def order(context: WorkflowContext, source: str, out: Path, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "generator_id": "low-dose-ct",
        "count": 2,
        "seed": 5,
        "sources": (source,),
        "conditions": {"dose_fraction": "0.25"},
        "out": out,
    }
    return generate_cohort(context, **(given | changes))


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_holds_the_cases_and_verifies(
    site: tuple[WorkflowContext, str], tmp_path: Path
) -> None:
    context, source = site
    out = tmp_path / "out" / "low.h5"
    out.parent.mkdir()
    also = (GenerationOrder("low-dose-ct", 1, 9, {"dose_fraction": 0.5}, (source,)),)
    made = order(context, source, out, also=also)
    assert [case.case_id for case in made.cases] == ["case-0001", "case-0002", "case-0003"]
    assert left_behind(out.parent) == ["low.h5"]
    assert verify_bundle(context, bundle=out).verdict == "unsigned"
    real = load_volume(context, volume_id=source)
    for case, shift in zip(("case-0001", "case-0003"), (30, 59), strict=True):
        again = load_volume(context, volume_id=f"{out}#{case}")
        assert again.kind is VolumeKind.SYNTHETIC
        assert again.geometry.is_close_to(real.geometry)
        np.testing.assert_array_equal(again.array, real.array + shift)
    assert {case.outcome for case in regenerate_cases(context, bundle=out)} == {"identical"}


def test_the_bundle_names_no_source(site: tuple[WorkflowContext, str], tmp_path: Path) -> None:
    context, source = site
    order(context, source, tmp_path / "low.h5")
    content = (tmp_path / "low.h5").read_bytes()
    for secret in (source, str(tmp_path), context.library.volume(source).patient_id or source):
        assert secret.encode() not in content


def test_an_export_without_marks_is_known_by_its_pixels(
    site: tuple[WorkflowContext, str], tmp_path: Path
) -> None:
    from carez_desktop.workflows.export_volume import export_volume
    from carez_desktop.workflows.measure_coverage import measure_coverage

    context, source = site
    order(context, source, tmp_path / "low.h5", count=1)
    volume = f"{tmp_path / 'low.h5'}#case-0001"
    export_volume(context, volume_id=volume, out=tmp_path / "stripped.nrrd")
    text = (tmp_path / "stripped.nrrd").read_bytes()
    header, _, data = text.partition(b"\n\n")
    kept = [line for line in header.split(b"\n") if b"SYNTHETIC" not in line.upper()]
    (tmp_path / "stripped.nrrd").write_bytes(b"\n".join(kept) + b"\n\n" + data)
    import_studies(context, paths=(tmp_path / "stripped.nrrd",))
    measure_coverage(context)
    kinds = {record.source_format: record.kind for record in list_volumes(context)}
    assert kinds["nrrd"] is VolumeKind.SYNTHETIC


@pytest.mark.parametrize(
    ("changes", "error", "subject"),
    [
        ({"conditions": {"dose_fraction": 0}}, UsageError, "dose_fraction"),
        ({"conditions": {"dose_fraction": 2}}, UsageError, "dose_fraction"),
        ({"conditions": {"dose": 0.5}}, UsageError, "dose"),
        ({"count": 0}, UsageError, "count"),
        ({"sources": ()}, UsageError, "source"),
        ({"sources": ("1.2.3",)}, InputError, "1.2.3"),
        ({"generator_id": "nonsense"}, ModelError, "nonsense"),
        ({"device": "cuda"}, DeviceError, "cuda"),
    ],
)
def test_a_wrong_order_is_refused_by_name_and_leaves_nothing(
    site: tuple[WorkflowContext, str],
    tmp_path: Path,
    changes: dict[str, Any],
    error: type[Exception],
    subject: str,
) -> None:
    context, source = site
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(error) as caught:
        order(context, source, out / "low.h5", **changes)
    assert subject in caught.value.subject  # type: ignore[attr-defined]
    assert caught.value.hint  # type: ignore[attr-defined]
    assert left_behind(out) == []


def test_cancel_in_the_middle_leaves_nothing(
    site: tuple[WorkflowContext, str], tmp_path: Path
) -> None:
    context, source = site
    flag = CancellationFlag()
    (tmp_path / "out").mkdir()
    with pytest.raises(CancelledError):
        order(
            context,
            source,
            tmp_path / "out" / "low.h5",
            cancel=flag,
            partial=lambda _case: flag.cancel(),
        )
    assert left_behind(tmp_path / "out") == []


def test_an_existing_bundle_is_kept(site: tuple[WorkflowContext, str], tmp_path: Path) -> None:
    context, source = site
    (tmp_path / "low.h5").write_text("mine")
    with pytest.raises(UsageError, match=r".") as caught:
        order(context, source, tmp_path / "low.h5")
    assert "low.h5" in caught.value.subject
    assert (tmp_path / "low.h5").read_text() == "mine"


def test_what_a_killed_process_left_is_removed_but_a_live_one_is_not(
    site: tuple[WorkflowContext, str], tmp_path: Path
) -> None:
    context, source = site
    out = tmp_path / "out"
    done = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    dead = out / f".low.h5.staging-{done.stdout.strip()}-abc"
    live = out / f".low.h5.staging-{os.getppid()}-abc"
    dead.mkdir(parents=True)
    live.mkdir()
    order(context, source, out / "low.h5", count=1)
    assert left_behind(out) == [live.name, "low.h5"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounts a small disk")
def test_a_full_disk_is_told_and_leaves_nothing(
    site: tuple[WorkflowContext, str], tmp_path: Path
) -> None:
    context, source = site
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("no permission to mount")
    try:
        with pytest.raises(StorageError) as caught:
            order(context, source, disk / "low.h5")
        assert caught.value.hint
        assert left_behind(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
