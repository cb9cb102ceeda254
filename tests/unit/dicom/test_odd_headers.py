"""Headers as old archives and careless writers leave them: all read, none believed."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from carez_desktop.dicom.header_reader import DicomHeader, read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header
from carez_desktop.errors import UnreadableFileError
from tests.builders.dicom_series import SeriesPlan, build_series

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
PATIENT = b"\x10\x00\x10\x00PN"


def made(tmp_path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    def change(_: int, data_set: Dataset) -> None:
        data_set.ImageComments = "behind the patient"

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), transfer_syntax=syntax), change)
    return path


def data_set_offset(path: Path) -> int:
    meta = pydicom.filereader.read_file_meta_info(path)
    return int(meta.FileMetaInformationGroupLength) + 132 + 12


def checked(path: Path, pixels: bytes, syntax: str) -> DicomHeader:
    """Read a file whose pixels and place are known."""
    header = read_header(path, WANTED_TAGS)
    assert header.transfer_syntax_uid == syntax
    assert header.pixels is not None
    assert path.read_bytes()[header.pixels.offset :][: header.pixels.length] == pixels
    instance = to_instance_header(header)
    assert (instance.rows, instance.columns, instance.series_instance_uid) == (6, 8, "1.2.3.4")
    return header


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("meta", [True, False], ids=["meta", "no meta"])
def test_without_preamble(tmp_path: Path, syntax: str, meta: bool) -> None:
    path = made(tmp_path, syntax)
    pixels = pydicom.dcmread(path).PixelData
    content = path.read_bytes()
    path.write_bytes(content[132 if meta else data_set_offset(path) :])
    header = checked(path, pixels, syntax)
    assert header.flags == (("no_preamble",) if meta else ("no_preamble", "no_meta"))


@pytest.mark.parametrize("truth", SYNTAXES)
@pytest.mark.parametrize("claim", SYNTAXES)
def test_meta_of_another_encoding(tmp_path: Path, truth: str, claim: str) -> None:
    path = made(tmp_path, truth)
    pixels = pydicom.dcmread(path).PixelData
    content = path.read_bytes()
    old, new = (uid.encode() + b"\0" * (len(uid) % 2) for uid in (truth, claim))
    element = struct.pack("<HH2sH", 2, 0x10, b"UI", len(old)) + old
    changed = struct.pack("<HH2sH", 2, 0x10, b"UI", len(new)) + new
    path.write_bytes(content.replace(element, changed))
    header = checked(path, pixels, truth)
    assert header.flags == (() if claim == truth else ("wrong_meta",))


def test_compressed_syntax_stays_with_an_implicit_data_set(tmp_path: Path) -> None:
    path = made(tmp_path, ImplicitVRLittleEndian)
    content = path.read_bytes()
    jpeg = b"1.2.840.10008.1.2.4.70"
    old = struct.pack("<HH2sH", 2, 0x10, b"UI", 18) + b"1.2.840.10008.1.2\0"
    path.write_bytes(content.replace(old, struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + jpeg))
    header = read_header(path, WANTED_TAGS)
    assert header.transfer_syntax_uid == jpeg.decode()
    assert to_instance_header(header).columns == 8


ODD_ELEMENTS = {
    "new VR": struct.pack("<HH2sHI", 0x09, 0x51, b"MI", 0, 4) + b"abcd",
    "blank VR, short length": struct.pack("<HH2sH", 0x09, 0x51, b"  ", 4) + b"abcd",
    "zero VR, long length": struct.pack("<HH2sHI", 0x09, 0x51, b"\0\0", 0, 4) + b"abcd",
    "no VR": struct.pack("<HHI", 0x09, 0x51, 6) + b"abcdef",
    "odd length": struct.pack("<HH2sH", 0x09, 0x51, b"LO", 5) + b"abcde",
    "UN": struct.pack("<HH2sHI", 0x09, 0x51, b"UN", 0, 5) + b"abcde",
    "group length": struct.pack("<HH2sHI", 0x09, 0x00, b"UL", 4, 77777777),
    "undefined UN, implicit inside": struct.pack("<HH2sHI", 0x09, 0x51, b"UN", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    + struct.pack("<HHI", 0x09, 0x52, 3)
    + b"abc"
    + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0),
    "undefined OB": struct.pack("<HH2sHI", 0x09, 0x51, b"OB", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 4)
    + b"abcd"
    + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
    "sequence, implicit inside": struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    + struct.pack("<HHI", 0x09, 0x52, 3)
    + b"abc"
    + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0),
    "no item delimiter": struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    + struct.pack("<HH2sH", 0x09, 0x52, b"LO", 4)
    + b"abcd"
    + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
    "no sequence delimiter": struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 12)
    + struct.pack("<HH2sH", 0x09, 0x52, b"LO", 4)
    + b"abcd",
    "delimiters with lengths": struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 7, 0xFFFE, 0xE0DD, 9),
}


@pytest.mark.parametrize("name", ODD_ELEMENTS)
def test_odd_element_before_the_patient(tmp_path: Path, name: str) -> None:
    path = made(tmp_path)
    pixels = pydicom.dcmread(path).PixelData
    before, after = path.read_bytes().split(PATIENT)
    path.write_bytes(before + ODD_ELEMENTS[name] + PATIENT + after)
    header = checked(path, pixels, ExplicitVRLittleEndian)
    facts = to_instance_header(header).attributes
    assert (facts["patient_name"], facts["image_comments"]) == ("Test^One", "behind the patient")


@pytest.mark.parametrize("tail", [b"\0" * 5, b"\0" * 999, struct.pack("<HH", 0xFFFC, 0xFFFC)])
def test_what_follows_the_pixels_does_not_matter(tmp_path: Path, tail: bytes) -> None:
    path = made(tmp_path)
    pixels = pydicom.dcmread(path).PixelData
    with path.open("ab") as stream:
        stream.write(tail)
    assert checked(path, pixels, ExplicitVRLittleEndian).flags == ()


@pytest.mark.parametrize("tail", [b"\0" * 3, b"\0" * 600, b"garbage!" * 9])
def test_object_without_pixels_may_end_in_rubbish(tmp_path: Path, tail: bytes) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
        data_set.StructureSetLabel = "Plan"
        del data_set.PixelData, data_set.Rows, data_set.Columns

    (path,) = build_series(tmp_path, SeriesPlan((1, 2, 2)), change)
    with path.open("ab") as stream:
        stream.write(tail)
    header = read_header(path, WANTED_TAGS)
    assert header.pixels is None
    assert header.elements.code(0x0020000E) == "1.2.3.4"
    assert header.flags == (("header_cut",) if tail.strip(b"\0") else ())


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (struct.pack("<HH2sHI", 0x09, 0x51, b"OB", 0, 0x7FFFFFFF), "claims 2147"),
        (struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF), "behind element (0009,0051)"),
    ],
)
def test_length_that_lies_is_told_with_the_element(
    tmp_path: Path, element: bytes, words: str
) -> None:
    path = made(tmp_path)
    before, _ = path.read_bytes().split(PATIENT)
    path.write_bytes(before + element + b"\0" * 64)
    with pytest.raises(UnreadableFileError, match="The DICOM header is damaged") as caught:
        read_header(path, WANTED_TAGS)
    assert words in caught.value.what


def hostile(kind: str) -> bytes:
    """A body of a few megabytes that a trusting reader would walk for minutes."""
    open_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHI", 0x09, 0x51, b"SQ", 0, 0xFFFFFFFF)
    if kind == "deep":
        return (sequence + open_item) * 150_000
    if kind == "wide":
        return sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 4_000_000
    if kind == "many":
        return struct.pack("<HH2sH", 0x09, 0x51, b"LO", 0) * 4_000_000
    return sequence + open_item + struct.pack("<HHI", 0x4142, 0x4344, 0) * 400_000


@pytest.mark.parametrize("kind", ["deep", "wide", "many", "neither"])
def test_work_is_bounded(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path)
    before, after = path.read_bytes().split(PATIENT)
    path.write_bytes(before + hostile(kind) + PATIENT + after)
    start = time.process_time()
    with pytest.raises(UnreadableFileError, match="damaged"):
        read_header(path, WANTED_TAGS)
    assert time.process_time() - start < 8.0


def test_long_texts_are_cut_and_said(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.add_new(0x00081030, "UT", "a" * 3_000_000)
        data_set.add_new(0x00200032, "UT", "1\\" * 1_000_000)

    (path,) = build_series(tmp_path, SeriesPlan((1, 2, 2)), change)
    instance = to_instance_header(read_header(path, WANTED_TAGS))
    assert len(str(instance.attributes["study_description"])) == 10_240
    assert instance.attributes["header_flags"] == "text_cut"
    assert instance.image_position_patient is None


def test_number_of_frames_beyond_the_pixels_is_not_believed(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.NumberOfFrames = 2_000_000_000

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8)), change)
    assert to_instance_header(read_header(path, WANTED_TAGS)).number_of_frames == 2
