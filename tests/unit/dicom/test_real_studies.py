"""Every series of the real studies opens or is refused with a reason; SimpleITK is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.dicom.scan import ScanResult, scan_files
from carez_desktop.dicom.volume_reader import read_volume
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import GeometryError
from carez_desktop.system.child_process import ChildPool

Find = Callable[[str], tuple[VolumeRecord, ...]]


@pytest.fixture(scope="module")
def scanned(studies: Path) -> ScanResult:
    return scan_files([studies])


@pytest.fixture(scope="module")
def children() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def find(scanned: ScanResult, studies: Path) -> Find:
    records = stack_instances(scanned.headers, scanned.objects)

    def matching(part: str) -> tuple[VolumeRecord, ...]:
        return tuple(r for r in records if not part or f"/{part}/" in r.paths[0])

    return matching


def only(records: tuple[VolumeRecord, ...]) -> VolumeRecord:
    (record,) = records
    return record


def test_scan_finds_every_file_and_says_what_it_cannot_read(scanned: ScanResult) -> None:
    assert len(scanned.headers) == 3688  # one for each frame or mosaic tile with a place
    assert len(scanned.volume_files) >= 434
    assert len(scanned.objects) == 69
    names = sorted(Path(item.path).name for item in scanned.unreadable)
    assert names == ["chrSQEncoding.dcm", "chrSQEncoding1.dcm"]


def test_every_series_stacks_or_is_refused(find: Find) -> None:
    records = find("")
    refused = [record for record in records if record.refusal]
    assert len(records) == 137
    assert all(r.slices_only or "no pixel data" in r.refusal for r in refused)
    assert all(r.spacing_mm is not None for r in records if not r.refusal)
    assert len({record.volume_id for record in records}) == len(records)


def test_chest_ct(find: Find) -> None:
    record = only(find("CT_0003_952642"))
    assert record.shape == (143, 512, 512)
    assert record.spacing_mm == pytest.approx((2.0, 0.54, 0.54))
    assert record.orientation == "SPL"
    assert record.attributes["manufacturer"] == "TOSHIBA"
    assert [item.sop_class for item in record.objects] == ["Structured Report"]


def test_diffusion_series_becomes_three_volumes(find: Find) -> None:
    records = find("MR_0008_441198")
    assert [r.split_reason for r in records] == ["b-value 50", "b-value 400", "b-value 800"]
    assert [r.shape for r in records] == [(19, 128, 120)] * 3
    assert only(find("MR_0009_620369")).kind is VolumeKind.DERIVED


def test_dynamic_phases_are_one_volume_each(find: Find) -> None:
    for number, name in [(11, "813771"), (12, "990876"), (17, "734718")]:
        record = only(find(f"MR_{number:04d}_{name}"))
        assert (record.shape, record.refusal) == ((16, 128, 128), "")


def test_tilted_phantom_is_refused_with_its_angle(find: Find) -> None:
    record = only(find("ct_tilt_phantom_philips"))
    assert record.shape == (54, 512, 512)
    assert record.refusal.startswith("Tilted by 18.50 degrees")
    assert "2.500 mm apart along the table but 2.371 mm" in record.refusal
    with pytest.raises(GeometryError, match="Tilted"):
        read_volume(record)


def test_pet_of_uneven_gaps_is_nearly_regular(find: Find) -> None:
    record = only(find("PT_0001_081015"))
    assert not record.refusal
    assert "nearly_regular" in {finding.code for finding in record.findings}
    assert len(record.objects) == 4


def test_odd_series_are_refused_in_words(find: Find) -> None:
    cases = {record.paths[0]: record for record in find("dicom2nifti_cases")}
    texts = " | ".join(record.refusal for record in cases.values())
    assert "Tilted by 14.00 degrees" in texts
    assert "1 slice is missing" in texts


def test_segmentations_and_contours_lie_on_their_series(find: Find) -> None:
    cohort = find("sarcoma_mr_cohort")
    assert len(cohort) == 38  # one more lies in the folder of the single patient
    assert all(not record.refusal for record in cohort)
    assert all("RT Structure Set" in {o.sop_class for o in r.objects} for r in cohort)


@pytest.mark.parametrize(
    "part",
    [
        "PT_0001_081015",
        "MR_0003_350501",
        "MR_0005_735453",
        "MR_0008_441198",
        "sarcoma_mr_cohort/STS_003",
        "hitachi/anatomical",
        "002_non_isotropic",
    ],
)
def test_voxels_and_corners_equal_those_of_simpleitk(
    find: Find, part: str, children: ChildPool
) -> None:
    for record in find(part):
        volume = read_volume(record, children=children)
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(record.paths)
        image = reader.Execute()
        oracle = sitk.GetArrayFromImage(image)
        if volume.units == "SUVbw":
            oracle = oracle * (float(volume.array.max()) / float(oracle.max()))
        assert np.allclose(volume.array, oracle, rtol=1e-6, atol=1e-4)
        for corner in np.ndindex(2, 2, 2):
            index = np.array(corner) * (np.array(volume.geometry.shape) - 1)
            point = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
            assert np.allclose(volume.geometry.index_to_lps(index), point, atol=1e-4)


def test_chest_ct_is_in_hounsfield_units(find: Find, children: ChildPool) -> None:
    volume = read_volume(only(find("CT_0003_952642")), children=children)
    assert volume.units == "HU"
    assert (volume.array.min(), volume.array.max()) == (-2048, 2695)
    lung = volume.array[60:80, 200:300, 100:180]
    assert -950 < float(np.median(lung)) < -700


def test_nine_encodings_give_one_image(find: Find, children: ChildPool) -> None:
    records = find("transfer_syntax_ts")
    arrays = [read_volume(record, children=children).array for record in records]
    syntaxes = {record.attributes["transfer_syntax_uid"] for record in records}
    assert len(records) == 9
    assert len(syntaxes) == 7
    assert all(np.array_equal(array, arrays[0]) for array in arrays)
    assert (arrays[0].min(), arrays[0].max()) == (0, 2362)


def test_charset_names_are_decoded(scanned: ScanResult) -> None:
    names = {
        Path(h.path).stem: h.attributes.get("patient_name")
        for h in scanned.headers
        if "/charsets/" in h.path
    }
    assert names["chrFren"] == "Buc^Jérôme"
    assert names["chrGreek"] == "Διονυσιος"
    assert names["chrH31"] == "Yamada^Tarou"
    assert names["chrX1"] == "Wang^XiaoDong"


@pytest.mark.slow
def test_every_series_that_is_not_refused_opens(find: Find, children: ChildPool) -> None:
    for record in find(""):
        if not record.refusal:
            assert read_volume(record, children=children).array.shape[:3] == record.shape


def test_uptake_of_a_pet_agrees_with_its_real_world_objects(
    studies: Path, children: ChildPool
) -> None:
    """ACRIN's mapping objects give the factor 0.00042111 of Bq/ml, as slope of stored values."""
    scanned = scan_files([studies / "petct_acrin"])
    records = stack_instances(scanned.headers, scanned.objects)
    record = only(tuple(r for r in records if r.modality == "PT"))
    volume = read_volume(record, children=children)
    assert volume.units == "SUVbw"
    image = sitk.ReadImage(record.paths[67])
    becquerel = sitk.GetArrayFromImage(image)[0]
    assert np.allclose(volume.array[67], becquerel * 0.00042111, rtol=1e-4)
    assert "real_world_map_differs" in {finding.code for finding in volume.findings}
    assert volume.real_world_maps == ()
