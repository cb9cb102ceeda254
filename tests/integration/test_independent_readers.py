"""Real series, voxel by voxel, against readers that share no code with ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.volume_reader import read_slices, read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.imaging.resampling import resample_stack
from carez_desktop.imaging.volume_files import describe_volume_file, read_volume_file
from carez_desktop.system.child_process import ChildPool
from tests.builders.independent_readers import (
    Comparison,
    compare,
    compare_with_all,
    has_dcm2niix,
    read_with_dcm2niix,
    read_with_nibabel,
)

MODALITIES = ("CT", "MR", "PT")
CASES = "dicom2nifti_cases/dicom2nifti_cases"
COLLECTIONS = [
    "ct_chest_nlst",
    "dicom2nifti_cases",
    "highdicom_objects",
    "mr_prostate_prostatex",
    "petct_acrin",
    "pydicom_data_subset",
    "sarcoma_ct_pet_mr_one_patient",
    "sarcoma_mr_cohort",
    "transfer_syntax_ts",
]


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    children = ChildPool()
    yield children
    children.close()


def compared(folder: Path, pool: ChildPool) -> list[tuple[VolumeRecord, list[Comparison]]]:
    by_series: dict[str, list[VolumeRecord]] = {}
    for record in stack_instances(scan_files([folder]).headers):
        if record.modality in MODALITIES and not record.refusal:
            by_series.setdefault(record.series_instance_uid, []).append(record)
    found = []
    for records in by_series.values():
        files = [path for record in records for path in record.paths]
        converted = read_with_dcm2niix(files) if has_dcm2niix() else []
        for record in records:
            ours = read_volume(record, children=pool)
            found.append((record, compare_with_all(record, ours, converted)))
    return found


def check(found: list[tuple[VolumeRecord, list[Comparison]]]) -> None:
    assert found
    for record, comparisons in found:
        for comparison in comparisons:
            assert comparison.is_settled, (record.paths[0], comparison)


@pytest.mark.parametrize(
    ("part", "agreeing"),
    [
        ("mr_prostate_prostatex/MR_0005_735453", 1),  # oblique, JPEG-LS
        ("mr_prostate_prostatex/MR_0008_441198", 3),  # three b-values in one series
        (f"{CASES}/philips_enhanced/anatomical", 1),
        (f"{CASES}/siemens_multiframe", 1),
        (f"{CASES}/hyperfine", 1),
        (f"{CASES}/hitachi", 1),
        (f"{CASES}/failing/sliceorientation", 2),
        (f"{CASES}/generic/rgb", 1),
        (f"{CASES}/generic/anatomical/002_non_isotropic", 1),
    ],
)
def test_series_agree_with_every_reader(
    studies: Path, pool: ChildPool, part: str, agreeing: int
) -> None:
    found = compared(studies / part, pool)
    check(found)
    differences = [[c.difference for c in comparisons] for _, comparisons in found]
    assert sum(all(d is not None and d.agrees for d in own) for own in differences) == agreeing


def test_pet_is_the_same_once_its_factor_is_divided_out(studies: Path, pool: ChildPool) -> None:
    ((record, comparisons),) = compared(studies / "petct_acrin/PT_0001_081015", pool)
    check([(record, comparisons)])
    for comparison in comparisons:
        assert comparison.difference is not None
        assert comparison.difference.voxels < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_series_agrees_or_differs_for_a_known_reason(
    studies: Path, pool: ChildPool, collection: str
) -> None:
    check(compared(studies / collection, pool))


@pytest.mark.skipif(not has_dcm2niix(), reason="dcm2niix is not installed")
def test_the_tilt_is_undone_as_dcm2niix_undoes_it(studies: Path) -> None:
    headers = scan_files([studies / "ct_tilt_phantom_philips"]).headers
    (record,) = stack_instances(headers)
    assert record.slices_only
    ours = resample_stack(read_slices(record))
    (theirs,) = read_with_dcm2niix(record.paths, corrected=True)
    found = compare(ours, theirs)
    assert found is not None
    assert found.shape == ours.geometry.shape == (54, 600, 512)
    # Its header places the corrected rows, which it appends at one end, from the row where the
    # slices began, so its corners are apart; ours are proved by the places of the slices.
    array = np.moveaxis(theirs.array, (2, 1, 0), (0, 1, 2))[:, ::-1].astype(np.int32)
    apart = np.abs(array - ours.array)
    inside = (array > -1000) & (ours.array > -1000)
    assert inside.sum() > 1e6
    assert np.median(apart[inside]) <= 1
    assert np.percentile(apart[inside], 99) <= 40


@pytest.mark.parametrize("count", [6, pytest.param(10_000, marks=pytest.mark.slow)])
def test_nifti_agrees_with_nibabel(studies: Path, count: int) -> None:
    files = sorted(
        path
        for folder in ("hippocampus_train/images", CASES)
        for path in (studies / folder).rglob("*.nii*")
        if not path.name.startswith(".")
    )
    chosen = files[:: max(1, len(files) // count)]
    seen = 0
    for path in chosen:
        readings = read_with_nibabel(path)
        described = describe_volume_file(path)
        records = described if isinstance(described, tuple) else (described,)
        for record, theirs in zip(records, readings, strict=False):
            if record.refusal:
                continue
            found = compare(read_volume_file(record), theirs)
            assert found is not None
            assert found.agrees, (path, found)
            seen += 1
    assert seen >= min(count, 5)
