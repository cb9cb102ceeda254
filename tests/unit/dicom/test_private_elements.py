"""Private elements count with their creator, in whatever block it reserved."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.domain.study import AttributeValue
from tests.builders.dicom_series import SeriesPlan, build_series
from tests.builders.enhanced_images import one

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
Elements = list[tuple[int, str, int, str, object]]
VENDORS: dict[str, tuple[Elements, float, str | None]] = {
    "siemens": (
        [
            (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "800"),
            (0x0019, "SIEMENS MR HEADER", 0x0E, "FD", [0.5, -0.5, 0.7071]),
        ],
        800.0,
        "0.5000\\-0.5000\\0.7071",
    ),
    "philips": (
        [
            (0x2001, "Philips Imaging DD 001", 0x03, "FL", 600.0),
            (0x2005, "Philips MR Imaging DD 001", 0xB0, "FL", 0.0),
            (0x2005, "Philips MR Imaging DD 001", 0xB1, "FL", 1.0),
            (0x2005, "Philips MR Imaging DD 001", 0xB2, "FL", 0.0),
        ],
        600.0,
        "0.0000\\1.0000\\0.0000",
    ),
    "ge": (
        [
            (0x0043, "GEMS_PARM_01", 0x39, "IS", ["1000000700", "8", "0", "0"]),
            (0x0019, "GEMS_ACQU_01", 0xBB, "DS", "0.6"),
            (0x0019, "GEMS_ACQU_01", 0xBC, "DS", "0"),
            (0x0019, "GEMS_ACQU_01", 0xBD, "DS", "-0.8"),
        ],
        700.0,
        "0.6000\\0.0000\\-0.8000",
    ),
    "uih": (
        [
            (0x0065, "Image Private Header", 0x09, "FD", 50.0),
            (0x0065, "Image Private Header", 0x37, "FD", [0.0, 0.0, 1.0]),
        ],
        50.0,
        "0.0000\\0.0000\\1.0000",
    ),
}


def facts_of(tmp_path: Path, elements: Elements, syntax: str) -> dict[str, AttributeValue]:
    def change(_: int, data_set: Dataset) -> None:
        for group, creator, part, vr, value in elements:
            data_set.private_block(group, "SOMEBODY ELSE", create=True)
            data_set.private_block(group, creator, create=True).add_new(part, vr, value)

    plan = SeriesPlan((1, 2, 2), modality="MR", transfer_syntax=syntax)
    (path,) = build_series(tmp_path, plan, change)
    return dict(to_instance_header(read_header(path, WANTED_TAGS)).attributes)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("vendor", VENDORS)
def test_diffusion_of_vendors(tmp_path: Path, vendor: str, syntax: str) -> None:
    elements, b_value, direction = VENDORS[vendor]
    facts = facts_of(tmp_path, elements, syntax)
    assert facts["b_value"] == b_value
    assert facts.get("diffusion_direction") == direction


def test_element_of_another_creator_does_not_count(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, [(0x0019, "ACME 1.0", 0x0C, "IS", "800")], ExplicitVRLittleEndian)
    assert "b_value" not in facts


def test_standard_elements_win(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        block = data_set.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", "400")
        data_set.MRDiffusionSequence = one(
            DiffusionBValue=1200.0,
            DiffusionGradientDirectionSequence=one(DiffusionGradientOrientation=[1.0, 0.0, 0.0]),
        )

    (path,) = build_series(tmp_path, SeriesPlan((1, 2, 2), modality="MR"), change)
    facts = to_instance_header(read_header(path, WANTED_TAGS)).attributes
    assert (facts["b_value"], facts["diffusion_direction"]) == (1200.0, "1.0000\\0.0000\\0.0000")


def test_private_pet_facts_and_the_tracer(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.RadiopharmaceuticalInformationSequence = one(
            Radiopharmaceutical="FDG",
            RadiopharmaceuticalStartTime="101500.00",
            RadionuclideTotalDose="370000000",
            RadionuclideHalfLife="6586.2",
            RadionuclideCodeSequence=one(CodeMeaning="^18^Fluorine"),
        )
        ge = data_set.private_block(0x0009, "GEMS_PETD_01", create=True)
        ge.add_new(0x0D, "DT", "20200301094948.00")
        philips = data_set.private_block(0x7053, "Philips PET Private Group", create=True)
        philips.add_new(0x00, "DS", "0.000551")
        philips.add_new(0x09, "DS", "2.5")

    (path,) = build_series(tmp_path, SeriesPlan((1, 2, 2), modality="PT"), change)
    facts = to_instance_header(read_header(path, WANTED_TAGS)).attributes
    assert facts["radionuclide_total_dose"] == 3.7e8
    assert facts["radionuclide_half_life"] == 6586.2
    assert facts["radiopharmaceutical_start_time"] == "101500.00"
    assert facts["radionuclide"] == "^18^Fluorine"
    assert facts["ge_scan_datetime"] == "20200301094948.00"
    assert (facts["philips_suv_factor"], facts["philips_bqml_factor"]) == (0.000551, 2.5)


@pytest.mark.parametrize("value", [b"", b"abc", struct.pack("<d", float("nan")), b"1" * 500])
def test_spoilt_private_values_are_left_out(tmp_path: Path, value: bytes) -> None:
    facts = facts_of(
        tmp_path, [(0x0019, "SIEMENS MR HEADER", 0x0C, "UN", value)], ExplicitVRLittleEndian
    )
    assert "b_value" not in facts
