"""Texts, JSON and attributes in HDF5, in the few plain types that a bundle allows.

Texts are fixed-length UTF-8: variable-length data lives in a heap that the manifest could not
cover object by object, and whose parser has been a source of memory errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from carez_desktop.domain.codec import canonical_json
from carez_desktop.errors import InputError, NotFoundError
from carez_desktop.hdf5.object_walk import RefusedObjectError, member

# The oldest file format that has checksums of metadata and is read by HDF5 1.10 and newer.
LIBVER = ("v110", "v110")
ATTRIBUTE_TEXT_LIMIT = 60_000


def create_file(path: Path) -> h5py.File:
    """Create an HDF5 file whose bytes depend on its content only (no times are kept)."""
    return h5py.File(path, "w", libver=LIBVER, track_order=False)


def write_attributes(target: h5py.Group | h5py.Dataset, content: Mapping[str, Any]) -> None:
    """Write attributes in the order of their names, each in a plain type.

    Raises:
        ValueError: For a text that is too long for an attribute.
    """
    for name in sorted(content):
        value = content[name]
        if isinstance(value, str):
            data, dtype = _text(value)
            if len(value) > ATTRIBUTE_TEXT_LIMIT:
                raise ValueError(f"{name} is too long for an attribute: write it as a text")
            target.attrs.create(name, data, dtype=dtype)
        elif isinstance(value, bool | int | np.integer):
            target.attrs.create(name, np.int64(value))
        elif isinstance(value, float | np.floating):
            target.attrs.create(name, np.float64(value))
        else:
            target.attrs.create(name, np.asarray(value, dtype="<f8"))


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write a text as a scalar dataset of fixed length."""
    data, dtype = _text(text)
    group.create_dataset(name, shape=(), data=data, dtype=dtype, track_times=False)


def write_json(group: h5py.Group, name: str, value: Any) -> None:
    """Write records or plain data as canonical JSON."""
    write_text(group, name, canonical_json(value).decode())


def read_text(source: h5py.Group, name: str) -> str:
    """Read a text dataset.

    Raises:
        NotFoundError: No such text. InputError: Not a text, or one that is stored unsafely.
    """
    subject = f"{source.name.rstrip('/')}/{name}"
    try:
        item = member(source, name)
    except KeyError:
        raise NotFoundError(
            "The bundle lacks a part", subject=subject, hint="Verify the bundle"
        ) from None
    except RefusedObjectError as refusal:
        raise InputError(str(refusal), subject=subject, hint="Do not use this file") from None
    if not isinstance(item, h5py.Dataset) or item.shape != () or item.dtype.kind != "S":
        raise InputError("Not a text", subject=subject, hint="Verify the bundle")
    try:
        return bytes(item[()]).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("Not UTF-8", subject=subject, hint="Verify the bundle") from None


def read_json(source: h5py.Group, name: str) -> Any:
    """Read a JSON dataset.

    Raises:
        NotFoundError: No such part. InputError: Not a text, or not JSON.
    """
    try:
        return json.loads(read_text(source, name))
    except ValueError:
        raise InputError(
            "Not JSON", subject=f"{source.name}/{name}", hint="Verify the bundle"
        ) from None


def plain_attributes(source: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return all attributes as str, int, float or lists."""
    made: dict[str, Any] = {}
    for name in sorted(source.attrs):
        value = source.attrs[name]
        if isinstance(value, bytes):
            made[name] = value.decode("utf-8", "replace")
        elif isinstance(value, np.ndarray | np.generic):
            made[name] = value.tolist()
        else:
            made[name] = value
    return made


@contextmanager
def open_for_reading(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; errors of the body pass through as they are.

    Raises:
        NotFoundError: No such file. InputError: Not HDF5, empty, or truncated.
    """
    if not path.is_file():
        raise NotFoundError("No such bundle", subject=str(path), hint="Check the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        yield file


def unreadable(path: Path, error: OSError) -> InputError:
    """Say in words why HDF5 cannot read a file."""
    text = str(error)
    if "truncated" in text:
        what = "The file is truncated"
    elif "signature not found" in text:
        what = "Not an HDF5 file"
    elif isinstance(error, PermissionError):
        what = "The file may not be read"
    else:
        what = "The file cannot be read, it is damaged"
    return InputError(what, subject=str(path), hint="Get a new copy of the file")


def _text(value: str) -> tuple[npt.NDArray[np.bytes_], Any]:
    content = value.encode("utf-8")
    dtype = h5py.string_dtype("utf-8", max(1, len(content)))
    return np.array(content, dtype=dtype), dtype
