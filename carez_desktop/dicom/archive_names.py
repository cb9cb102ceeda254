"""Names of archive members as names below a folder, on every system."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

_DEEPEST = 16
_LONGEST_PART, _LONGEST = 100, 400
_DRIVE = re.compile(r"^[A-Za-z]:")
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


def plain_name(name: str) -> PurePosixPath | None:
    """Return a member's name below a folder; None for one that leads elsewhere.

    Backslashes separate, as old Windows packers write them. Characters and names that some system
    forbids are replaced, long parts are cut and told apart by a digest.

    Args:
        name: As the archive states it.
    """
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        return None
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return None
    if len(parts) > _DEEPEST:
        parts = [*parts[: _DEEPEST - 2], _digest("/".join(parts[:-1])), parts[-1]]
    plain = [_plain_part(part) for part in parts]
    if sum(len(part.encode()) + 1 for part in plain) > _LONGEST:
        plain = [_digest("/".join(parts[:-1])), plain[-1]]
    return PurePosixPath(*plain)


class UniqueNames:
    """Give each name once, also where upper and lower case are the same."""

    def __init__(self) -> None:
        """Start with no name given."""
        self._given: set[str] = set()
        self._folders: set[str] = set()

    def unique(self, name: PurePosixPath) -> PurePosixPath:
        """Return the name, numbered if it, or a folder of that name, is there already."""
        if any(str(folder).casefold() in self._given for folder in name.parents):
            name = PurePosixPath(f"{_digest(str(name.parent))}", name.name)
        candidate, number = name, 1
        while (key := str(candidate).casefold()) in self._given or key in self._folders:
            number += 1
            candidate = name.with_name(f"{number}~{name.name}")
        self._given.add(key)
        self._folders.update(str(folder).casefold() for folder in candidate.parents)
        return candidate


def _plain_part(part: str) -> str:
    plain = _FORBIDDEN.sub("_", part.encode("utf-8", "replace").decode()).rstrip(". ")
    if not plain or _DEVICES.match(plain):
        plain = f"_{plain}"
    if len(plain.encode()) <= _LONGEST_PART:
        return plain
    end = plain[-12:]  # keeps `.nii.gz`
    cut = plain.encode()[: _LONGEST_PART - 12 - 9 - len(end.encode())].decode(errors="ignore")
    return f"{cut}-{_digest(part)[:8]}{end}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
