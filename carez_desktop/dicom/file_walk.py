"""Walk files and folders of any origin: every regular file once, nothing else is ever opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from carez_desktop.domain.study import UnreadableFile
from carez_desktop.errors import UnreadableFileError
from carez_desktop.progress import CancellationToken

_CANCEL_EACH = 500
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below a given path.

    Attributes:
        path: Absolute; a name that is no UTF-8 keeps its bytes (`surrogateescape`).
        facts: What the system says of it, links followed.
        given: Whether it was named by the person, not found in a folder.
    """

    path: Path
    facts: os.stat_result
    given: bool = False


def walk_files(
    paths: Sequence[Path],
    *,
    cancel: CancellationToken,
    on_unreadable: Callable[[UnreadableFile], object],
) -> Iterator[FoundFile]:
    """Yield every regular file once: those of a folder in name order, then those of its folders.

    Links are followed, loops are not; a file reached twice (given twice, linked) comes once.
    Pipes, sockets and devices are passed over: to open one could wait for ever.

    Args:
        paths: Files and folders.
        cancel: Asked at each folder and every 500 names.
        on_unreadable: Told of folders and names that cannot be looked at, with the reason.

    Raises:
        UnreadableFileError: A given path does not exist, cannot be entered, or is no file.
        CancelledError: On the way.
    """
    seen: set[tuple[int, ...] | str] = set()
    for path in paths:
        absolute = Path(path).absolute()
        facts = _given_facts(absolute)
        if not stat.S_ISDIR(facts.st_mode):
            if _is_new(absolute, facts, seen):
                yield FoundFile(absolute, facts, given=True)
            continue
        for found in _walk_folder(str(absolute), cancel, on_unreadable):
            if _is_new(found.path, found.facts, seen):
                yield found


def _given_facts(path: Path) -> os.stat_result:
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableFileError(
            "No such file or folder", subject=str(path), hint="Check the path"
        ) from None
    except (OSError, ValueError) as error:
        raise UnreadableFileError(
            f"The path cannot be read: {_reason(error)}",
            subject=str(path),
            hint="Check the path and that you may read it",
        ) from error
    if stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode):
        return facts
    raise UnreadableFileError(
        "This is neither a file nor a folder but a pipe, a socket or a device",
        subject=str(path),
        hint="Give a file or a folder",
    )


def _is_new(path: Path, facts: os.stat_result, seen: set[tuple[int, ...] | str]) -> bool:
    """Note a file; False where it was met before under this or another name.

    Size and time are part of its identity: some network disks give one number to several files.
    """
    identity: tuple[int, ...] | str = str(path)
    if facts.st_ino:
        identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _walk_folder(
    top: str, cancel: CancellationToken, on_unreadable: Callable[[UnreadableFile], object]
) -> Iterator[FoundFile]:
    entered: set[tuple[int, int]] = set()
    waiting: list[tuple[str, int]] = [(top, 0)]
    while waiting:
        cancel.raise_if_cancelled()
        folder, depth = waiting.pop()
        try:
            facts = os.stat(folder)  # noqa: PTH116 - one of a million names, as text
            with os.scandir(folder) as listing:
                entries = _listed(listing, cancel)
        except OSError as error:
            reason = f"The folder cannot be read: {_reason(error)}"
            on_unreadable(UnreadableFile(folder, reason))
            continue
        if (facts.st_dev, facts.st_ino) in entered and facts.st_ino:
            continue
        entered.add((facts.st_dev, facts.st_ino))
        folders = yield from _files_of(entries, cancel, on_unreadable)
        if depth >= _DEEPEST and folders:
            reason = f"Its folders lie deeper than {_DEEPEST} and were not searched"
            on_unreadable(UnreadableFile(folder, reason))
            continue
        waiting.extend((inner, depth + 1) for inner in reversed(folders))


def _listed(
    listing: Iterator[os.DirEntry[str]], cancel: CancellationToken
) -> list[os.DirEntry[str]]:
    entries = []
    for index, entry in enumerate(listing):
        if index % _CANCEL_EACH == 0:
            cancel.raise_if_cancelled()
        entries.append(entry)
    return sorted(entries, key=lambda entry: entry.name)


def _files_of(
    entries: Sequence[os.DirEntry[str]],
    cancel: CancellationToken,
    on_unreadable: Callable[[UnreadableFile], object],
) -> Generator[FoundFile, None, list[str]]:
    """Yield the regular files among the entries of a folder; return its folders."""
    folders = []
    for index, entry in enumerate(entries):
        if index % _CANCEL_EACH == 0:
            cancel.raise_if_cancelled()
        try:
            facts = entry.stat()
        except FileNotFoundError:
            continue  # a link to nowhere, or a file that vanished since it was listed
        except OSError as error:
            on_unreadable(UnreadableFile(entry.path, f"It cannot be read: {_reason(error)}"))
            continue
        if stat.S_ISDIR(facts.st_mode):
            folders.append(entry.path)
        elif stat.S_ISREG(facts.st_mode):
            yield FoundFile(Path(entry.path), facts)
    return folders


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
