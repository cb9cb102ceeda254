"""Every syntax, pixel and object of the corpus through import and load: the values come out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.study import ImportReport, VolumeRecord
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from tests.builders.odd_corpus import OddCase, dicom_corpus, uid_of
from tests.builders.odd_objects import REFERENCED
from tests.builders.odd_volume_files import archive_corpus, volume_file_corpus

NOT_YET: set[str] = set()
IMAGES = [case for case in dicom_corpus() if not case.object_class]
LISTED = [case for case in dicom_corpus() if case.object_class]


def name_of(case: OddCase) -> str:
    return case.name


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkflowContext]:
    opened = open_context(tmp_path_factory.mktemp("site") / "home")
    yield opened
    opened.close()
    opened.library.close()


@pytest.fixture(scope="module")
def report(context: WorkflowContext, tmp_path_factory: pytest.TempPathFactory) -> ImportReport:
    folder = tmp_path_factory.mktemp("corpus")
    for case in (*dicom_corpus(), *volume_file_corpus()):
        case.write(folder)
    return import_studies(context, paths=[folder])


def records_of(report: ImportReport, case: OddCase) -> list[VolumeRecord]:
    """The volumes of a case in the order of their set."""
    if case.series_uid:
        found = [r for r in report.series if r.series_instance_uid == case.series_uid]
    else:
        found = [r for r in report.series if Path(r.paths[0]).parent.name == case.name]
    return sorted(found, key=lambda record: record.set_index)


def comes_out(context: WorkflowContext, report: ImportReport, case: OddCase) -> None:
    """Load what a case became and compare it with what it was made from."""
    records = records_of(report, case)
    assert len(records) == len(case.volumes), [r.path for r in report.unreadable]
    for record, expected in zip(records, case.volumes, strict=True):
        volume = load_volume(context, volume_id=record.volume_id)
        assert volume.array.shape == expected.shape
        difference = np.abs(volume.array.astype(np.float64) - expected).max()
        assert difference <= case.tolerance, f"{difference} {volume.array.dtype}"
        if case.series_uid and record.modality != "SM":
            assert len(record.paths) == record.shape[0]
        assert record.shape == expected.shape[:3]


@pytest.mark.parametrize("case", IMAGES, ids=name_of)
def test_an_image_gives_the_values_that_it_was_made_from(
    context: WorkflowContext, report: ImportReport, case: OddCase
) -> None:
    comes_out(context, report, case)
    if case.patient_name:
        (record,) = records_of(report, case)
        assert record.attributes["patient_name"] == case.patient_name


@pytest.mark.parametrize("case", volume_file_corpus(), ids=name_of)
def test_a_volume_file_gives_the_values_that_it_was_made_from(
    context: WorkflowContext, report: ImportReport, case: OddCase
) -> None:
    comes_out(context, report, case)


@pytest.mark.parametrize("case", LISTED, ids=name_of)
def test_an_object_is_listed_with_what_it_refers_to(report: ImportReport, case: OddCase) -> None:
    assert case.series_uid not in {record.series_instance_uid for record in report.series}
    (record,) = [r for r in report.series if r.series_instance_uid == uid_of(REFERENCED)]
    (found,) = [o for o in record.objects if o.series_instance_uid == case.series_uid]
    assert found.sop_class == case.object_class
    assert f"{uid_of(REFERENCED)}.1" in found.references


@pytest.mark.parametrize("name", list(archive_corpus()))
def test_a_study_comes_out_of_an_archive(tmp_path: Path, name: str) -> None:
    case = OddCase(name, archive_corpus()[name])
    paths = case.write(tmp_path)
    context = open_context(tmp_path / "home")
    try:
        report = import_studies(context, paths=[paths[0]])
        expected = next(c for c in dicom_corpus() if c.name == REFERENCED)
        comes_out(context, report, expected)
    finally:
        context.close()
        context.library.close()


def test_nothing_of_the_corpus_is_unreadable(report: ImportReport) -> None:
    assert [(Path(file.path).parent.name, file.reason) for file in report.unreadable] == []
