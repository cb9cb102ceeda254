"""SUV by body weight: worked examples in closed form, and a map that was computed elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import pydicom
import pytest

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.domain.study import AttributeValue
from carez_desktop.domain.suv import suv_scale
from tests.builders.pet_headers import FULL, HALF_LIFE, pet_header


def factor(**changes: AttributeValue) -> float:
    scale = suv_scale([pet_header(**changes)])
    assert scale.reasons == ()
    return scale.factors[0]


def test_one_half_life_doubles_the_factor() -> None:
    assert factor() == pytest.approx(2 * FULL, rel=1e-12)


def test_values_corrected_to_the_injection_need_no_decay() -> None:
    assert factor(decay_correction="ADMIN", series_time=None) == pytest.approx(FULL, rel=1e-12)


def test_injection_before_midnight() -> None:
    late = factor(
        radiopharmaceutical_start_time="233000",
        series_time="011948",
        acquisition_time="011948",
    )
    assert late == pytest.approx(2 * FULL, rel=1e-12)


def test_injection_date_and_time_are_preferred() -> None:
    found = factor(
        radiopharmaceutical_start_time="000000",
        radiopharmaceutical_start_datetime="20200301080000.000000+0100",
    )
    assert found == pytest.approx(2 * FULL, rel=1e-12)


def test_date_shifted_by_deidentification_leaves_the_time_of_day() -> None:
    scale = suv_scale(
        [
            pet_header(
                radiopharmaceutical_start_time=None,
                radiopharmaceutical_start_datetime="19990101080000",
            )
        ]
    )
    assert scale.factors == pytest.approx((2 * FULL,), rel=1e-12)
    assert "only its time of day" in scale.notes[0]


def test_zirconium_is_scanned_days_after_its_injection() -> None:
    half_life = 78.4 * 3600
    found = factor(
        radionuclide_half_life=half_life,
        radiopharmaceutical_start_time="094948",
        radiopharmaceutical_start_datetime="20200225094948",
    )
    assert found == pytest.approx(FULL * 2 ** (5 * 86400 / half_life), rel=1e-12)


def test_dose_in_megabecquerel_is_seen() -> None:
    scale = suv_scale([pet_header(radionuclide_total_dose=370.0)])
    assert scale.factors == pytest.approx((2 * FULL,), rel=1e-12)
    assert scale.notes == ("the dose of 370 is taken as MBq",)


def test_processed_series_takes_the_ge_scan_time() -> None:
    found = factor(series_time="151500", ge_scan_datetime="20200301094948.00")
    assert found == pytest.approx(2 * FULL, rel=1e-12)


def test_stated_time_of_decay_correction_comes_first() -> None:
    found = factor(series_time="070000", decay_correction_datetime="20200301094948")
    assert found == pytest.approx(2 * FULL, rel=1e-12)


def test_processed_series_takes_the_earliest_acquisition_of_all_slices() -> None:
    first = pet_header(series_time="151500")
    second = pet_header(series_time="151500", acquisition_time="101500")
    assert suv_scale([second, first]).factors == pytest.approx((2 * FULL,) * 2, rel=1e-12)


def test_processed_series_works_back_from_frame_reference_time() -> None:
    """A bed of 300 s, 10 minutes into the scan: its mean count rate is a little before its middle.

    The average rate over a frame of T is A0 (1 - exp(-kT)) / (kT): solved for its moment.
    """
    constant, duration = math.log(2) / HALF_LIFE, 300.0
    mean_rate = (1 - math.exp(-constant * duration)) / (constant * duration)
    moment = -math.log(mean_rate) / constant
    assert 149.0 < moment < 150.0
    found = factor(
        series_time="151500",
        acquisition_time="095948",
        frame_reference_time=(600.0 + moment) * 1000,
        actual_frame_duration=duration * 1000,
    )
    assert found == pytest.approx(2 * FULL, rel=1e-9)


def test_philips_counts() -> None:
    assert factor(units="CNTS", philips_suv_factor=0.000551) == 0.000551
    by_activity = factor(units="CNTS", philips_bqml_factor=2.5)
    assert by_activity == pytest.approx(5.0 * FULL, rel=1e-12)


def test_values_that_are_suv_already() -> None:
    assert factor(units="GML", patient_weight=None) == 1.0
    assert suv_scale([pet_header(units="GML", suv_type="LBM")]).factors == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"units": "PROPCPS"}, "its unit is PROPCPS"),
        ({"units": None}, "its unit is missing"),
        ({"units": "CNTS"}, "no factor to Bq/ml"),
        ({"patient_weight": None}, "weight is missing"),
        ({"patient_weight": 0.0}, "weight is missing"),
        ({"patient_weight": 74000.0}, "74000 kg is not plausible"),
        ({"radionuclide_total_dose": None}, "dose is missing"),
        ({"radionuclide_total_dose": 0.0}, "dose is missing"),
        ({"radionuclide_total_dose": -1.0}, "not plausible"),
        ({"radionuclide_half_life": None}, "half-life is missing"),
        ({"decay_correction": "NONE"}, "is NONE"),
        ({"decay_correction": None}, "is missing (0054,1102)"),
        ({"corrected_image": "DECY"}, "not corrected for attenuation"),
        ({"corrected_image": "ATTN"}, "not corrected for decay"),
        ({"radiopharmaceutical_start_time": None}, "time of the injection is missing"),
        ({"radiopharmaceutical_start_time": "25"}, "time of the injection is missing"),
        ({"series_time": None, "acquisition_time": None}, "start of the scan is missing"),
        ({"radiopharmaceutical_start_time": "100000"}, "1430 minutes after"),
        ({"radiopharmaceutical_count": 2.0}, "several injected tracers"),
    ],
)
def test_reasons_are_said(changes: dict[str, AttributeValue], words: str) -> None:
    scale = suv_scale([pet_header(**changes)])
    assert scale.factors == ()
    assert words in "; ".join(scale.reasons)


def test_one_slice_without_facts_refuses_the_series() -> None:
    scale = suv_scale([pet_header(), pet_header(patient_weight=None)])
    assert (scale.factors, len(scale.reasons)) == ((), 1)
    assert suv_scale([]).reasons == ("there are no slices",)


def test_acrin_map_was_computed_elsewhere(studies: Path) -> None:
    """The collection's real-world value map (PixelMed) holds the factor with five digits."""
    folder = studies / "petct_acrin"
    (map_path,) = (folder / "RWV_1000_829512").iterdir()
    items = pydicom.dcmread(map_path).ReferencedImageRealWorldValueMappingSequence
    published = {
        str(code.MeasurementUnitsCodeSequence[0].CodeValue): code.RealWorldValueSlope
        for item in items
        for code in item.RealWorldValueMappingSequence
    }
    paths = sorted((folder / "PT_0001_081015").iterdir())[::9]
    scale = suv_scale([to_instance_header(read_header(path, WANTED_TAGS)) for path in paths])
    assert scale.reasons == ()
    assert scale.factors == pytest.approx((published["{SUVbw}g/ml"],) * len(paths), rel=1e-4)
