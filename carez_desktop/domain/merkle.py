"""The Merkle tree hash of RFC 6962, section 2.1 (SHA-256)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(content: bytes) -> bytes:
    """Return SHA-256(0x00 || content)."""
    return hashlib.sha256(_LEAF + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(_NODE + left + right).digest()


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Return the root (hex) over the leaves in their order; of none, SHA-256 of nothing.

    RFC 6962 splits at the largest power of two below the count. Pairing neighbours level by level
    and carrying an odd last node up unchanged gives the same tree.
    """
    if not leaves:
        return hashlib.sha256(b"").hexdigest()
    level = [leaf_hash(content) for content in leaves]
    while len(level) > 1:
        paired = [
            node_hash(level[index], level[index + 1]) for index in range(0, len(level) - 1, 2)
        ]
        level = paired + level[len(paired) * 2 :]
    return level[0].hex()
