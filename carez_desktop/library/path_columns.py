"""File names as columns: text, or the raw bytes where a name is no UTF-8.

SQLite takes no lone surrogates, by which Python stands for such bytes; a file must still be opened
by the name that comes back.
"""

from __future__ import annotations

import os

Column = str | bytes


def to_column(path: str) -> Column:
    """Return what is stored for a path or a part of it."""
    return path if is_text(path) else os.fsencode(path)


def from_column(column: Column) -> str:
    """Return the path again, with surrogates for bytes that are no UTF-8."""
    return column if isinstance(column, str) else os.fsdecode(column)


def split_path(path: str) -> tuple[Column, Column]:
    """Return folder and name of an absolute path as columns."""
    folder, name = os.path.split(path)
    return to_column(folder), to_column(name)


def join_path(folder: Column, name: Column) -> str:
    """Return the path of a folder and a name."""
    return os.path.join(from_column(folder), from_column(name))  # noqa: PTH118 - a million times


def below(folder: str) -> tuple[str, tuple[Column, ...]]:
    """Return an SQL condition on `folders.path` for a folder and all below it, and its values."""
    stem = folder.rstrip(os.sep) + os.sep
    last = chr(ord(os.sep) + 1)
    bounds = [(stem, stem[:-1] + last)]
    condition = "(path = ? OR (path >= ? AND path < ?) OR (path >= ? AND path < ?))"
    raw = os.fsencode(stem)
    text: tuple[Column, ...] = bounds[0] if is_text(stem) else (raw, raw)
    # Bytes sort behind all text, so a folder of text may have folders of bytes below it.
    return condition, (to_column(folder), *text, raw, raw[:-1] + last.encode())


def is_text(value: str) -> bool:
    """Whether a text has no lone surrogates."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
