"""From files on disk to the library, cohorts and coverage."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.pixel_identity import pixel_digest
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import (
    CancelledError,
    InputError,
    NotFoundError,
    StorageError,
    UnreadableFileError,
    UsageError,
)
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.settings import load_settings
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workflows.freeze_cohort import freeze_cohort
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_cohorts import list_cohorts
from carez_desktop.workflows.list_volumes import list_volumes
from carez_desktop.workflows.make_thumbnails import draw_thumbnail, make_thumbnails
from carez_desktop.workflows.measure_coverage import measure_coverage
from carez_desktop.workflows.show_cohort import show_cohort
from tests.builders.small_studies import write_series


@pytest.fixture
def context(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    opened = WorkflowContext(
        home, load_settings(home), lambda: datetime(2026, 1, 2, tzinfo=UTC), lambda: "2.25.1"
    )
    yield opened
    opened.library.close()


def folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes() + str(path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def test_studies_come_in_and_are_found(context: WorkflowContext, tmp_path: Path) -> None:
    source = tmp_path / "studies"
    for number in (1, 2, 3):
        write_series(source, number)
    (source / "notes.txt").write_text("hello")
    (source / "text.dcm").write_text("this is no DICOM " * 40)
    before = folder_digest(source)
    seen: list[tuple[float, str]] = []

    class Watch:
        def report(self, fraction: float, message: str = "") -> None:
            seen.append((fraction, message))

    report = import_studies(context, paths=[source], progress=Watch())
    assert folder_digest(source) == before
    assert (report.studies, len(report.series)) == (3, 3)
    (bad,) = report.unreadable
    assert bad.path.endswith("text.dcm")
    assert [finding.code for finding in report.findings] == ["unreadable_files"]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    records = list_volumes(context)
    assert records == tuple(sorted(report.series, key=lambda record: record.patient_id))
    first = records[0]
    assert first.shape == (4, 12, 10)
    assert first.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    assert first.kind is VolumeKind.REAL
    assert len(list_volumes(context, search="secret2")) == 1
    assert context.library.unreadable_files() == report.unreadable
    log = context.audit_log.path.read_text()
    assert "import_studies" in log
    assert "Secret" not in log
    assert "PAT0" not in log


def test_importing_twice_changes_nothing(context: WorkflowContext, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "studies", 1)
    first = import_studies(context, paths=[folder])
    again = import_studies(context, paths=[folder])
    assert again.series == first.series
    assert context.library.count() == 1
    assert (first.files.new, again.files.new, again.files.unchanged) == (4, 0, 4)
    half = import_studies(context, paths=[folder / "IM000", folder / "IM001"])
    assert half.series == first.series


def test_a_cancelled_import_keeps_nothing(context: WorkflowContext, tmp_path: Path) -> None:
    write_series(tmp_path / "studies", 1)
    flag = CancellationFlag()
    with pytest.raises(CancelledError):
        import_studies(
            context,
            paths=[tmp_path / "studies"],
            cancel=flag,
            partial=lambda _: flag.cancel(),
        )
    assert context.library.count() == 0


def test_a_path_that_is_not_there_is_named(context: WorkflowContext, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="nowhere"):
        import_studies(context, paths=[tmp_path / "nowhere"])


def test_marked_studies_are_synthetic(context: WorkflowContext, tmp_path: Path) -> None:
    write_series(tmp_path, 1, marks=True)
    write_series(tmp_path, 2)
    context.library.issue_uids(["1.2.2.3"])
    write_series(tmp_path, 3)
    report = import_studies(context, paths=[tmp_path / f"series{k}" for k in (1, 2, 3)])
    kinds = {record.volume_id: record.kind.value for record in report.series}
    assert kinds == {"1.2.1": "synthetic", "1.2.2": "synthetic", "1.2.3": "real"}
    codes = {(finding.code, finding.subject) for finding in report.findings}
    assert codes == {("synthetic_marks_incomplete", "1.2.2")}
    cohort = freeze_cohort(context, name="all")
    assert [member.volume_id for member in cohort.members] == ["1.2.3"]
    both = freeze_cohort(context, name="made", where=["kind=synthetic"])
    assert {member.split for member in both.members} == {"train"}


def test_simulated_studies_play_real_only_in_a_home_of_their_own(
    context: WorkflowContext, tmp_path: Path
) -> None:
    simulated = write_series(tmp_path, 1, marks=True)
    real = write_series(tmp_path, 2)
    report = import_studies(context, paths=[simulated], stand_in=True)
    assert report.findings[0].code == "simulated_stand_in"
    assert report.series[0].kind is VolumeKind.REAL
    assert report.series[0].attributes["stand_in"] == "yes"
    assert freeze_cohort(context, name="c").stand_in
    assert measure_coverage(context).stand_in
    with pytest.raises(UsageError, match="another home"):
        import_studies(context, paths=[real])
    assert context.library.count() == 1
    # Without being asked to play real, a marked study is what it is, here as well.
    later = import_studies(context, paths=[write_series(tmp_path, 3, marks=True)])
    assert later.series[0].kind is VolumeKind.SYNTHETIC
    assert later.findings[0].code == "simulated_stand_in"


def test_a_library_of_real_studies_takes_no_stand_ins(
    context: WorkflowContext, tmp_path: Path
) -> None:
    import_studies(context, paths=[write_series(tmp_path, 1)])
    with pytest.raises(UsageError, match="home of their own"):
        import_studies(context, paths=[write_series(tmp_path, 2, marks=True)], stand_in=True)
    assert not context.library.simulated_stand_in


def test_cohorts_are_frozen_and_found_again(context: WorkflowContext, tmp_path: Path) -> None:
    for number in range(1, 7):
        write_series(tmp_path / "studies", number)
    import_studies(context, paths=[tmp_path / "studies"])
    table = tmp_path / "labels.csv"
    lines = ["patient_id;disease;split", "PAT01;nodule;test", "PAT02;none;train", "PAT99;none;"]
    table.write_text("\n".join(lines), encoding="utf-8-sig")
    cohort = freeze_cohort(context, name="chest", where=["modality=CT", "slices>=4"], labels=table)
    assert len(cohort.members) == 6
    members = {member.patient_id: member for member in cohort.members}
    assert members["PAT01"].split == "test"
    assert members["PAT01"].labels == {"disease": "nodule"}
    assert cohort.version == 1
    assert freeze_cohort(context, name="chest", volume_ids=["1.2.1"]).version == 2
    assert [c.version for c in list_cohorts(context)] == [1, 2]
    found, split = show_cohort(context, cohort="chest@train")
    assert (found.version, split) == (2, "train")
    low = freeze_cohort(context, name="women", where=["stratum.sex=F"])
    assert [member.patient_id for member in low.members] == ["PAT02", "PAT04", "PAT06"]
    log = context.audit_log.path.read_text()
    assert "PAT0" not in log


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"name": "a b"}, UsageError, "name of a cohort"),
        ({"name": "a@test"}, UsageError, "name of a cohort"),
        ({"name": "a", "where": ["modalty=CT"]}, UsageError, "modalty"),
        ({"name": "a", "where": ["stratum.weight=low"]}, UsageError, "weight"),
        ({"name": "a", "search": "nobody"}, InputError, "nothing to freeze"),
        ({"name": "a", "volume_ids": ["9.9"]}, NotFoundError, "no such volume"),
        ({"name": "a", "labels": Path("missing.csv")}, InputError, "cannot be read"),
    ],
)
def test_what_cannot_be_frozen(
    context: WorkflowContext, tmp_path: Path, arguments: dict, error: type, says: str
) -> None:
    import_studies(context, paths=[write_series(tmp_path, 1)])
    with pytest.raises(error, match=says):
        freeze_cohort(context, **arguments)
    assert list_cohorts(context) == ()


def test_coverage_of_a_cohort_and_its_report(context: WorkflowContext, tmp_path: Path) -> None:
    for number in range(1, 5):
        write_series(tmp_path / "studies", number)
    import_studies(context, paths=[tmp_path / "studies"])
    table = tmp_path / "labels.csv"
    table.write_text("patient_id,split\nPAT01,train\nPAT02,train\nPAT03,train\nPAT04,test\n")
    freeze_cohort(context, name="chest", labels=table)
    html = tmp_path / "coverage.html"
    matrix = measure_coverage(context, cohort="chest@train", html=html)
    assert matrix.patients == 3
    assert matrix.cell({"modality": "CT", "dose": "standard"}).patients == 3
    assert matrix.gaps[0].cell == {"dose": "low", "modality": "CT"}
    assert 0 < matrix.pairwise_coverage < 1
    text = html.read_text()
    assert "CT dose" in text
    assert "PAT0" not in text
    assert "Secret" not in text
    assert "http" not in text
    with pytest.raises(StorageError, match="report"):
        measure_coverage(context, html=tmp_path / "missing" / "x.html")
    with pytest.raises(NotFoundError):
        measure_coverage(context, cohort="head")
    with pytest.raises(UsageError, match="split"):
        measure_coverage(context, cohort="chest@holdout")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("axis = 3", "axis"),
        ("[[axis]]\nname = 'a'\nsources = [{ quantity = 'weight' }]", "no such quantity"),
        ("[[axis]]\nname = 'a'\nbands = 3\nsources = [{ quantity = 'sex' }]", "bands"),
        ("[[axis", "wrong"),
        (
            "[[axis]]\nname = 'a'\naliases = [['(', 'x']]\nsources = [{ quantity = 'sex' }]",
            "regular",
        ),
    ],
)
def test_a_wrong_plan_is_named(
    context: WorkflowContext, tmp_path: Path, text: str, says: str
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        measure_coverage(context, plan=plan)
    assert caught.value.subject == str(plan)


def test_stripped_marks_are_seen_through_by_pixels(
    context: WorkflowContext, tmp_path: Path
) -> None:
    folder = write_series(tmp_path, 1)
    write_series(tmp_path, 2)
    paths = sorted(folder.iterdir())
    pixels = np.stack([pydicom.dcmread(path).pixel_array for path in paths])
    context.library.remember_digest(pixel_digest(pixels), shape=pixels.shape, origin="case-0001")
    import_studies(context, paths=[folder, tmp_path / "series2"])
    cohort = freeze_cohort(context, name="c")
    assert [member.volume_id for member in cohort.members] == ["1.2.2"]
    caught = context.library.volume("1.2.1")
    assert caught.kind is VolumeKind.SYNTHETIC
    assert caught.findings[-1].code == "synthetic_by_pixels"
    matrix = measure_coverage(context)
    assert (matrix.volumes, matrix.synthetic_volumes) == (1, 1)


def test_thumbnails_are_made_once(context: WorkflowContext, tmp_path: Path) -> None:
    for number in (1, 2):
        write_series(tmp_path, number)
    import_studies(context, paths=[tmp_path / "series1", tmp_path / "series2"])
    (tmp_path / "series2" / "IM002").unlink()
    made: list[object] = []
    findings = make_thumbnails(context, partial=made.append)
    assert made == ["1.2.1"]
    assert [(finding.code, finding.subject) for finding in findings] == [("no_thumbnail", "1.2.2")]
    image = Image.open(BytesIO(context.library.thumbnail("1.2.1") or b""))
    # 12 rows of 0.8 mm by 10 columns of 0.7 mm: 9.6 mm x 7.0 mm.
    assert image.size == (round(128 * 7.0 / 9.6), 128)
    made.clear()
    make_thumbnails(context, volume_ids=["1.2.1"], partial=made.append)
    assert made == []
    log = context.audit_log.path.read_text()
    assert "load_volume" not in log


def test_a_stripped_volume_is_caught_when_its_thumbnail_is_made(
    context: WorkflowContext, tmp_path: Path
) -> None:
    folder = write_series(tmp_path, 1)
    write_series(tmp_path, 2, slices=3)
    import_studies(context, paths=[tmp_path])
    pixels = np.stack([pydicom.dcmread(path).pixel_array for path in sorted(folder.iterdir())])
    context.library.remember_digest(pixel_digest(pixels), shape=pixels.shape, origin="case-0001")
    make_thumbnails(context)
    assert context.library.volume("1.2.1").kind is VolumeKind.SYNTHETIC
    assert context.library.pixel_digest("1.2.2") is None  # another shape: never read as a whole


def test_a_thumbnail_has_the_colours_and_inverts_monochrome1() -> None:
    geometry = VolumeGeometry.from_parts((1, 8, 8), (1.0, 1.0, 1.0), (0, 0, 0), np.eye(3))
    colours = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    colours[..., 0] = 200
    volume = Volume("1", colours, geometry, "US", "rgb")
    assert np.asarray(Image.open(BytesIO(draw_thumbnail(volume))))[5, 5].tolist() == [200, 0, 0]
    grey = np.tile(np.arange(8, dtype=np.int16), (1, 8, 1))
    inverted = Volume(
        *("1", grey, geometry, "CR", "arbitrary"),
        attributes={"photometric_interpretation": "MONOCHROME1"},
    )
    picture = np.asarray(Image.open(BytesIO(draw_thumbnail(inverted))))
    assert (picture[64, 0], picture[64, -1]) == (255, 0)


def test_a_thumbnail_has_the_window_and_the_aspect_of_its_slice() -> None:
    array = np.zeros((3, 20, 40), dtype=np.int16)
    array[1] = np.linspace(-1000, 1000, 40).astype(np.int16)
    geometry = VolumeGeometry.from_parts((3, 20, 40), (5.0, 2.0, 1.0), (0, 0, 0), np.eye(3))
    volume = Volume("1", array, geometry, "CT", "HU", window_center=0.0, window_width=400.0)
    image = np.asarray(Image.open(BytesIO(draw_thumbnail(volume))))
    assert image.shape == (128, 128)
    # -1000 and 1000 lie outside the window of -200 to 200; 0 is its middle.
    assert (image[64, 0], image[64, -1]) == (0, 255)
    assert abs(float(image[64, 62:66].mean()) - 127.5) < 6
    blank = volume.with_array(np.full_like(array, 7), window_center=None, window_width=None)
    assert np.asarray(Image.open(BytesIO(draw_thumbnail(blank)))).max() == 0


def test_records_are_json_for_the_command_line(context: WorkflowContext, tmp_path: Path) -> None:
    from carez_desktop.domain.codec import to_plain

    import_studies(context, paths=[write_series(tmp_path, 1)])
    text = json.dumps(to_plain(measure_coverage(context)), allow_nan=False)
    assert {"axes", "cells", "gaps", "pairwise_coverage", "threewise_coverage"} <= set(
        json.loads(text)
    )


def test_the_command_line_freezes_a_list_with_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from carez_desktop.cli.app import run

    for number in (1, 2, 3):
        write_series(tmp_path / "studies", number)
    (tmp_path / "ids.txt").write_text("1.2.1\n\n1.2.3\n")
    (tmp_path / "labels.csv").write_text("volume_id,disease\n1.2.1,nodule\n1.2.3,none\n")
    start = ["--home", str(tmp_path / "home"), "--json"]
    assert run([*start, "import", str(tmp_path / "studies")]) == 0
    capsys.readouterr()
    create = ["cohort", "create", "c", "--from", str(tmp_path / "ids.txt")]
    assert run([*start, *create, "--labels", str(tmp_path / "labels.csv")]) == 0
    assert json.loads(capsys.readouterr().out)["volumes"] == ["1.2.1", "1.2.3"]
    assert run([*start, "cohort", "create", "d", "--from", str(tmp_path / "none")]) == 3
    assert run([*start, "cohort", "create", "d", "--where", "kvp"]) == 2
