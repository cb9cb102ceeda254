"""A kept alignment at the border: JSON checked by pydantic, one file for each pair of volumes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.codec import canonical_json
from carez_desktop.errors import UnreadableFileError

ALIGNMENTS_FOLDER = "alignments"
_LARGEST_FILE = 64 * 1024
_Id = Annotated[str, Field(min_length=1, max_length=2048)]
_Row = tuple[float, float, float, float]


class _AlignmentFile(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: Literal[1]
    fixed_id: _Id
    moving_id: _Id
    matrix: tuple[_Row, _Row, _Row, _Row]
    method: AlignmentMethod
    quality: dict[str, float] = Field(default_factory=dict, max_length=50)
    kept_utc: str = Field(default="", max_length=40)


def alignment_path(home: Path, first_id: str, second_id: str) -> Path:
    """Return the file of a pair, whichever of the two is called fixed; the name tells neither."""
    pair = "\n".join(sorted((first_id, second_id)))
    name = hashlib.sha256(pair.encode("utf-8")).hexdigest()[:32]
    return home / ALIGNMENTS_FOLDER / f"{name}.json"


def alignment_content(alignment: Alignment, kept_utc: str) -> bytes:
    """Return what is written of an alignment; numbers keep every digit."""
    return canonical_json(
        {
            "version": 1,
            "fixed_id": alignment.fixed_id,
            "moving_id": alignment.moving_id,
            "matrix": alignment.matrix,
            "method": alignment.method,
            "quality": dict(alignment.quality),
            "kept_utc": kept_utc,
        }
    )


def read_alignment_file(path: Path) -> Alignment:
    """Read one alignment.

    Raises:
        UnreadableFileError: It is no such file, or its matrix is not rigid.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _unreadable(path, "it is too large")
        parsed = _AlignmentFile.model_validate_json(path.read_bytes())
        return Alignment(
            parsed.fixed_id,
            parsed.moving_id,
            np.array(parsed.matrix),
            parsed.method,
            parsed.quality,
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise _unreadable(path, f"{field}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"A kept alignment cannot be used: {why}",
        subject=path.name,
        hint="Delete the file and register the two volumes again",
    )
