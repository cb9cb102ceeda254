"""Canonical JSON and digests against values computed by hand with hashlib and json."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.codec import array_digest, canonical_json, digest_of, to_plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Record:
    name: str
    values: tuple[float, ...]
    colour: Colour


def test_canonical_json_is_sorted_and_tight() -> None:
    assert canonical_json({"b": 1, "a": Record("ä", (1.0, 2.5), Colour.RED)}) == (
        '{"a":{"colour":"red","name":"ä","values":[1.0,2.5]},"b":1}'.encode()
    )


def test_plain_forms() -> None:
    assert to_plain({"p": Path("a/b"), "n": np.float32(0.5), "s": {3, 1}, "a": np.eye(2)}) == {
        "p": "a/b",
        "n": 0.5,
        "s": [1, 3],
        "a": [[1.0, 0.0], [0.0, 1.0]],
    }
    with pytest.raises(TypeError):
        to_plain(object())


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_digest_of_is_sha256_of_the_bytes() -> None:
    assert digest_of([1, 2]) == hashlib.sha256(b"[1,2]").hexdigest()


@pytest.mark.parametrize("order", ["<", ">"])
def test_array_digest_does_not_depend_on_byte_order_or_layout(order: str) -> None:
    plain = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    other = np.asfortranarray(plain.astype(np.dtype(np.int16).newbyteorder(order)))
    assert array_digest(other) == hashlib.sha256(plain.astype("<i2").tobytes()).hexdigest()
