"""Objects that refer to images, against a deep walk with pydicom over the shared studies."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS
from carez_desktop.dicom.referenced_objects import object_name, read_referenced_object
from carez_desktop.domain.study import ReferencedObject
from carez_desktop.errors import UnreadableFileError
from tests.builders.dicom_series import SeriesPlan, build_series

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"


def deep_references(path: Path) -> tuple[set[str], set[str]]:
    """Series and instances that any item at any depth names, by pydicom."""
    series: set[str] = set()
    instances: set[str] = set()

    def walk(data_set: Dataset) -> None:
        for element in data_set:
            for item in element.value or [] if element.VR == "SQ" else []:
                if "SeriesInstanceUID" in item:
                    series.add(str(item.SeriesInstanceUID))
                of_study = item.get("ReferencedSOPClassUID", "") == STUDY_CLASS
                if "ReferencedSOPInstanceUID" in item and not of_study:
                    instances.add(str(item.ReferencedSOPInstanceUID))
                walk(item)

    whole = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    walk(whole)
    return series - {str(whole.SeriesInstanceUID)}, instances


def object_of(path: Path) -> ReferencedObject:
    return read_referenced_object(read_header(path, WANTED_TAGS))


def test_every_object_of_the_studies_refers_to_what_pydicom_finds(studies: Path) -> None:
    kinds = set()
    folders = ["petct_acrin", "highdicom_objects", "pydicom_data_subset", "ct_chest_nlst"]
    paths = [path for name in folders for path in sorted((studies / name).rglob("*.dcm"))]
    paths += sorted(studies.glob("sarcoma_mr_cohort/STS_00*/*/mask/RS.dcm"))
    for path in paths:
        try:
            header = read_header(path, WANTED_TAGS)
        except UnreadableFileError:
            continue
        if not object_name(header.elements.code(0x00080016)):
            continue
        found = read_referenced_object(header)
        series, instances = deep_references(path)
        assert set(found.references[: found.referenced_series]) == series
        assert set(found.references[found.referenced_series :]) == instances
        assert found.referenced_instances == len(instances)
        kinds.add(found.sop_class)
    assert {"Segmentation", "RT Structure Set", "Real World Value Mapping"} <= kinds
    assert {"Structured Report", "Label Map Segmentation", "Microscopy Annotations"} <= kinds


def test_objects_say_what_they_are_called(studies: Path) -> None:
    (path,) = (studies / "petct_acrin" / "SEG_0100_504365").iterdir()
    segmentation = object_of(path)
    assert segmentation.label == "DCMQI"
    assert segmentation.description == "DCMQI; pt_segment_1, Segment_2"
    assert segmentation.series_description == "PT-Segmentation"
    (path,) = sorted(studies.glob("sarcoma_mr_cohort/STS_002/CT/mask/RS.dcm"))
    contours = object_of(path)
    assert (contours.label, contours.description) == ("RTstruct", "GTV_Mass_CT")
    (path,) = (studies / "ct_chest_nlst" / "SR_0103_648991").iterdir()
    assert object_of(path).label == "Imaging Measurement Report"


def reference(instance: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.2") -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def written(tmp_path: Path, data_set_change: object, syntax: str) -> Path:
    plan = SeriesPlan((1, 2, 2), transfer_syntax=syntax)
    (path,) = build_series(tmp_path, plan, data_set_change)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_references_that_only_a_report_tree_names(tmp_path: Path, syntax: str) -> None:
    def change(_: int, data_set: Dataset) -> None:
        node = reference("1.9.1")
        for depth in range(9):
            parent = Dataset()
            parent.ContentSequence = Sequence([node, reference(f"1.9.2.{depth}", STUDY_CLASS)])
            if depth % 2:
                parent["ContentSequence"].is_undefined_length = True
            node = parent
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
        data_set.ContentSequence = Sequence([node])
        title = Dataset()
        title.CodeMeaning = "Befund Müller"
        data_set.SpecificCharacterSet = "ISO_IR 100"
        data_set.ConceptNameCodeSequence = Sequence([title])
        del data_set.PixelData, data_set.Rows

    found = object_of(written(tmp_path, change, syntax))
    assert found.references == ("1.9.1",)
    assert found.label == "Befund Müller"


def test_sequence_of_unknown_vr_is_implicit_inside(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.1"

    path = written(tmp_path, change, ExplicitVRLittleEndian)
    uid = b"1.9.7\0"
    element = struct.pack("<HHI", 0x0008, 0x1155, len(uid)) + uid
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element
    unknown = struct.pack("<HH2sHI", 0x0008, 0x1140, b"UN", 0, len(item)) + item
    before, after = path.read_bytes().split(b"\x10\x00\x10\x00PN")
    path.write_bytes(before + unknown + b"\x10\x00\x10\x00PN" + after)
    assert object_of(path).references == ("1.9.7",)


def test_damaged_references_leave_the_object_listed(tmp_path: Path) -> None:
    def change(_: int, data_set: Dataset) -> None:
        data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
        data_set.StructureSetLabel = "Plan 1"
        data_set.add_new(0x30060010, "OB", b"\xfe\xff\x00\xe0\xff\xff\xff\x7f" + b"x" * 20)

    found = object_of(written(tmp_path, change, ExplicitVRLittleEndian))
    assert (found.references, found.label) == ((), "Plan 1")


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.66.4", "Segmentation"),
        ("1.2.840.10008.5.1.4.1.1.88.67", "Structured Report"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "Key Object Selection"),
        ("1.2.840.10008.5.1.4.1.1.11.2", "Presentation State"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated Document"),
        ("1.2.840.10008.5.1.4.1.1.481.8", "Radiotherapy Object"),
        ("1.2.840.10008.5.1.4.1.1.481.1", ""),
        ("1.2.840.10008.5.1.4.1.1.2", ""),
        ("1.2.840.10008.5.1.4.1.1.30", ""),
    ],
)
def test_class_names(uid: str, name: str) -> None:
    assert object_name(uid) == name


def test_object_without_a_class_is_known_by_its_modality() -> None:
    assert object_name("", "SEG") == "Segmentation"
    assert object_name("", "MR") == ""
    assert object_name("1.2.840.10008.5.1.4.1.1.4", "SEG") == ""
