"""A decoder for children that dies on the frames it is told to die on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from carez_desktop.dicom.frame_decoding import decode_frames


def decode_or_crash(request: Mapping[str, Any]) -> list[bool]:
    """Decode, or abort as a broken library does."""
    if request.get("crash"):
        os.abort()
    return decode_frames(request)
