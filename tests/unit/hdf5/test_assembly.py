"""Staged cases become one file: deterministic, whole or not at all, free of the source's names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carez_desktop.domain.codec import array_digest
from carez_desktop.errors import CancelledError, InputError, NotFoundError, StorageError, UsageError
from carez_desktop.hdf5 import assembly
from carez_desktop.hdf5.assembly import assemble_bundle
from carez_desktop.hdf5.case_staging import stage_case
from carez_desktop.hdf5.chunk_encoding import write_array
from carez_desktop.hdf5.plain_storage import plain_attributes
from carez_desktop.hdf5.reader import (
    list_cases,
    read_case_labels,
    read_case_record,
    read_case_volume,
    read_evaluation,
    read_header,
    read_parts,
)
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.paths import resource_path
from tests.builders.bundles import (
    COVERAGE,
    SOURCE_PATH,
    SOURCE_PATIENT,
    SOURCE_UID,
    evaluation,
    header,
    make_bundle,
    make_case,
    provenance,
    stage_some,
)


def _assemble(staged: list[Path], out: Path, **options):
    facts = {
        "header": header(),
        "coverage": COVERAGE,
        "provenance": provenance(sorted(staged)),
        "cards": {},
    }
    return assemble_bundle(staged, out, **(facts | options))


def test_a_case_comes_back_as_it_went_in(tmp_path: Path):
    bundle = make_bundle(tmp_path, dtype=np.float32).bundle
    case = make_case("case-0002", dtype=np.float32)
    volume = read_case_volume(bundle, "case-0002")
    np.testing.assert_array_equal(volume.array, case.volume.array)
    assert volume.geometry.is_close_to(case.volume.geometry, tolerance_mm=1e-9)
    assert not volume.geometry.is_right_handed
    assert (volume.units, volume.modality, volume.kind) == ("HU", "CT", "synthetic")
    assert volume.window_width == 400.0
    assert volume.volume_id == f"{bundle}#case-0002"
    (label,) = read_case_labels(bundle, "case-0002")
    np.testing.assert_array_equal(label.array, case.labels[0].array)
    assert label.segments == case.labels[0].segments
    record = read_case_record(bundle, "case-0002")
    assert record["conditions"] == {"dose_fraction": 0.25}
    assert record["seed"] == 3
    entry = list_cases(bundle)[1]
    assert entry.spacing_mm == pytest.approx((2.5, 0.7, 0.9))
    assert entry.sha256 == array_digest(case.volume.array)
    assert entry.coverage_cell == {"dose": "low", "sex": "F"}
    assert read_header(bundle) == header()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    array=arrays(
        st.sampled_from([np.int16, np.uint8, np.int32, np.float32]),
        st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)),
    )
)
def test_any_array_survives(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("any") / "a.h5"
    with h5py.File(path, "w") as file:
        write_array(file, "image", array)
    with h5py.File(path, "r") as file:
        assert array_digest(file["image"][()]) == array_digest(array)


def test_the_same_cases_give_the_same_bytes(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 3)
    first = _assemble(staged, tmp_path / "a.h5")
    time.sleep(1.1)
    second = _assemble(staged[::-1], tmp_path / "b.h5")
    assert first.root == second.root
    digests = [
        hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.h5", "b.h5")
    ]
    assert digests[0] == digests[1]


def test_nothing_of_the_source_is_in_the_file(tmp_path: Path):
    bundle = make_bundle(tmp_path).bundle
    content = bundle.read_bytes()
    with h5py.File(bundle, "r") as file:
        texts = [content]
        file.visititems(
            lambda _, item: (
                texts.append(bytes(item[()]))
                if isinstance(item, h5py.Dataset) and item.shape == ()
                else None
            )
        )
    for secret in (SOURCE_UID, SOURCE_PATIENT, SOURCE_PATH, "/home/", str(tmp_path), "a" * 64):
        assert not any(secret.encode() in text for text in texts), secret
    assert read_case_record(bundle, "case-0001")["source_digest"].startswith("hmac-sha256:")


def test_cases_of_one_source_share_a_frame_that_is_not_the_source_s(tmp_path: Path):
    bundle = make_bundle(tmp_path).bundle
    frames = {
        read_case_volume(bundle, e.case_id).frame_of_reference_uid for e in list_cases(bundle)
    }
    assert len(frames) == 1
    assert frames.pop().startswith("2.25.")


def test_small_counts_are_suppressed(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 1)
    out = tmp_path / "a.h5"
    _assemble(staged, out, evaluation=evaluation())
    low, full, high, unknown = read_parts(out)["coverage"]["cells"]
    assert (low["before"], low["after"], low["synthetic"]) == ("<=10", "suppressed", 2)
    assert (full["before"], high["before"], unknown["before"]) == ("suppressed", 50, 0)
    axes = {axis["axis"]: axis for axis in read_evaluation(out)["axes"]}
    assert [m["n"] for m in axes["fidelity"]["measurements"]] == ["<=10", 48]
    assert axes["bias"]["verdict"] == "not_evaluable"


def test_a_bundle_obeys_its_own_schema(tmp_path: Path):
    bundle = make_bundle(tmp_path).bundle
    schema = resource_path("specification/carez-bundle.schema.json").read_text()
    with h5py.File(bundle, "r") as file:
        document = {"header": plain_attributes(file), "cases": {}}
        for name, group in file["cases"].items():
            document["cases"][name] = {
                "image": plain_attributes(group["image"]),
                "labels": {key: plain_attributes(item) for key, item in group["labels"].items()},
                "generation": json.loads(group["generation/record"][()]),
            }
        assert file["specification/schema"][()].decode() == schema
        assert file.attrs["schema_sha256"].decode() == hashlib.sha256(schema.encode()).hexdigest()
    jsonschema.validate(document, json.loads(schema))


def test_only_plain_filters_and_types_are_used(tmp_path: Path):
    with h5py.File(make_bundle(tmp_path).bundle, "r") as file:
        image = file["cases/case-0001/image"]
        assert (image.compression, image.compression_opts) == ("gzip", 4)
        assert image.shuffle
        assert image.fletcher32
        assert image.dtype == "<i2"


def test_an_existing_file_is_not_replaced_unless_asked(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 1)
    out = tmp_path / "a.h5"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        _assemble(staged, out)
    assert out.read_text() == "mine"
    _assemble(staged, out, overwrite=True)
    assert len(list_cases(out)) == 1


def test_cancelling_leaves_nothing(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 1)
    flag = CancellationFlag()
    flag.cancel()
    (tmp_path / "out").mkdir()
    with pytest.raises(CancelledError):
        _assemble(staged, tmp_path / "out" / "a.h5", cancel=flag)
    with pytest.raises(CancelledError):
        stage_case(tmp_path / "out", make_case(), source_digest="", coverage_cell={}, cancel=flag)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_staged_case_is_not_assembled(tmp_path: Path):
    (staged,) = stage_some(tmp_path / "staged", 1, shape=(8, 64, 64))
    content = bytearray(staged.read_bytes())
    with h5py.File(staged, "r") as file:
        at = file["image"].id.get_chunk_info(0).byte_offset + 100
    content[at] ^= 1
    staged.write_bytes(content)
    with pytest.raises(InputError, match="/cases/case-0001/image"):
        _assemble([staged], tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()
    staged.write_bytes(b"")
    with pytest.raises(InputError):
        _assemble([staged], tmp_path / "a.h5")


def test_a_name_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="Not a name"):
        stage_case(tmp_path, make_case("../x"), source_digest="", coverage_cell={})


def test_reading_what_is_not_there(tmp_path: Path):
    bundle = make_bundle(tmp_path).bundle
    with pytest.raises(NotFoundError, match="case-9999"):
        read_case_volume(bundle, "case-9999")
    with pytest.raises(NotFoundError):
        list_cases(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="Not an HDF5"):
        list_cases(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="Not a Carez bundle"):
        list_cases(tmp_path / "other.h5")


_KILLED = """
import sys
from pathlib import Path
from tests.builders.bundles import COVERAGE, header, provenance
from carez_desktop.hdf5.assembly import assemble_bundle
staged = sorted(Path(sys.argv[1]).glob("*.case.h5"))
print("ready", flush=True)
while True:
    assemble_bundle(staged, Path(sys.argv[2]), header=header(), coverage=COVERAGE,
                    provenance=provenance(staged), cards={}, overwrite=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_process_leaves_the_old_file_or_none(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 3, shape=(20, 128, 128))
    out = tmp_path / "a.h5"
    expected = _assemble(staged, tmp_path / "whole.h5").root
    root = Path(__file__).resolve().parents[3]
    for delay in (0.01, 0.06, 0.11):
        with subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(tmp_path / "staged"), str(out)],
            stdout=subprocess.PIPE,
            cwd=root,
        ) as child:
            child.stdout.readline()
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
        if out.exists():
            with h5py.File(out, "r") as file:
                assert file["manifest"].attrs["merkle_root"].decode() == expected
    assert _assemble(staged, out, overwrite=True).root == expected
    assert [path.name for path in tmp_path.glob(".*.part")] == []


_FULL = """
import sys
from pathlib import Path
from carez_desktop.errors import StorageError
from carez_desktop.hdf5 import assembly
from tests.builders.bundles import COVERAGE, header, make_case, provenance
from carez_desktop.hdf5.case_staging import stage_case
staged = sorted(Path(sys.argv[1]).glob("*.case.h5"))
out = Path(sys.argv[2])
if sys.argv[3] == "unchecked":
    assembly._refuse_full_disk = lambda *_: None
for attempt in ("assemble", "stage"):
    try:
        if attempt == "assemble":
            assembly.assemble_bundle(staged, out, header=header(), coverage=COVERAGE,
                                     provenance=provenance(staged), cards={})
        else:
            stage_case(out.parent, make_case(shape=(60, 256, 256)), source_digest="",
                       coverage_cell={})
        print("written")
    except StorageError as error:
        print(attempt, "|", error.what, "|", error.subject, "|", error.hint)
"""


def _run_full(staged: Path, out: Path, mode: str, prefix: tuple[str, ...] = ()) -> str:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [*prefix, sys.executable, "-c", _FULL, str(staged), str(out), mode],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def small_disk(tmp_path: Path):
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("mode", ["checked", "unchecked"])
def test_a_full_disk_is_a_storage_error(tmp_path: Path, small_disk: Path, mode: str):
    stage_some(tmp_path / "staged", 2, shape=(40, 256, 256))
    output = _run_full(tmp_path / "staged", small_disk / "a.h5", mode)
    lines = output.strip().splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["assemble", "stage"]
    for line in lines:
        assert str(small_disk) in line
        assert "Free space" in line
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk_is_a_storage_error(tmp_path: Path, small_disk: Path):
    stage_some(tmp_path / "staged", 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    output = _run_full(tmp_path / "staged", small_disk / "a.h5", "unchecked")
    assert output.count(str(small_disk)) == 2
    assert output.count("read-only") == 2


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_a_folder_without_permission_is_a_storage_error(tmp_path: Path):
    stage_some(tmp_path / "staged", 1)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    # Root ignores permissions unless it gives up the capabilities that let it.
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    output = _run_full(tmp_path / "staged", folder / "a.h5", "checked", prefix)
    assert output.count(str(folder)) == 2
    assert output.count("may write to") == 2
    assert list(folder.iterdir()) == []


def test_a_missing_folder_is_a_storage_error(tmp_path: Path):
    staged = stage_some(tmp_path / "staged", 1)
    with pytest.raises(StorageError, match="Create the folder"):
        _assemble(staged, tmp_path / "none" / "a.h5")


def test_the_disk_is_asked_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    staged = stage_some(tmp_path / "staged", 1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(assembly.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError, match="MiB free"):
        _assemble(staged, tmp_path / "a.h5")


def test_the_specification_inside_is_the_one_in_the_docs():
    docs = Path(__file__).resolve().parents[3] / "docs" / "reference" / "bundle-format.md"
    assert docs.read_bytes() == resource_path("specification/bundle-format.md").read_bytes()
