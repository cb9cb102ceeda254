"""Arrays whose memory a child process can write into, so that pixels are never sent.

Linux: anonymous memory of `memfd_create`, whose descriptor is passed along with a request. It is
not limited by the size of /dev/shm, and it is sealed, so that a child which a file has taken over
cannot shrink it under the parent's feet. Windows: a named mapping backed by the paging file.
A child maps only the pages of the region it is given.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.errors import DeviceError
from carez_desktop.system.memory import available_memory_mib


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Some leading indices of a `SharedArray`, to be put anywhere into a child's request."""

    memory: SharedArray
    start: int
    count: int

    def to_plain(self, descriptor: int) -> dict[str, Any]:
        """Return what `open_region` reads.

        Args:
            descriptor: The memory's number in the message or process that opens the region.
        """
        shape = (self.count, *self.memory.array.shape[1:])
        item_bytes = math.prod(shape[1:]) * self.memory.array.dtype.itemsize
        return {
            "descriptor": descriptor,
            "name": self.memory.name,
            "offset": self.start * item_bytes,
            "shape": list(shape),
            "dtype": self.memory.array.dtype.str,
        }


class SharedArray:
    """An array in memory that children can be given regions of.

    Attributes:
        array: Writable; it owns the memory, which lives as long as the array or a view of it.
        name: Of the mapping (Windows); "" where a descriptor is passed.
    """

    def __init__(self, array: npt.NDArray[Any], name: str, descriptor: int) -> None:
        self.array = array
        self.name = name
        self.descriptor = descriptor
        if descriptor >= 0:
            weakref.finalize(self, os.close, descriptor)

    @classmethod
    def allocate(
        cls, shape: tuple[int, ...], dtype: npt.DTypeLike, *, subject: str = ""
    ) -> SharedArray:
        """Take zeroed memory for an array, after looking whether it fits.

        Args:
            shape: Any, also with a zero in it.
            dtype: Of plain numbers.
            subject: What an error names.

        Raises:
            DeviceError: Too little memory is free, or the system has no such memory.
        """
        kind = np.dtype(dtype)
        needed = max(math.prod(shape) * kind.itemsize, 1)
        available = available_memory_mib()
        if available is not None and needed > available << 20:
            raise DeviceError(
                f"The volume needs {needed >> 20} MiB of memory, {available} MiB are free",
                subject=subject,
                hint="Close other programs or choose a smaller series",
            )
        try:
            memory, name, descriptor = _take(needed)
        except (OSError, ValueError, OverflowError, AttributeError) as error:
            raise DeviceError(
                f"The system gives no {needed >> 20} MiB of shared memory: {error}",
                subject=subject,
                hint="Close other programs; Linux and Windows are supported",
            ) from error
        return cls(np.ndarray(shape, kind, buffer=memory), name, descriptor)

    def region(self, start: int, count: int) -> Region:
        """Return a part of the array for a request: `count` leading indices from `start` on.

        Raises:
            IndexError: Beyond the array.
        """
        if not 0 <= start <= start + count <= len(self.array):
            raise IndexError(f"region {start} + {count} of {len(self.array)}")
        return Region(self, start, count)


def _take(size: int) -> tuple[mmap.mmap, str, int]:
    if sys.platform == "win32":
        name = f"carez-{uuid.uuid4().hex}"
        return mmap.mmap(-1, size, tagname=name), name, -1
    import fcntl

    descriptor = os.memfd_create("carez", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return mmap.mmap(descriptor, size), "", descriptor
    except BaseException:
        os.close(descriptor)
        raise


def open_region(plain: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Map a region in the child that was given it.

    Args:
        plain: What stands in the child's request where the parent put the `Region`.

    Returns:
        Writable (count, ...): what is written is in the parent's array at once.
    """
    shape, dtype = tuple(plain["shape"]), np.dtype(plain["dtype"])
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    first = plain["offset"] // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    skipped = plain["offset"] - first
    if sys.platform == "win32":
        memory = mmap.mmap(-1, skipped + size, tagname=plain["name"], offset=first)
    else:
        memory = mmap.mmap(plain["descriptor"], skipped + size, offset=first)
    return np.ndarray(shape, dtype, buffer=memory, offset=skipped)
