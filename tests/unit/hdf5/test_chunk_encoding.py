"""HDF5 itself is the oracle: it must read what we encoded, and store what we would encode."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from carez_desktop.errors import CancelledError
from carez_desktop.hdf5.chunk_decoding import decode_chunk, iterate_voxels, read_voxels
from carez_desktop.hdf5.chunk_encoding import chunk_shape, encode_chunk, fletcher32, write_array
from carez_desktop.progress import CancellationFlag


@pytest.mark.parametrize("dtype", ["i2", "u1", "f4", "f8", "i4", ">i2"])
@pytest.mark.parametrize("shape", [(7, 33, 21), (1, 1, 1), (3, 900, 700)])
def test_plain_h5py_reads_it_back(tmp_path: Path, dtype: str, shape: tuple[int, int, int]):
    array = np.random.default_rng(1).normal(0, 100, shape).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write_array(file, "image", array)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        image = file["image"]
        assert (image.compression, image.shuffle, image.fletcher32) == ("gzip", True, True)
        np.testing.assert_array_equal(image[()], array)
        np.testing.assert_array_equal(read_voxels(image), array)


@pytest.mark.parametrize("length", [1, 2, 3, 719, 720, 721, 100_003])
@pytest.mark.parametrize("fill", ["random", "zeros", "ones"])
def test_the_checksum_is_that_of_hdf5(tmp_path: Path, length: int, fill: str):
    data = {
        "random": np.random.default_rng(length).integers(0, 256, length),
        "zeros": np.zeros(length),
        "ones": np.full(length, 255),
    }[fill].astype(np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("x", data=data, chunks=(length,), fletcher32=True)
        stored = made.id.read_direct_chunk((0,))[1]
    assert fletcher32(data.tobytes()).to_bytes(4, "little") == stored[-4:]


def test_chunks_are_about_a_mebibyte_and_whole_slices_where_possible():
    assert chunk_shape((400, 512, 512), 2) == (2, 512, 512)
    assert chunk_shape((3, 100, 100), 2) == (3, 100, 100)
    assert chunk_shape((10, 2048, 2048), 2) == (1, 256, 2048)
    assert chunk_shape((1, 2, 3_000_000), 4) == (1, 1, 262144)


def test_cancelling_stops_between_chunks(tmp_path: Path):
    flag = CancellationFlag()
    flag.cancel()
    with h5py.File(tmp_path / "a.h5", "w") as file, pytest.raises(CancelledError):
        write_array(file, "image", np.zeros((2, 3, 4), np.int16), cancel=flag)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 10, 7)},
        {"chunks": (2, 33, 21), "compression": "gzip", "compression_opts": 1},
        {"chunks": (1, 5, 21), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (3, 33, 21), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {},
    ],
)
def test_data_that_h5py_stored_is_read_the_same(tmp_path: Path, options: dict):
    array = np.random.default_rng(2).normal(0, 100, (7, 33, 21)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=array, **options)
        np.testing.assert_array_equal(read_voxels(data), array)
        assert b"".join(piece.tobytes() for piece in iterate_voxels(data)) == array.tobytes()


def test_a_chunk_that_is_not_what_it_says_is_refused():
    chunk = np.arange(600, dtype="<i2").reshape(2, 30, 10)
    stored = encode_chunk(chunk)
    np.testing.assert_array_equal(decode_chunk(stored, chunk.shape, chunk.dtype), chunk)
    for position in range(len(stored)):
        spoiled = bytearray(stored)
        spoiled[position] ^= 16
        with pytest.raises(OSError, match="checksum"):
            decode_chunk(bytes(spoiled), chunk.shape, chunk.dtype)
    with pytest.raises(OSError, match="size"):
        decode_chunk(stored, (1, 30, 10), chunk.dtype)
    with pytest.raises(OSError, match="size"):
        decode_chunk(stored, (3, 30, 10), chunk.dtype)
    garbage = b"not deflate"
    sealed = garbage + fletcher32(garbage).to_bytes(4, "little")
    with pytest.raises(OSError, match="decompressed"):
        decode_chunk(sealed, chunk.shape, chunk.dtype)
