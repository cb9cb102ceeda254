"""What parent and child say to each other: JSON with a length before it, never pickle.

A child may be under the control of a hostile file, so nothing it says may run code or take
unbounded memory in the parent. Descriptors of shared memory travel beside a request (SCM_RIGHTS).
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any

from carez_desktop.system.shared_array import Region

LARGEST_ANSWER = 32 << 20
_MOST_DESCRIPTORS = 16
_HEADER = struct.Struct("<IB")
_AT_ONCE = 256 * 1024
_DESCRIPTOR = "shared_memory"


class MessageError(Exception):
    """Bytes that are no message: the peer is broken, or a hostile file speaks through it."""


def send_message(connection: socket.socket, message: Mapping[str, Any]) -> None:
    """Send plain data in which `Region`s may stand anywhere.

    Raises:
        TypeError: Something in it has no JSON form.
        OSError: The peer is gone, or does not take it in time.
    """
    descriptors: list[int] = []

    def plain(value: object) -> dict[str, Any]:
        if not isinstance(value, Region):
            raise TypeError(f"{type(value).__name__} has no plain form")
        descriptor = value.memory.descriptor
        if descriptor >= 0 and descriptor not in descriptors:
            descriptors.append(descriptor)
        index = descriptors.index(descriptor) if descriptor >= 0 else -1
        return {_DESCRIPTOR: value.to_plain(index)}

    body = json.dumps(message, default=plain, separators=(",", ":")).encode("ascii")
    data = _HEADER.pack(len(body), len(descriptors)) + body
    if descriptors:
        sent = socket.send_fds(connection, [data], descriptors)
        data = data[sent:]
    if data:
        connection.sendall(data)


def receive_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Wait, in the child, for a request; None once the parent is gone.

    Returns:
        The request, its regions ready for `open_region`, and the descriptors to close after it.
    """
    header, descriptors = b"", []
    while len(header) < _HEADER.size:
        wanted = _HEADER.size - len(header)
        if sys.platform == "win32":
            part = connection.recv(wanted)
        else:
            part, got, _, _ = socket.recv_fds(connection, wanted, _MOST_DESCRIPTORS)
            descriptors += got
        if not part:
            return None
        header += part
    length, _ = _HEADER.unpack(header)
    body = bytearray(length)
    view = memoryview(body)
    while view:
        count = connection.recv_into(view)
        if not count:
            return None
        view = view[count:]

    def opened(plain: dict[str, Any]) -> dict[str, Any]:
        region = plain.get(_DESCRIPTOR)
        if region is None:
            return plain
        index = region["descriptor"]
        found: dict[str, Any] = {**region, "descriptor": descriptors[index] if index >= 0 else -1}
        return found

    return json.loads(body, object_hook=opened), descriptors


def close_descriptors(descriptors: list[int]) -> None:
    """Close what came with a request."""
    for descriptor in descriptors:
        os.close(descriptor)


class Inbox:
    """Gathers the bytes of answers in the parent, without waiting for a whole one."""

    def __init__(self) -> None:
        """Start empty."""
        self._bytes = bytearray()

    def receive(self, connection: socket.socket) -> bool:
        """Take what has arrived; False once the child is gone."""
        try:
            part = connection.recv(_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._bytes += part
        return bool(part)

    def next_message(self, *, alone: bool) -> dict[str, Any] | None:
        """Return the next whole message, or None.

        Args:
            alone: Whether nothing may follow it: one request has one answer.

        Raises:
            MessageError: What came is no message, or a larger one than any answer.
        """
        if len(self._bytes) < _HEADER.size:
            return None
        length, descriptors = _HEADER.unpack_from(self._bytes)
        if length > LARGEST_ANSWER or descriptors:
            raise MessageError(f"an answer of {length >> 20} MiB")
        end = _HEADER.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_HEADER.size : end])
        del self._bytes[:end]
        if alone and self._bytes:
            raise MessageError("more than one answer")
        try:
            message = json.loads(body)
        except (ValueError, RecursionError, MemoryError) as error:
            raise MessageError("an answer that is no JSON") from error
        if not isinstance(message, dict):
            raise MessageError("an answer of another form")
        return message
