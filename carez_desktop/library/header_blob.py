"""The headers of a series as one blob, so that it can be stacked again without its files.

Thousands of headers of one series differ in a few values only: what the first one says is kept
once, the others keep what differs.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from carez_desktop.domain.codec import to_plain
from carez_desktop.domain.study import InstanceHeader

_FIELDS = tuple(field.name for field in fields(InstanceHeader) if field.name != "attributes")
_LEVEL = 3


def pack_headers(headers: Sequence[InstanceHeader]) -> bytes:
    """Encode headers; `unpack_headers` gives them back."""
    common = dict(headers[0].attributes) if headers else {}
    rows = [
        (
            [getattr(header, name) for name in _FIELDS],
            {
                name: value
                for name, value in header.attributes.items()
                if name not in common or common[name] != value
            },
            [name for name in common if name not in header.attributes],
        )
        for header in headers
    ]
    # ASCII: names of files may have bytes that are no UTF-8.
    text = json.dumps(
        {"fields": _FIELDS, "common": common, "rows": rows},
        separators=(",", ":"),
        default=to_plain,
    )
    return zlib.compress(text.encode("ascii"), _LEVEL)


def unpack_headers(blob: bytes) -> tuple[InstanceHeader, ...]:
    """Decode headers; a field that was not kept takes its default."""
    plain = json.loads(zlib.decompress(blob))
    names = [name for name in plain["fields"] if name in _FIELDS]
    places = [plain["fields"].index(name) for name in names]
    common = {key: as_tuples(value) for key, value in plain["common"].items()}
    headers = []
    for values, different, absent in plain["rows"]:
        attributes = common | {key: as_tuples(value) for key, value in different.items()}
        for name in absent:
            attributes.pop(name, None)
        found = {name: as_tuples(values[place]) for name, place in zip(names, places, strict=True)}
        headers.append(InstanceHeader(attributes=attributes, **found))
    return tuple(headers)


def as_tuples(value: Any) -> Any:
    """Return lists as tuples, at every depth; JSON knows no tuples."""
    return tuple(as_tuples(item) for item in value) if isinstance(value, list) else value
