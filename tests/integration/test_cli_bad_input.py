"""Bad input on the real command line: what is said, which exit code, what is left behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from carez_desktop.errors import UnreadableFileError
from tests.builders.command_line import (
    CommandLine,
    Outcome,
    names_below,
    outcome_of,
    start_process,
    state_of_files,
)
from tests.builders.generator_packages import write_diffusion_package
from tests.builders.odd_studies import (
    GOOD,
    MIXED_MATRIX,
    TRUNCATED,
    WITHOUT_PIXELS,
    WITHOUT_POSITION,
    build_odd_studies,
)

can_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"),
    reason="mounts a small disk",
)


@pytest.fixture(scope="module")
def studies_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_odd_studies(tmp_path_factory.mktemp("studies"))


@pytest.fixture(scope="module")
def prepared_home(tmp_path_factory: pytest.TempPathFactory, studies_folder: Path) -> Path:
    """A home with the studies imported, one cohort and one sealed bundle `low.h5`."""
    home = tmp_path_factory.mktemp("site") / "home"
    for arguments in (
        ("import", studies_folder),
        ("cohort", "create", "all"),
        ("generate", "low-dose-ct", "--source", GOOD, "--out", home.parent / "low.h5"),
        ("bundle", "seal", home.parent / "low.h5"),
    ):
        assert outcome_of(start_process(home, *arguments)).code == 0
    return home


@pytest.fixture
def carez(
    prepared_home: Path, studies_folder: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line on the prepared home; whatever a test does, the sources stay as they are."""
    before = state_of_files(studies_folder)
    yield CommandLine(prepared_home, capsys)
    assert state_of_files(studies_folder) == before


@pytest.fixture
def bundle(prepared_home: Path, tmp_path: Path) -> Path:
    """A private copy of the sealed bundle."""
    return Path(shutil.copy(prepared_home.parent / "low.h5", tmp_path / "low.h5"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def generate(carez: CommandLine, out: Path, *changes: str, source: str = GOOD) -> Outcome:
    return carez("generate", "low-dose-ct", "--source", source, "--out", out / "x.h5", *changes)


# Studies


def test_import_names_every_bad_file_with_its_reason_and_keeps_the_rest(
    carez: CommandLine, studies_folder: Path, tmp_path: Path
) -> None:
    told = carez("import", studies_folder, home=tmp_path / "home").does(
        "notes.dcm: The file is not DICOM",
        "The file is truncated: 20 of 96 bytes of pixel data are missing",
        "the file ends inside its header",
        "no position in the patient",
        "mixes matrix sizes",
        "no pixel data",
        "3 files could not be read",
    )
    assert "Copy them again" in told.err
    document = carez("--json", "import", studies_folder, home=tmp_path / "other").document
    assert len(document["unreadable"]) == 3
    for unreadable in document["unreadable"]:
        assert Path(unreadable["path"]).is_file()
        assert unreadable["reason"]
    assert GOOD in {series["volume_id"] for series in document["series"]}


def test_import_of_nothing_but_bad_files_is_bad_input(
    carez: CommandLine, studies_folder: Path, tmp_path: Path
) -> None:
    text = studies_folder / "text" / "notes.dcm"
    carez("import", text, home=tmp_path / "home").refuses(3, "notes.dcm", "not DICOM")
    told = carez("--json", "import", text, home=tmp_path / "home").refuses(3)
    assert told.document["unreadable"][0]["path"] == str(text)
    assert told.document["error"]["code"] == UnreadableFileError.code
    assert set(told.document["error"]) == {"code", "what", "where", "hint"}


def test_import_of_what_holds_no_images_says_what_is_read(
    carez: CommandLine, bundle: Path, tmp_path: Path
) -> None:
    carez("import", bundle, home=tmp_path / "home").refuses(3, "of no kind that is opened")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no image")
    carez("import", tmp_path / "texts", home=tmp_path / "home").does("What is read: DICOM, NIfTI")
    carez("import", tmp_path / "nowhere").refuses(3, "nowhere", "Check the path")


@pytest.mark.parametrize(
    ("volume_id", "words"),
    [
        (WITHOUT_PIXELS, ("5 of 5 images have no pixel data", WITHOUT_PIXELS)),
        (WITHOUT_POSITION, ("5 volumes", f"{WITHOUT_POSITION}:1")),
        (MIXED_MATRIX, ("2 volumes", f"{MIXED_MATRIX}:2")),
        ("9.9.9", ("no such volume", "carez series")),
        ("nowhere.h5#case-0001", ("No such bundle", "nowhere.h5")),
    ],
)
def test_what_is_no_volume_is_refused_by_name(
    carez: CommandLine, out: Path, volume_id: str, words: tuple[str, ...]
) -> None:
    carez("volume", volume_id, "--out", out / "x.nrrd").refuses(3, *words)
    told = carez("--json", "volume", volume_id, "--out", out / "x.nrrd").refuses(3)
    assert set(told.document["error"]) == {"code", "what", "where", "hint"}
    assert names_below(out) == []


def test_a_volume_is_the_part_that_could_be_read(carez: CommandLine, out: Path) -> None:
    document = carez("--json", "volume", TRUNCATED, "--out", out / "x.nrrd").document
    assert document["shape"] == [3, 6, 8]


def test_a_source_that_vanished_is_named(
    carez: CommandLine, studies_folder: Path, tmp_path: Path, out: Path
) -> None:
    copy = shutil.copytree(studies_folder / "good", tmp_path / "copy")
    carez("import", copy, home=tmp_path / "home").does()
    shutil.rmtree(copy)
    carez("volume", GOOD, "--out", out / "x.nii.gz", home=tmp_path / "home").refuses(3, str(copy))
    assert names_below(out) == []


@pytest.mark.parametrize(("name", "code"), [("x.doc", 2), ("nowhere/x.nrrd", 6)])
def test_a_wrong_output_name_is_refused(
    carez: CommandLine, out: Path, name: str, code: int
) -> None:
    carez("volume", GOOD, "--out", out / name).refuses(code, name.rpartition("/x")[0])
    assert names_below(out) == []


# Generation


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (("--set", "dose_fraction=0"), 2, ("dose_fraction", "at least 0.05")),
        (("--set", "dose_fraction=2"), 2, ("dose_fraction", "at most 0.95")),
        (("--set", "dose_fraction=nan"), 2, ("dose_fraction",)),
        (("--set", "dose_fraction=half"), 2, ("dose_fraction", "half")),
        (("--set", "dose_fraction"), 2, ("key=value",)),
        (("--set", "dose=0.5"), 2, ("dose",)),
        (("-n", "0"), 2, ("count", "Give 1 to")),
        (("--device", "tpu"), 2, ("tpu", "auto, cpu or cuda")),
        (("--seed", "many"), 2, ("seed",)),
    ],
)
def test_a_wrong_order_names_the_field(
    carez: CommandLine, out: Path, changes: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    generate(carez, out, *changes).refuses(code, *words)
    assert names_below(out) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nobody", ("No volume and no cohort", "nobody", "carez series")),
        (MIXED_MATRIX, ("2 volumes", f"{MIXED_MATRIX}:1")),
        (WITHOUT_PIXELS, ("no pixel data", WITHOUT_PIXELS)),
        (f"{WITHOUT_POSITION}:1", ("image_position_patient", WITHOUT_POSITION)),
        ("all@test", ("all@test",)),
    ],
)
def test_a_wrong_source_is_named(
    carez: CommandLine, out: Path, source: str, words: tuple[str, ...]
) -> None:
    generate(carez, out, source=source).refuses(3, *words)
    assert names_below(out) == []


def test_an_existing_bundle_is_not_replaced(carez: CommandLine, out: Path) -> None:
    (out / "x.h5").write_text("mine")
    generate(carez, out).refuses(2, "x.h5", "exists already")
    assert (out / "x.h5").read_text() == "mine"


def flip_byte(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_a_graph_that_does_not_match_its_hash_is_never_run(
    carez: CommandLine, tmp_path: Path, out: Path
) -> None:
    home = tmp_path / "home"
    package = write_diffusion_package(home / "models" / "tiny-flow" / "1.0.0")
    order = ("generate", "tiny-flow", "--out", out / "x.h5")
    carez("models", "verify", "tiny-flow", home=home).does("valid: tiny-flow")
    flip_byte(package / "denoiser" / "model.onnx", 100)
    for arguments in (order, ("models", "verify", "tiny-flow"), ("models", "show", "tiny-flow")):
        carez(*arguments, home=home).refuses(4, "model.onnx", "nothing of it was used")
    told = carez("--json", *order, home=home).refuses(4)
    assert told.document["error"]["where"].endswith("model.onnx")
    carez("models", "list", home=home).does("low-dose-ct")
    assert names_below(out) == []


def test_a_changed_newer_version_does_not_pass_for_the_good_one(
    carez: CommandLine, studies_folder: Path, tmp_path: Path, out: Path
) -> None:
    from carez_desktop.system.paths import models_root

    home = tmp_path / "home"
    carez("import", studies_folder / "good", home=home).does()
    newer = home / "models" / "low-dose-ct" / "99.0.0"
    (original,) = (models_root() / "low-dose-ct").iterdir()
    shutil.copytree(original, newer)
    manifest = newer / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"{original.name}"', '"99.0.0"'))
    flip_byte(newer / "LICENSE", 10)
    order = ("generate", "low-dose-ct", "--source", GOOD, "--out", out / "x.h5")
    carez(*order, home=home).refuses(4, "LICENSE")
    assert names_below(out) == []


# Bundles


def flip_bit_of(bundle: Path, dataset: str) -> None:
    with h5py.File(bundle) as file:
        found = file[dataset]
        if found.chunks:
            chunk = found.id.get_chunk_info(0)
            offset = chunk.byte_offset + chunk.size // 2
        else:
            offset = found.id.get_offset()
    flip_byte(bundle, offset)


def change_attribute(bundle: Path) -> None:
    with h5py.File(bundle, "r+") as file:
        file["cases/case-0001/image"].attrs["spacing_mm"] = [2.5, 0.8, 0.7]


def drop_object(bundle: Path) -> None:
    with h5py.File(bundle, "r+") as file:
        del file["cases/case-0001/generation"]


def add_object(bundle: Path) -> None:
    with h5py.File(bundle, "r+") as file:
        file["cases/case-0001/extra"] = [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: flip_bit_of(bundle, "cases/case-0001/image"),
        change_attribute,
        drop_object,
        add_object,
    ],
    ids=["bit", "attribute", "dropped", "added"],
)
def test_a_changed_bundle_is_invalid(
    carez: CommandLine, bundle: Path, change: Callable[[Path], Any]
) -> None:
    carez("bundle", "verify", bundle).does("valid")
    change(bundle)
    changed = bundle.read_bytes()
    told = carez("bundle", "verify", bundle)
    assert (told.code, told.out) == (1, "invalid\n")
    assert "case-0001" in told.err
    document = carez("--json", "bundle", "verify", bundle)
    assert (document.code, document.document["verdict"]) == (1, "invalid")
    assert document.document["findings"]
    carez("bundle", "seal", bundle).refuses(3, "not intact", "low.h5")
    assert bundle.read_bytes() == changed


@pytest.mark.parametrize("command", ["verify", "inspect", "seal", "regenerate"])
@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "missing", "folder"])
def test_what_is_no_bundle_is_bad_input(
    carez: CommandLine, bundle: Path, command: str, kind: str
) -> None:
    target = bundle.with_name(f"{kind}.h5")
    if kind == "folder":
        target.mkdir()
    elif kind != "missing":
        whole = bundle.read_bytes()
        content = {"text": b"hello" * 300, "empty": b"", "truncated": whole[: len(whole) // 2]}
        target.write_bytes(content[kind])
    before = names_below(bundle.parent)
    told = carez("--json", "bundle", command, target).refuses(3, str(target))
    assert set(told.document["error"]) == {"code", "what", "where", "hint"}
    assert names_below(bundle.parent) == before


def test_a_case_that_is_not_there_names_those_that_are(
    carez: CommandLine, bundle: Path, out: Path
) -> None:
    told = carez("volume", f"{bundle}#NOCASE", "--out", out / "x.nrrd")
    told.refuses(3, "low.h5#NOCASE", "case-0001")
    assert names_below(out) == []


# Cohorts and coverage


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("cohort", "create", "x", "--search", "zzz"), 3, ("nothing to freeze",)),
        (("cohort", "create", "x", "--where", "colour=red"), 2, ("colour",)),
        (("cohort", "create", "x", "--where", "modality"), 2, ("modality",)),
        (("cohort", "create", ""), 2, ("name",)),
        (("cohort", "create", "a@b"), 2, ("a@b",)),
        (("cohort", "show", "nobody"), 3, ("nobody", "Cohorts: all")),
        (("cohort", "show", "all@nowhere"), 2, ("NAME@train",)),
        (("coverage", "nobody"), 3, ("nobody",)),
        (("coverage", "--plan", "nowhere.toml"), 2, ("nowhere.toml",)),
        (("nonsense",), 2, ("nonsense", "--help")),
        (("import",), 2, ("--help",)),
    ],
)
def test_wrong_words_are_answered(
    carez: CommandLine, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    carez(*arguments).refuses(code, *words)
    told = carez("--json", *arguments).refuses(code)
    assert set(told.document["error"]) == {"code", "what", "where", "hint"}


@pytest.mark.parametrize(
    "text", ["axes = 3", "axis = [", '[[axis]]\nname = "age"\n', "\x00\xff", "axis = []\n"]
)
def test_a_wrong_coverage_plan_is_named(carez: CommandLine, tmp_path: Path, text: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(text.encode("latin-1"))
    carez("coverage", "--plan", plan).refuses(2, "plan.toml")


# The home folder


def test_a_home_that_is_a_file_is_refused(carez: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    carez("series", home=tmp_path / "file").refuses(6, str(tmp_path / "file"), "--home")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_library_of_a_newer_version_is_left_alone(
    carez: CommandLine, studies_folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    carez("import", studies_folder / "good", home=home).does()
    (library,) = (path for path in (home / "library").iterdir() if path.suffix == ".sqlite3")
    with sqlite3.connect(library) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, '2030-01-01')")
    connection.close()
    carez("series", home=home).refuses(6, str(library), "Start the newer Carez Desktop")
    carez("import", studies_folder, home=home).refuses(6, "schema version 99")


def test_a_damaged_library_says_what_to_do(
    carez: CommandLine, studies_folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    assert outcome_of(start_process(home, "import", studies_folder / "good")).code == 0
    (library,) = (home / "library").glob("*.sqlite3")
    library.write_text("no database" * 500)
    carez("series", home=home).refuses(6, "import the studies again")


def test_wrong_settings_name_the_field(carez: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "settings.toml").write_text('version = 1\nthreads = "many"\n')
    carez("series", home=tmp_path / "home").refuses(2, "settings.toml", "threads")


# Full and read-only disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a tmpfs with the given options."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = []

    def mount(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=False
        )
        if done.returncode:
            pytest.skip("no permission to mount")
        mounted.append(disk)
        return disk

    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@can_mount
@pytest.mark.parametrize("options", ["size=16k", "ro"])
def test_output_on_a_full_or_read_only_disk_leaves_nothing(
    carez: CommandLine, bundle: Path, small_disk: Callable[[str], Path], options: str
) -> None:
    disk = small_disk(options)
    before = bundle.read_bytes()
    for arguments in (
        ("generate", "low-dose-ct", "--source", GOOD, "--out", disk / "x.h5"),
        ("bundle", "seal", bundle, "--out", disk / "x.h5"),
        ("coverage", "--html", disk / "x.html"),
    ):
        carez(*arguments).refuses(6, str(disk))
        assert names_below(disk) == []
    if options == "ro":
        carez("volume", GOOD, "--out", disk / "x.nii.gz").refuses(6, str(disk), "read-only")
        carez("series", home=disk / "home").refuses(6, str(disk))
    assert bundle.read_bytes() == before


@can_mount
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.nrrd"])
def test_a_volume_that_does_not_fit_leaves_nothing(
    carez: CommandLine, small_disk: Callable[[str], Path], name: str
) -> None:
    disk = small_disk("size=4k")
    (disk / "taken").write_bytes(b"x" * 4096)
    carez("volume", GOOD, "--out", disk / name).refuses(6, str(disk))
    assert names_below(disk) == ["taken"]


@can_mount
def test_a_home_on_a_full_disk_is_told(
    carez: CommandLine, studies_folder: Path, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=32k")
    carez("import", studies_folder, home=disk / "home").refuses(6, str(disk))
    disk_remounted = subprocess.run(
        ["mount", "-o", "remount,size=8m", str(disk)], check=False
    ).returncode
    if disk_remounted == 0:
        carez("import", studies_folder, home=disk / "home").does()


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("setpriv"), reason="drops capabilities"
)
def test_a_folder_that_may_not_be_written_is_named(prepared_home: Path, out: Path) -> None:
    out.chmod(0o555)
    plain = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    order = ("generate", "low-dose-ct", "--source", GOOD, "--out", out / "x.h5")
    told = outcome_of(start_process(prepared_home, *order, before=plain))
    told.refuses(6, str(out), "Permission denied")
    assert names_below(out) == []
