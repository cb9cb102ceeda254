"""Windows, tables, real-world values and padding of headers that pydicom writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from carez_desktop.dicom.display_values import (
    read_padding,
    read_real_world_maps,
    read_voi_luts,
    read_windows,
)
from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.modality_values import Rescale, read_modality_lut
from carez_desktop.dicom.real_world_objects import MAPPING_OBJECT, read_linked_maps
from carez_desktop.dicom.scan import scan_files
from carez_desktop.dicom.slice_source import REFERENCE_TAGS, RecordFiles
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.study import ReferencedObject
from carez_desktop.domain.window import VoiFunction, VoiWindow
from carez_desktop.errors import UnreadableFileError
from tests.builders.dicom_series import SeriesPlan, build_series


def elements_with(folder: Path, signed: bool = True, **facts: object) -> ElementTable:
    def change(_: int, image: Dataset) -> None:
        for name, value in facts.items():
            setattr(image, name, value)

    (path,) = build_series(folder, SeriesPlan((1, 6, 8), signed=signed), change)
    return read_header(path, REFERENCE_TAGS).elements


def item_of(**facts: object) -> Dataset:
    item = Dataset()
    for name, value in facts.items():
        setattr(item, name, value)
    return item


def test_every_window_with_its_words(tmp_path: Path) -> None:
    elements = elements_with(
        tmp_path,
        WindowCenter=["40", "-600", "5"],
        WindowWidth=["400", "1500", "0.5"],
        WindowCenterWidthExplanation=["SOFT", "LUNG", "none"],
    )
    assert read_windows(elements, 0) == (
        VoiWindow(40, 400, VoiFunction.LINEAR, "SOFT"),
        VoiWindow(-600, 1500, VoiFunction.LINEAR, "LUNG"),
    )


@pytest.mark.parametrize("function", list(VoiFunction))
def test_function_of_a_window(tmp_path: Path, function: VoiFunction) -> None:
    elements = elements_with(
        tmp_path, WindowCenter="1", WindowWidth="0.5", VOILUTFunction=function.value
    )
    windows = read_windows(elements, 0)
    if function is VoiFunction.LINEAR:
        assert windows == ()
    else:
        assert windows == (VoiWindow(1, 0.5, function),)


def test_window_of_a_frame_comes_before_that_of_all(tmp_path: Path) -> None:
    shared = item_of(FrameVOILUTSequence=[item_of(WindowCenter="1", WindowWidth="10")])
    own = item_of(FrameVOILUTSequence=[item_of(WindowCenter="2", WindowWidth="20")])
    elements = elements_with(
        tmp_path,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[item_of(), own],
    )
    assert [w.center for w in read_windows(elements, 0)] == [1.0]
    assert [w.center for w in read_windows(elements, 1)] == [2.0]
    assert [w.center for w in read_windows(elements, 9)] == [1.0]


def lut(first: int, entries: list[int], bits: int, kind: str = "US") -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, kind, [len(entries), first, bits])
    item.LUTExplanation = "as printed"
    item.LUTData = np.array(entries, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return item


def test_voi_tables_with_negative_first_value(tmp_path: Path) -> None:
    elements = elements_with(
        tmp_path, VOILUTSequence=[lut(-3, [0, 100, 4095], 12, "SS"), lut(0, [0, 65535], 8)]
    )
    first, second = read_voi_luts(elements, Rescale())
    assert (first.first, first.entries.tolist(), first.bits) == (-3, [0, 100, 4095], 12)
    assert first.name == "as printed"
    assert second.bits == 16  # more than it says


def test_modality_table_and_its_signed_first_value(tmp_path: Path) -> None:
    table = lut(-2, [7, 8, 60000], 16, "SS")
    table.ModalityLUTType = "HU"
    elements = elements_with(tmp_path, ModalityLUTSequence=[table])
    found = read_modality_lut(elements, "f")
    assert found is not None
    assert found.apply(np.array([-5, -2, -1, 0, 9])).tolist() == [7, 7, 8, 60000, 60000]
    short = lut(0, [1, 2], 16)
    short.LUTDescriptor = [300, 0, 16]
    with pytest.raises(UnreadableFileError, match="2 of 300 entries"):
        read_modality_lut(elements_with(tmp_path / "b", ModalityLUTSequence=[short]), "f")


def test_real_world_values_of_stored_values(tmp_path: Path) -> None:
    unit = item_of(CodeValue="{SUVbw}g/ml", CodingSchemeDesignator="UCUM", CodeMeaning="SUV")
    item = item_of(
        RealWorldValueSlope=0.5,
        RealWorldValueIntercept=2.0,
        LUTLabel="SUV",
        MeasurementUnitsCodeSequence=[unit],
    )
    item.add_new(0x00409216, "SS", -10)
    item.add_new(0x00409211, "SS", 1000)
    elements = elements_with(tmp_path, RealWorldValueMappingSequence=[item])
    (found,) = read_real_world_maps(elements, 0, Rescale(2.0, -1024.0))
    assert (found.unit, found.name) == ("{SUVbw}g/ml", "SUV")
    assert (found.first_stored, found.last_stored) == (-10, 1000)
    # Stored 30 is modality 30 x 2 - 1024 = -964 and real world 30 x 0.5 + 2 = 17.
    assert found.of_modality_value(-964.0) == 17.0
    assert found.of_modality_value(-1100.0) is None


def test_real_world_range_of_doubles_wins_and_tables_are_left_out(tmp_path: Path) -> None:
    linear = item_of(
        RealWorldValueSlope=1.0,
        RealWorldValueIntercept=0.0,
        DoubleFloatRealWorldValueFirstValueMapped=-0.5,
        DoubleFloatRealWorldValueLastValueMapped=0.5,
        LUTLabel="FA",
    )
    table = item_of(RealWorldValueLUTData=[1.0, 2.0], LUTLabel="table")
    elements = elements_with(tmp_path, RealWorldValueMappingSequence=[linear, table])
    (found,) = read_real_world_maps(elements, 0, Rescale())
    assert (found.first_stored, found.last_stored, found.name) == (-0.5, 0.5, "FA")


@pytest.mark.parametrize(
    ("signed", "facts", "wanted"),
    [
        (True, {0x00280120: -2000}, (-3024.0, -3024.0)),
        (True, {0x00280120: -2000, 0x00280121: -1500}, (-3024.0, -2524.0)),
        (False, {0x00280120: 63536}, (62512.0, 62512.0)),
        (True, {}, None),
    ],
)
def test_padding_is_a_range_of_modality_values(
    tmp_path: Path, signed: bool, facts: dict[int, int], wanted: tuple[float, float] | None
) -> None:
    def change(_: int, image: Dataset) -> None:
        for tag, value in facts.items():
            image.add_new(tag, "SS" if signed else "US", value)

    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), signed=signed), change)
    elements = read_header(path, REFERENCE_TAGS).elements
    assert read_padding(elements, Rescale(1.0, -1024.0)) == wanted


def test_mapping_objects_are_read_and_those_that_contradict_left_out(tmp_path: Path) -> None:
    (path,) = build_series(tmp_path, SeriesPlan((1, 6, 8), slope="0.5", intercept="0"))
    (record,) = stack_instances(scan_files([tmp_path]).headers)
    objects = []
    for name, slope in (("good", 0.5), ("bad", 1.0)):
        unit = item_of(CodeValue="{SUVbw}g/ml", CodingSchemeDesignator="UCUM", CodeMeaning="SUV")
        mapping = item_of(
            RealWorldValueSlope=slope,
            RealWorldValueIntercept=0.0,
            DoubleFloatRealWorldValueFirstValueMapped=-1e5,
            DoubleFloatRealWorldValueLastValueMapped=1e5,
            LUTLabel=name,
            MeasurementUnitsCodeSequence=[unit],
        )
        image = item_of(ReferencedSOPInstanceUID="1.2.3.4.1")
        group = item_of(ReferencedImageSequence=[image], RealWorldValueMappingSequence=[mapping])

        def change(_: int, data: Dataset, group: Dataset = group) -> None:
            data.ReferencedImageRealWorldValueMappingSequence = [group]

        (target,) = build_series(tmp_path.parent / name, SeriesPlan((1, 6, 8)), change)
        objects.append(
            ReferencedObject(MAPPING_OBJECT, name, "", (record.series_instance_uid,), str(target))
        )
    gone = replace(objects[0], path=str(tmp_path / "gone"))
    files = RecordFiles(record)
    source = files.source(0)
    files.close()
    linked = replace(record, objects=(*objects, gone))
    maps, findings = read_linked_maps(linked, source, is_suv=True)
    assert [m.name for m in maps] == ["good"]
    assert [f.code for f in findings] == ["real_world_map_differs", "real_world_map_lost"]
    assert "stored value x 1, the image x 0.5" in findings[0].text
    maps, _ = read_linked_maps(linked, source, is_suv=False)
    assert [m.name for m in maps] == ["good", "bad"]
    assert path.exists()
