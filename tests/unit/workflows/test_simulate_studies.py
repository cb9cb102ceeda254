"""A simulated cohort whose gap is low dose in the training split."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from carez_desktop.dicom.scan import scan_files
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.errors import CancelledError, NotFoundError, StorageError, UsageError
from carez_desktop.generators import chest_phantom
from carez_desktop.progress import CancellationFlag
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.simulate_studies import (
    load_truth,
    plan_patient,
    simulate_studies,
)

SMALL = (8, 48, 48)


@pytest.fixture
def small(monkeypatch):
    make = chest_phantom.make_phantom

    def make_small(seed, index, **given):
        return make(seed, index, shape=SMALL, **given)

    monkeypatch.setattr(chest_phantom, "make_phantom", make_small)


def test_training_has_no_low_dose_and_the_test_has_plenty():
    plans = [plan_patient(index, 14) for index in range(14)]
    train = [plan for plan in plans if plan[0] == "train"]
    test = [plan for plan in plans if plan[0] == "test"]
    assert (len(train), len(test)) == (6, 8)
    assert {dose for _, dose, _ in train} == {"standard"}
    assert [dose for _, dose, _ in test].count("low") == 7
    assert any(nodules == 0 for *_, nodules in train)
    assert sum(nodules for _, dose, nodules in test if dose == "low") >= 14


def test_the_cohort_is_written_marked_and_labelled(tmp_path, small):
    context = open_context(tmp_path / "home")
    reports = []

    class Watch:
        def report(self, fraction, message=""):
            reports.append(fraction)

    made = simulate_studies(context, folder=tmp_path / "sim", patients=5, seed=3, progress=Watch())
    assert reports[-1] == 1.0
    assert len(made.series) == made.patients == 5
    records = {r.series_instance_uid: r for r in stack_instances(scan_files([made.folder]).headers)}
    assert set(records) == {series.series_instance_uid for series in made.series}
    with made.labels.open(newline="") as file:
        rows = {row["series_instance_uid"]: row for row in csv.DictReader(file)}
    for series in made.series:
        record = records[series.series_instance_uid]
        truth = load_truth(made.folder, series.series_instance_uid)
        assert truth.shape == record.shape == SMALL
        assert truth.dtype == np.uint8
        assert rows[series.series_instance_uid]["split"] == series.split
        assert rows[series.series_instance_uid]["disease"] == series.disease
        assert (record.attributes["ctdi_vol"] < 3.0) == (series.dose == "low")
        assert not record.refusal
    again = simulate_studies(context, folder=tmp_path / "sim", patients=5, seed=3)
    assert again == made
    other = simulate_studies(context, folder=tmp_path / "other", patients=5, seed=3)
    assert [s.series_instance_uid for s in other.series] == [
        s.series_instance_uid for s in made.series
    ]


def test_what_cannot_be_done_is_said(tmp_path, small):
    context = open_context(tmp_path / "home")
    with pytest.raises(UsageError) as caught:
        simulate_studies(context, folder=tmp_path / "sim", patients=2)
    assert caught.value.subject == "patients"
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError):
        simulate_studies(context, folder=taken, patients=4)
    assert [path.name for path in taken.iterdir()] == ["thesis.txt"]
    with pytest.raises(NotFoundError):
        load_truth(taken, "1.2.3")
    flag = CancellationFlag()
    flag.cancel()
    with pytest.raises(CancelledError):
        simulate_studies(context, folder=tmp_path / "sim", patients=4, cancel=flag)
    assert not (tmp_path / "sim" / "dicom").exists()
