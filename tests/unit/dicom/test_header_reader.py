from __future__ import annotations

import contextlib
import os
import random
import struct
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from carez_desktop.dicom.element_bytes import NotUnderstoodError
from carez_desktop.dicom.header_reader import PIXEL_DATA, looks_like_dicom, read_header
from carez_desktop.dicom.inflation import inflate
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.errors import UnreadableFileError
from tests.builders.dicom_series import SeriesPlan, build_series

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


def nested(index: int, data_set: Dataset) -> None:
    """Sequences of undefined length around a large private value, as vendors write them."""
    inner = Dataset()
    inner.CodeValue = "1"
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([inner])
    item.ReferencedSOPInstanceUID = "1.2.3"
    data_set.ReferencedImageSequence = Sequence([item, item])
    data_set["ReferencedImageSequence"].is_undefined_length = True
    item["PurposeOfReferenceCodeSequence"].is_undefined_length = True
    data_set.private_block(0x0029, "TEST", create=True).add_new(0x10, "OB", b"x" * 100_000)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_walk_agrees_with_pydicom(tmp_path: Path, syntax: str) -> None:
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), transfer_syntax=syntax), nested)
    header = read_header(path, WANTED_TAGS)
    oracle = pydicom.dcmread(path)
    for tag in WANTED_TAGS:
        if tag in oracle:
            raw = pydicom.dcmread(path).get_item(tag)
            assert header.elements.raw(tag) == raw.value
        else:
            assert tag not in header.elements
    assert header.transfer_syntax_uid == syntax
    assert header.pixels is not None
    assert header.pixels.tag == PIXEL_DATA
    content = path.read_bytes()[header.pixels.offset :][: header.pixels.length]
    assert content == oracle.PixelData


def test_unknown_vr_has_a_long_length(tmp_path: Path) -> None:
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)))
    content = path.read_bytes()
    position = content.index(b"\x08\x00\x60\x00CS")
    odd = b"\x08\x00\x51\x00MI" + struct.pack("<HI", 0, 4) + b"abcd"
    path.write_bytes(content[:position] + odd + content[position:])
    header = read_header(path, WANTED_TAGS)
    assert to_instance_header(header).series_instance_uid == "1.2.3.4"


def test_deflated_header_says_where_its_pixels_are_once_inflated(tmp_path: Path) -> None:
    plan = SeriesPlan((1, 6, 8), transfer_syntax=DeflatedExplicitVRLittleEndian)
    (path,) = build_series(tmp_path, plan)
    header = read_header(path, WANTED_TAGS)
    assert to_instance_header(header).columns == 8
    assert header.deflated_from is not None
    assert header.pixels is not None
    with path.open("rb") as stream:
        inflated, length = inflate(stream, header.deflated_from)
    assert header.data_size == length == len(inflated)
    found = inflated[header.pixels.offset :][: header.pixels.length]
    assert found == pydicom.dcmread(path).PixelData


def test_deflate_bomb_is_refused_while_it_inflates(tmp_path: Path) -> None:
    (path,) = build_series(
        tmp_path, SeriesPlan((1, 6, 8), transfer_syntax=DeflatedExplicitVRLittleEndian)
    )
    header = read_header(path, WANTED_TAGS)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(b"\0" * (3 << 20)) + packer.flush()
    path.write_bytes(path.read_bytes()[: header.deflated_from] + bomb)
    with path.open("rb") as stream, pytest.raises(NotUnderstoodError, match="more than 2 MiB"):
        inflate(stream, header.deflated_from or 0, most=2 << 20)


def test_file_without_preamble_is_recognised(tmp_path: Path) -> None:
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), transfer_syntax=ImplicitVRLittleEndian))
    content = path.read_bytes()
    bare = tmp_path / "bare"
    bare.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    header = read_header(bare, WANTED_TAGS)
    assert header.transfer_syntax_uid == ImplicitVRLittleEndian
    assert to_instance_header(header).columns == 8


@pytest.mark.parametrize(
    "start", [b"", b"hello world, this is text", b"\x1f\x8b" * 99, b"\x08\x00" + b"\xff" * 99]
)
def test_other_files_are_not_dicom(start: bytes) -> None:
    assert not looks_like_dicom(start)


def test_header_cut_anywhere_is_an_error_or_has_no_pixels(tmp_path: Path) -> None:
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)))
    content = path.read_bytes()
    end = content.index(b"\xe0\x7f\x10\x00")
    cut = tmp_path / "cut"
    for length in range(0, end, 7):
        cut.write_bytes(content[:length])
        with contextlib.suppress(UnreadableFileError):
            assert read_header(cut, WANTED_TAGS).pixels is None


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path, seed: int) -> None:
    random_bytes = random.Random(seed)
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)), nested)
    content = bytearray(path.read_bytes()[:3000])
    broken = tmp_path / "broken"
    for _ in range(60):
        copy = bytearray(content)
        for _ in range(3):
            copy[random_bytes.randrange(132, len(copy))] = random_bytes.randrange(256)
        broken.write_bytes(copy)
        with contextlib.suppress(UnreadableFileError):
            to_instance_header(read_header(broken, WANTED_TAGS))


def test_vanished_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        read_header(tmp_path / "gone", WANTED_TAGS)
    assert caught.value.subject.endswith("gone")
    assert os.strerror(2) in caught.value.what


def facts_of(tmp_path: Path, **values: object) -> dict[str, object]:
    def change(_: int, data_set: Dataset) -> None:
        for name, value in values.items():
            setattr(data_set, name, value)

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    return dict(to_instance_header(read_header(path, WANTED_TAGS)).attributes)


@pytest.mark.parametrize(
    ("values", "years"),
    [
        ({"PatientAge": "067Y"}, 67.0),
        ({"PatientAge": "006M"}, 0.5),
        ({"PatientBirthDate": "19500301", "StudyDate": "20100228"}, 59.0),
        ({"PatientBirthDate": "19500301", "StudyDate": "20100301"}, 60.0),
        ({"PatientBirthDate": "19501301", "StudyDate": "20100301"}, None),
        ({}, None),
    ],
)
def test_age_in_years(tmp_path: Path, values: dict[str, str], years: float | None) -> None:
    assert facts_of(tmp_path, **values).get("patient_age") == years


def test_attributes_are_typed_and_decoded(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path,
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Buc^Jérôme",
        KVP="120",
        CTDIvol=3.25,
        WindowCenter=["40", "400"],
        PixelPaddingValue=-2000,
        Exposure="12 ",
    )
    assert facts["patient_name"] == "Buc^Jérôme"
    assert facts["kvp"] == 120.0
    assert facts["ctdi_vol"] == 3.25
    assert facts["window_center"] == 40.0
    assert facts["pixel_padding_value"] == -2000.0
    assert facts["exposure"] == 12.0
    assert "magnetic_field_strength" not in facts


def test_siemens_b_value_comes_from_its_private_block(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        block = data_set.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", "400")

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), modality="MR"), change)
    assert to_instance_header(read_header(path, WANTED_TAGS)).attributes["b_value"] == 400.0


def test_synthetic_marks_are_noted(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.add_new(0x0008001C, "CS", "YES")
        data_set.PatientName = "SYNTHETIC^One"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "109100", "DCM", "x"
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = Sequence([code])
        data_set.ContributingEquipmentSequence = Sequence([item])
        data_set.SeriesDescription = "SYNTHETIC chest"

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    assert to_instance_header(read_header(path, WANTED_TAGS)).synthetic_marks == (
        "synthetic_data",
        "synthesizing_equipment",
        "patient_name",
        "series_description",
    )
