"""The audit log: append-only JSON Lines, each line chained to the one before by its digest.

A line commits to what it says (`facts_sha256`, over who, facts and a random nonce) and its digest
covers that commitment. So an extract can leave the site without who and facts, and its chain can
still be checked; the nonce keeps the commitment from being a plain digest of a patient's data.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from carez_desktop.domain.codec import digest_of, to_plain
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.system.file_safety import IS_POSIX, atomic_output, storage_error
from carez_desktop.system.paths import make_private_folder

GENESIS = "0" * 64
_FORBIDDEN = frozenset({"patient_name", "patient_id", "patient_birth_date", "patients_name"})
_CHAINED = ("sequence", "utc", "action", "facts_sha256", "previous")


class AuditLog:
    """Who did what, when, on which digests; holds no patient names."""

    def __init__(self, folder: Path) -> None:
        """Open the log in a folder, creating the folder for its owner only."""
        self._folder = make_private_folder(folder)
        self._path = folder / "audit.jsonl"
        self._head_path = folder / "head.json"

    @property
    def path(self) -> Path:
        """The file of the log."""
        return self._path

    def append(self, action: str, **facts: Any) -> None:
        """Write one line and synchronise it.

        Args:
            action: Verb in snake_case (`import_studies`).
            facts: Plain data or records: digests, identifiers of volumes, counts.

        Raises:
            ValueError: For a fact that would name a patient.
            StorageError: When the log cannot be written.
        """
        forbidden = _FORBIDDEN & facts.keys()
        if forbidden:
            raise ValueError(f"the audit log holds no {', '.join(sorted(forbidden))}")
        try:
            with self._locked() as stream:
                head = self._last(stream)
                line = _chain_line(action, to_plain(facts), head)
                stream.write(b"\n" if self._is_torn(stream) else b"")
                stream.write(json.dumps(line, sort_keys=True, ensure_ascii=False).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
                self._write_head(line)
        except OSError as error:
            raise storage_error(error, self._path, "The audit log cannot be written") from error

    def verify(self) -> tuple[Finding, ...]:
        """Check the whole chain; an empty result means that nothing was changed.

        An edited, inserted, removed or reordered line breaks the chain; lines cut off the end are
        found through the head, which is kept apart and goes, signed, into each sealed bundle.

        Raises:
            StorageError: When the log cannot be read.
        """
        if not self._path.exists() and not self._head_path.exists():
            return ()
        try:
            with self._locked():
                return self._verify()
        except OSError as error:
            raise storage_error(error, self._path, "The audit log cannot be read") from error

    def _verify(self) -> tuple[Finding, ...]:
        findings: list[Finding] = []
        previous, sequence = GENESIS, 0
        for number, line in enumerate(self._lines(), start=1):
            problem = _problem(line, previous, sequence)
            if problem:
                findings.append(_finding(number, problem))
            if line is not None:
                previous = str(line.get("digest", ""))
                sequence = _whole(line.get("sequence"), sequence) + 1
        if self.head() != previous:
            findings.append(_finding(0, "the end does not fit the head that was kept apart"))
        return tuple(findings)

    def head(self) -> str:
        """Return the digest of the last line as kept apart; zeros for a new log."""
        if not self._head_path.exists():
            return GENESIS
        try:
            return str(json.loads(self._head_path.read_text(encoding="utf-8"))["digest"])
        except (ValueError, KeyError):
            return ""

    def extract(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last lines without who and facts: their chain can be checked off site."""
        lines = [line for line in self._lines() if line is not None]
        return [{key: line.get(key) for key in (*_CHAINED, "digest")} for line in lines[-limit:]]

    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """Return all readable lines, whole; for use on site only."""
        return tuple(line for line in self._lines() if line is not None)

    def _lines(self) -> Iterator[dict[str, Any] | None]:
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            for raw in stream:
                yield _parse(raw)

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as raw:
            _lock(raw.fileno())
            yield raw

    def _last(self, stream: BinaryIO) -> dict[str, Any]:
        """Return the last readable line, searching from the end."""
        size = stream.seek(0, os.SEEK_END)
        reach = 65536
        while size:
            start = max(0, size - reach)
            stream.seek(start)
            pieces = _read_all(stream, size - start).split(b"\n")
            whole = pieces if start == 0 else pieces[1:]
            for piece in reversed(whole):
                line = _parse(piece)
                if line is not None:
                    return line
            if start == 0:
                break
            reach *= 8
        return {"digest": GENESIS, "sequence": -1}

    @staticmethod
    def _is_torn(stream: BinaryIO) -> bool:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return False
        stream.seek(size - 1)
        torn = stream.read(1) != b"\n"
        stream.seek(0, os.SEEK_END)
        return torn

    def _write_head(self, line: Mapping[str, Any]) -> None:
        with atomic_output(self._head_path, "The audit log cannot be written") as part:
            part.write_text(
                json.dumps({"sequence": line["sequence"], "digest": line["digest"]}),
                encoding="utf-8",
            )


def verify_extract(lines: list[dict[str, Any]]) -> bool:
    """Whether an extract's lines are chained without a gap."""
    for before, line in zip([None, *lines[:-1]], lines, strict=True):
        if digest_of({key: line.get(key) for key in _CHAINED}) != line.get("digest"):
            return False
        if before is not None and line.get("previous") != before.get("digest"):
            return False
    return True


def _chain_line(action: str, facts: Any, head: Mapping[str, Any]) -> dict[str, Any]:
    said = {"who": _who(), "facts": facts, "nonce": secrets.token_hex(16)}
    chained = {
        "sequence": int(head["sequence"]) + 1,
        "utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "action": action,
        "facts_sha256": digest_of(said),
        "previous": head["digest"],
    }
    return {**chained, **said, "digest": digest_of(chained)}


def _problem(line: dict[str, Any] | None, previous: str, sequence: int) -> str:
    if line is None:
        return "is not JSON: it was torn by a crash or edited"
    said = {key: line.get(key) for key in ("who", "facts", "nonce")}
    if digest_of(said) != line.get("facts_sha256"):
        return "was edited: its facts do not fit their digest"
    if digest_of({key: line.get(key) for key in _CHAINED}) != line.get("digest"):
        return "was edited: it does not fit its digest"
    if line.get("previous") != previous or line.get("sequence") != sequence:
        return "does not follow the line before it: lines were removed, inserted or reordered"
    return ""


def _finding(number: int, text: str) -> Finding:
    subject = f"line {number}" if number else "head"
    return Finding(Severity.ERROR, "audit_chain_broken", subject, f"{subject} {text}")


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default


def _read_all(stream: BinaryIO, count: int) -> bytes:
    content = b""
    while len(content) < count:
        piece = stream.read(count - len(content))
        if not piece:
            break
        content += piece
    return content


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _lock(handle: int) -> None:
    """Take the file's lock for as long as it is open; one writer at a time."""
    if IS_POSIX:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
    else:  # pragma: no cover - Windows
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
