"""A file is there whole or not at all; a failed write names the folder and the remedy."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from carez_desktop.errors import StorageError
from carez_desktop.system.file_safety import (
    atomic_output,
    create_owner_only,
    hold_file,
    is_held,
    storage_error,
)


def test_a_failure_keeps_the_old_file(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with atomic_output(target, "It") as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_success_replaces_it(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_output(target, "It") as part:
        part.write_text("new")
    assert target.read_text() == "new"


def test_two_writers_of_one_target_do_not_meet(tmp_path: Path):
    target = tmp_path / "a[1].txt"
    with atomic_output(target, "It") as first:
        first.write_text("half of the fi")
        with atomic_output(target, "It") as second:
            second.write_text("second")
        assert target.read_text() == "second"
        first.write_text("first")
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a[1].txt"]


def test_what_a_dead_process_left_is_removed_but_a_living_one_keeps_its_own(tmp_path: Path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".a.txt.{dead.pid}-0.part"
    kept = tmp_path / f".a.txt.{os.getppid()}-0.part"
    left.write_text("")
    kept.write_text("")
    with atomic_output(tmp_path / "a.txt", "It") as part:
        part.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [kept.name, "a.txt"]


def test_a_missing_folder_is_a_storage_error(tmp_path: Path):
    target = tmp_path / "none" / "a.txt"
    with (
        pytest.raises(StorageError, match="Create the folder"),
        atomic_output(target, "It") as part,
    ):
        part.write_text("new")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "full"), "Free space"),
        (OSError(errno.EROFS, "ro"), "another disk"),
        (RuntimeError("write failed: errno = 28, error message = 'No space left'"), "Free space"),
        (RuntimeError("something else"), "writable"),
    ],
)
def test_the_remedy_fits_the_cause(tmp_path: Path, error: Exception, words: str):
    made = storage_error(error, tmp_path / "x.h5", "The bundle cannot be written")
    assert words in made.hint
    assert made.subject == str(tmp_path)


def test_an_existing_secret_is_not_replaced(tmp_path: Path):
    assert create_owner_only(tmp_path / "s", b"1")
    assert not create_owner_only(tmp_path / "s", b"2")
    assert (tmp_path / "s").read_bytes() == b"1"


HOLDER = """
import sys, time
from pathlib import Path
from carez_desktop.system.file_safety import hold_file
held = hold_file(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_file_is_held_until_its_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert not is_held(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert is_held(path)
        child.kill()
        child.wait()
    assert not is_held(path)
    with hold_file(path):
        assert is_held(path)
    assert not is_held(path)
    with pytest.raises(StorageError):
        hold_file(tmp_path / "none" / "journal")
