"""Records to plain data, canonical JSON and digests.

Canonical JSON here is UTF-8, keys sorted, no spaces, no NaN: the same record gives the same bytes
on every machine, so that its SHA-256 names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt


def to_plain(value: Any) -> Any:
    """Turn records, enums, paths, numpy scalars and small arrays into JSON-ready data.

    Raises:
        TypeError: For a value that has no plain form.
    """
    if value is None or (
        isinstance(value, bool | int | float | str) and not isinstance(value, Enum)
    ):
        return value
    if isinstance(value, Enum):
        return to_plain(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no plain form")


def canonical_json(value: Any) -> bytes:
    """Encode a record or plain data as canonical JSON bytes.

    Raises:
        ValueError: For NaN or infinity, which JSON does not have.
    """
    return json.dumps(
        to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def digest_of(value: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of a record."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def array_digest(array: npt.NDArray[Any]) -> str:
    """Return the SHA-256 (hex) of an array's little-endian C-order bytes.

    This is the `sha256` that `carez volume` prints and a bundle stores for an image.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    contiguous = np.ascontiguousarray(little)
    return hashlib.sha256(contiguous.view(np.uint8).reshape(-1).data).hexdigest()
