"""Which names objects and attributes of a bundle may have."""

from __future__ import annotations

import re

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def is_safe_name(name: str) -> bool:
    """Whether a name is plain: no separators, no '@' (it marks attributes in the manifest)."""
    return _SAFE.fullmatch(name) is not None and ".." not in name
