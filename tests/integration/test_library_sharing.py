"""Several processes on one library at once, and disks that are full or not ours to write."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from carez_desktop.errors import StorageError
from carez_desktop.library.import_rows import ImportChange, SeriesChange, write_import
from carez_desktop.library.study_library import StudyLibrary
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_volumes import list_volumes
from tests.builders.small_studies import write_series

IMPORT = (
    "import sys; from pathlib import Path\n"
    "from carez_desktop.workflows.context import open_context\n"
    "from carez_desktop.workflows.import_studies import import_studies\n"
    "context = open_context(Path(sys.argv[1]))\n"
    "for path in sys.argv[2:]:\n"
    "    import_studies(context, paths=[Path(path)])\n"
)


def test_two_processes_import_the_two_halves_of_a_series(tmp_path: Path) -> None:
    home = tmp_path / "home"
    halves = []
    for number in (1, 2, 3):
        for name, first, last in (("a", 0, 4), ("b", 4, 8)):
            write_series(tmp_path / name, number, slices=last, first=first)
            halves.append(tmp_path / name / f"series{number}")
    context = open_context(home)
    list_volumes(context)
    children = [
        subprocess.Popen([sys.executable, "-c", IMPORT, str(home), *map(str, halves[start::2])])
        for start in (0, 1)
    ]
    while any(child.poll() is None for child in children):
        # Whatever a reader sees meanwhile is whole.
        assert all(record.shape[0] in (4, 8) for record in list_volumes(context, search="ct"))
    assert [child.returncode for child in children] == [0, 0]
    assert [(r.volume_id, r.shape[0], r.refusal) for r in list_volumes(context)] == [
        (f"1.2.{number}", 8, "") for number in (1, 2, 3)
    ]
    context.library.close()


def test_an_import_is_worked_out_anew_when_another_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carez_desktop.library import import_rows

    early = write_series(tmp_path / "a", 1, slices=3)
    late = write_series(tmp_path / "b", 1, slices=6, first=3)
    context = open_context(tmp_path / "home")
    other = open_context(tmp_path / "home")
    real, calls = import_rows.write_import, []

    def overtaken(database, change, cancel):
        if not calls:
            calls.append(1)
            monkeypatch.setattr(import_rows, "write_import", real)
            import_studies(other, paths=[early])
        return real(database, change, cancel)

    monkeypatch.setattr(import_rows, "write_import", overtaken)
    (record,) = import_studies(context, paths=[late]).series
    assert record.shape[0] == 6
    context.library.close()
    other.library.close()


def test_a_change_that_is_out_of_date_is_not_written(tmp_path: Path) -> None:
    library = StudyLibrary(tmp_path)
    assert write_import(library.database, ImportChange(revision=0, forget=("/x",)))
    assert not write_import(library.database, ImportChange(revision=0))
    assert write_import(library.database, ImportChange(revision=1))
    library.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_an_import_into_a_full_disk_keeps_what_was(tmp_path: Path, small_disk: Path) -> None:
    library = StudyLibrary(small_disk)
    context = open_context(tmp_path / "home")
    (record,) = import_studies(context, paths=[write_series(tmp_path / "a", 1)]).series
    context.library.close()
    library.add_volumes([record])
    many = [
        replace(record, volume_id=f"1.9.{k}", series_instance_uid=f"1.9.{k}") for k in range(2000)
    ]
    with pytest.raises(StorageError, match="disk is full") as caught:
        library.add_volumes(many)
    assert "Free some space" in caught.value.hint
    assert library.volumes() == (record,)
    library.close()
    again = StudyLibrary(small_disk)
    assert again.volumes() == (record,)
    again.close()


def test_a_read_only_disk_is_named(tmp_path: Path, small_disk: Path) -> None:
    StudyLibrary(small_disk).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError) as caught:
        StudyLibrary(small_disk).issue_uids(["1.2"])
    assert caught.value.hint
    assert str(small_disk) in caught.value.subject


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_home_of_someone_else_is_named(tmp_path: Path) -> None:
    home = tmp_path / "library"
    StudyLibrary(home).close()
    for folder in (tmp_path.parent.parent, tmp_path.parent, tmp_path, home):
        folder.chmod(0o755)
    script = (
        "import sys; from pathlib import Path\n"
        "from carez_desktop.errors import StorageError\n"
        "from carez_desktop.library.study_library import StudyLibrary\n"
        "try: StudyLibrary(Path(sys.argv[1])).issue_uids(['1.2'])\n"
        "except StorageError as error: print(error.what, error.hint)\n"
    )
    child = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            *(sys.executable, "-c", script, str(home)),
        ],
        capture_output=True,
        text=True,
    )
    if child.returncode:
        pytest.skip("an unprivileged child cannot start here")
    assert "read-only" in child.stdout or "cannot be opened" in child.stdout
    assert StudyLibrary(home).issued_uids(["1.2"]) == frozenset()


def test_search_goes_on_while_an_import_writes(tmp_path: Path) -> None:
    library = StudyLibrary(tmp_path)
    context = open_context(tmp_path / "home")
    (record,) = import_studies(context, paths=[write_series(tmp_path / "a", 1)]).series
    context.library.close()
    library.add_volumes([record])
    seen: list[int] = []
    writing, found = threading.Event(), threading.Event()

    def search() -> None:
        writing.wait()
        seen.append(len(library.volumes("lung")))
        found.set()

    reader = threading.Thread(target=search)
    reader.start()
    with library.database.writing() as connection:
        connection.execute("UPDATE volumes SET record = '{}'")
        writing.set()
        # The reader does not wait for the writer, and sees what was before.
        assert found.wait(timeout=10)
    reader.join()
    assert seen == [1]
    changes = [SeriesChange("1.2.1", (record,))]
    assert write_import(library.database, ImportChange(series=tuple(changes)))
    library.close()
