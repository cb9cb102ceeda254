"""Read the headers of many files in child processes, on all processors.

A header takes 0.2 ms of Python, its way from child to parent 0.035 ms: from a few hundred files on
children are worth it (decision record 0101). What makes a child crash, hang or run out of
memory costs that one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from carez_desktop.dicom.file_content import FileContent, look_into
from carez_desktop.domain.study import InstanceHeader, ReferencedObject, UnreadableFile
from carez_desktop.progress import NEVER, CancellationToken
from carez_desktop.system.child_process import ChildPool

READ_HEADERS = "carez_desktop.dicom.header_batch:read_headers"
"""How a pool is asked for `read_headers`."""

_FEWEST_FOR_WARM, _FEWEST_FOR_COLD = 400, 1500
# Taking in what two children read costs as much as reading it here (tests/benchmarks).
_LEAST_CREW = 3
_BATCH = 32
_BATCH_S = 5.0
_FILE_S = 5.0

_HEADER_FIELDS = tuple(f.name for f in fields(InstanceHeader) if f.name != "attributes")
_OBJECT_FIELDS = tuple(f.name for f in fields(ReferencedObject))
_UNREADABLE_FIELDS = tuple(f.name for f in fields(UnreadableFile))
_header_values = attrgetter(*_HEADER_FIELDS)
_object_values = attrgetter(*_OBJECT_FIELDS)
_unreadable_values = attrgetter(*_UNREADABLE_FIELDS)


def read_contents(
    paths: Sequence[Path],
    *,
    children: ChildPool | None = None,
    fewest_for_children: int | None = None,
    cancel: CancellationToken = NEVER,
) -> Iterator[tuple[int, FileContent]]:
    """Look into files and yield (index, content) as they come.

    Args:
        paths: Regular files.
        children: Where to read; None reads here, in order.
        fewest_for_children: Fewer files than these are read here, too; None takes 400 where
            children wait already and 1500 where they have to be started, and reads all here
            with fewer than three children.
        cancel: Asked at each file, or every 0.05 s.

    Raises:
        CancelledError: Between two files. ChildCrashError: No child can be started.
    """
    if fewest_for_children is None and children is not None and children.processes < _LEAST_CREW:
        children = None
    if children is not None and fewest_for_children is None:
        fewest_for_children = _FEWEST_FOR_WARM if children.is_warm else _FEWEST_FOR_COLD
    if children is None or len(paths) < (fewest_for_children or 0):
        for index, path in enumerate(paths):
            cancel.raise_if_cancelled()
            yield index, look_into(path)
        return
    again: list[int] = []
    starts = range(0, len(paths), _BATCH)
    batches = ({"paths": [str(path) for path in paths[s : s + _BATCH]]} for s in starts)
    for outcome in children.stream(READ_HEADERS, batches, timeout_s=_BATCH_S, cancel=cancel):
        first = starts[outcome.index]
        if outcome.error is None:
            for offset, content in enumerate(contents_from_plain(outcome.result)):
                yield first + offset, content
        else:
            again += range(first, min(first + _BATCH, len(paths)))
    alone = ({"subject": str(paths[i]), "paths": [str(paths[i])]} for i in again)
    for outcome in children.stream(READ_HEADERS, alone, timeout_s=_FILE_S, cancel=cancel):
        index = again[outcome.index]
        if outcome.error is None:
            yield index, contents_from_plain(outcome.result)[0]
        else:
            lost = UnreadableFile(str(paths[index]), outcome.error.what)
            yield index, FileContent(unreadable=lost)


def read_headers(request: Mapping[str, Any]) -> dict[str, Any]:
    """Look into the files `paths` of a request: what a child does for `read_contents`."""
    return contents_to_plain([look_into(Path(path)) for path in request["paths"]])


def contents_to_plain(contents: Sequence[FileContent]) -> dict[str, Any]:
    """Turn contents into JSON-ready rows; attributes that frames share are written once."""
    shared: dict[int, int] = {}
    attributes: list[Any] = []
    files = []
    for content in contents:
        rows = []
        for header in content.headers:
            place = shared.setdefault(id(header.attributes), len(attributes))
            if place == len(attributes):
                attributes.append(dict(header.attributes))
            rows.append((place, _header_values(header)))
        files.append(
            (
                rows,
                _object_values(content.object) if content.object else None,
                _unreadable_values(content.unreadable) if content.unreadable else None,
            )
        )
    return {"attributes": attributes, "files": files}


def contents_from_plain(plain: Mapping[str, Any]) -> list[FileContent]:
    """Return the contents that `contents_to_plain` was given, after a way through JSON."""
    attributes = [
        {name: _as_tuples(value) for name, value in row.items()} for row in plain["attributes"]
    ]
    contents = []
    for rows, found, unreadable in plain["files"]:
        headers = tuple(
            InstanceHeader(**_named(_HEADER_FIELDS, values), attributes=attributes[place])
            for place, values in rows
        )
        contents.append(
            FileContent(
                headers,
                ReferencedObject(**_named(_OBJECT_FIELDS, found)) if found else None,
                UnreadableFile(**_named(_UNREADABLE_FIELDS, unreadable)) if unreadable else None,
            )
        )
    return contents


def _named(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {name: _as_tuples(value) for name, value in zip(names, values, strict=True)}


def _as_tuples(value: Any) -> Any:
    """Return lists as tuples, at every depth; JSON knows no tuples."""
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
