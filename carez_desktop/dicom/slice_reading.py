"""Read slices of a record into one array: the wanted one first, nothing read twice.

Headers and pixels of a slice come from one open of its file. Uncompressed pixels are read straight
into the array; compressed and deflated ones are decoded in child processes that write into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.frame_decoding import DECODE
from carez_desktop.dicom.frame_values import FrameTransform
from carez_desktop.dicom.modality_values import DoesNotFitError, Rescale, wider
from carez_desktop.dicom.native_reading import NativeReader
from carez_desktop.dicom.overlays import (
    EmbeddedOverlay,
    embedded_overlays,
    packed_overlays,
)
from carez_desktop.dicom.slice_source import RecordFiles, SliceSource
from carez_desktop.domain.intensity import OverlayPlane
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import ChildCrashError, DeviceError, UnreadableFileError
from carez_desktop.progress import CancellationToken, PacedProgress, ProgressReporter
from carez_desktop.system.child_process import ChildPool
from carez_desktop.system.memory import available_memory_mib
from carez_desktop.system.shared_array import SharedArray

SlicePart = tuple[int, npt.NDArray[Any]]

_BATCH_BYTES = 192 << 10
_MOST_IN_BATCH = 64
_OVERLAY_BYTES = 16 << 20
_LEAST_S, _PIXELS_PER_S = 4.0, 4e6


@dataclass(slots=True)
class LoadedSlices:
    """What was read.

    Attributes:
        array: (slices, rows, columns) modality values, or (slices, rows, columns, 3) colours.
        sources: Of each slice, in order.
        reference: Index of the slice that was read first.
        elements: All wanted elements of that slice's file.
        overlays: Of all slices, as far as they fit into a share of the memory.
        overlays_dropped: How many did not.
    """

    array: npt.NDArray[Any]
    sources: list[SliceSource]
    reference: int
    elements: ElementTable
    overlays: list[OverlayPlane] = field(default_factory=list)
    overlays_dropped: int = 0


def _unscaled(_: SliceSource) -> float:
    return 1.0


def read_slice_arrays(
    record: VolumeRecord,
    indices: Sequence[int],
    *,
    children: ChildPool | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
    partial: Callable[[SlicePart], object],
    scale: Callable[[SliceSource], float] = _unscaled,
    all_attributes: bool = False,
) -> LoadedSlices:
    """Read slices of a record into one array.

    Args:
        record: Says files and frames.
        indices: Which of its slices, in the order of the array.
        children: Decode what is compressed; None starts a pool for this call if one is needed.
        progress: Told at most ten times a second, with the time left.
        cancel: Asked at each slice.
        partial: Given (place in the array, read-only slice), the middle one first. A slice may
            come twice if the array turns out to need a wider type.
        scale: Given the first slice, says by what all modality values are multiplied (SUV).
        all_attributes: Whether each slice's header has its attributes, not its place only.

    Raises:
        UnreadableFileError: A file vanished, changed, is truncated or does not decode.
        ChildCrashError: The decoder of a file crashed or ran over its limits.
        DeviceError: The array does not fit into memory.
        CancelledError: Between two slices.
    """
    files = RecordFiles(record, all_attributes=all_attributes)
    pool = children or ChildPool()
    try:
        load = _Load(record, indices, files, pool, cancel, partial)
        load.begin(scale)
        while True:
            try:
                return load.run(PacedProgress(progress))
            except DoesNotFitError:
                load.widen()
            except _NeedsSharingError:
                load.share()
    finally:
        files.close()
        if children is None:
            pool.close()


class _NeedsSharingError(Exception):
    """A slice is compressed although the first one was not."""


class _Load:
    """One array that is being filled."""

    def __init__(
        self,
        record: VolumeRecord,
        indices: Sequence[int],
        files: RecordFiles,
        children: ChildPool,
        cancel: CancellationToken,
        partial: Callable[[SlicePart], object],
    ) -> None:
        self._record = record
        self._indices = indices
        self._files = files
        self._children = children
        self._cancel = cancel
        self._partial = partial
        self._native = NativeReader(files)
        self._sources: dict[int, SliceSource] = {}
        self._middle = len(indices) // 2
        self._factor = 1.0
        self._shared: SharedArray | None = None
        self._done = 0

    def begin(self, scale: Callable[[SliceSource], float]) -> None:
        """Read the header of the middle slice, and choose type and memory by it."""
        self._cancel.raise_if_cancelled()
        self._overlays: list[OverlayPlane] = []
        self._overlay_bytes = 0
        self._dropped = 0
        self._embedded: dict[int, tuple[EmbeddedOverlay, ...]] = {}
        source = self._source(self._middle, reference=True)
        self._elements = self._files.header.elements
        self._factor = scale(source)
        source = self._sources[self._middle] = self._scaled(source)
        transform = source.transform
        self._colour = transform.is_colour
        self._dtype = np.dtype(np.uint8 if self._colour else _first_type(transform))
        self._take_memory(shared=source.needs_child)

    def widen(self) -> None:
        """Begin again with a type that holds more."""
        following = wider(self._dtype)
        if following is None:
            raise UnreadableFileError(
                "Its values pass what float32 holds",
                subject=self._record.volume_id,
                hint="Check Rescale Slope",
            )
        self._dtype = following
        self._take_memory(shared=self._shared is not None)

    def share(self) -> None:
        """Begin again in memory that children can write to."""
        self._take_memory(shared=True)

    def _take_memory(self, *, shared: bool) -> None:
        _, rows, columns = self._record.shape
        shape = (len(self._indices), rows, columns, *((3,) if self._colour else ()))
        self._array: npt.NDArray[Any] = np.empty(0)
        self._shared = None
        if shared:
            self._shared = SharedArray.allocate(shape, self._dtype, subject=self._record.volume_id)
            self._array = self._shared.array
        else:
            self._array = allocate(shape, self._dtype, self._record.volume_id)

    def run(self, progress: PacedProgress) -> LoadedSlices:
        """Read everything into the array, the middle slice first."""
        self._done, self._progress = 0, progress
        self._finished: list[int] = []
        batches: dict[int, list[int]] = {}
        requests = self._requests(batches)
        limit_s = self._time_limit()
        for outcome in self._children.stream(
            DECODE, requests, timeout_s=limit_s, cancel=self._cancel
        ):
            places = batches.pop(outcome.index)
            fits = outcome.result
            if isinstance(outcome.error, ChildCrashError) and self._files_of(places) > 1:
                fits = [self._again(place) for place in places]
            elif outcome.error is not None:
                raise outcome.error
            if fits != [True] * len(places):
                raise DoesNotFitError
            for place in places:
                self._deliver(place)
        sources = [self._sources[place] for place in range(len(self._indices))]
        return LoadedSlices(
            self._array, sources, self._middle, self._elements, self._overlays, self._dropped
        )

    def _requests(self, batches: dict[int, list[int]]) -> Iterator[dict[str, Any]]:
        """Yield requests for what needs a child; read what does not on the way."""
        batch: list[int] = []
        count = 0
        rest = [place for place in range(len(self._indices)) if place != self._middle]
        for place in (self._middle, *rest):
            self._cancel.raise_if_cancelled()
            source = self._known_source(place)
            if not source.needs_child:
                embedded = self._embedded.get(place, ())
                self._keep(self._native.read(source, self._array[place], embedded, place))
                self._deliver(place)
                continue
            if self._shared is None:
                raise _NeedsSharingError
            if batch and not self._joins(batch, place):
                batches[count] = batch
                yield self._request(batch)
                batch, count = [], count + 1
            batch.append(place)
        if batch:
            batches[count] = batch
            yield self._request(batch)

    def _joins(self, batch: list[int], place: int) -> bool:
        """Whether a slice is decoded in one request with those before it.

        Small frames are, so that a request is worth its way; frames of a deflated file and tiles
        of a mosaic are, so that it is inflated or decoded once.
        """
        first, source = self._sources[batch[0]], self._sources[place]
        if batch[0] == self._middle or place != batch[-1] + 1:
            return False
        if source.native is not None or source.tile is not None:
            return first.path == source.path and len(batch) < _MOST_IN_BATCH
        size = source.transform.layout.byte_count
        return first.native is None and (len(batch) + 1) * size <= _BATCH_BYTES

    def _request(self, places: Sequence[int]) -> dict[str, Any]:
        if self._shared is None:
            raise _NeedsSharingError
        sources = [self._sources[place] for place in places]
        transforms: list[FrameTransform] = []
        frames = []
        for source in sources:
            if source.transform not in transforms:
                transforms.append(source.transform)
            which = transforms.index(source.transform)
            frames.append([source.path, which, source.fragments, source.native, source.tile])
        return {
            "subject": sources[0].path,
            "region": self._shared.region(places[0], len(places)),
            "transforms": [transform.to_plain() for transform in transforms],
            "frames": frames,
        }

    def _files_of(self, places: Sequence[int]) -> int:
        return len({self._sources[place].path for place in places})

    def _again(self, place: int) -> bool:
        """Decode one slice of a request that crashed, so that the right file is named."""
        answer = self._children.run(
            DECODE, self._request([place]), timeout_s=self._time_limit(), cancel=self._cancel
        )
        return bool(answer == [True])

    def _time_limit(self) -> float:
        """Seconds for a request: a decoder that a file keeps busy is ended soon."""
        _, rows, columns = self._record.shape
        pixels = max(rows * columns, _BATCH_BYTES)
        return _LEAST_S + pixels / _PIXELS_PER_S

    def _deliver(self, place: int) -> None:
        """Hand on a slice; one that overtook the middle slice waits for it."""
        self._finished.append(place)
        if place != self._middle and self._done == 0:
            return
        self._finished.sort(key=lambda finished: finished != self._middle)
        while self._finished:
            self._hand_on(self._finished.pop(0))

    def _hand_on(self, place: int) -> None:
        view = self._array[place].view()
        view.flags.writeable = False
        self._partial((place, view))
        self._done += 1
        total = len(self._indices)
        self._progress.report(self._done / total, f"Slice {self._done} of {total}")

    def _known_source(self, place: int) -> SliceSource:
        found = self._sources.get(place)
        if found is None:
            found = self._sources[place] = self._scaled(self._source(place))
        if found.transform.is_colour != self._colour:
            raise UnreadableFileError(
                "Some slices of it are colour and some grey",
                subject=found.path,
                hint="Import its folder again",
            )
        if self._dtype.kind == "i" and not found.transform.is_whole:
            self._dtype = np.dtype(np.int32)
            raise DoesNotFitError
        return found

    def _source(self, place: int, *, reference: bool = False) -> SliceSource:
        source = self._files.source(self._indices[place], reference=reference)
        elements = self._files.header.elements
        if any(tag >> 20 == 0x600 for tag in elements.values):
            self._keep(packed_overlays(elements, source.frame, place))
            embedded = embedded_overlays(elements, source.transform.layout)
            if embedded:
                self._embedded[place] = embedded
        return source

    def _scaled(self, source: SliceSource) -> SliceSource:
        if self._factor == 1.0:
            return source
        rescale = source.transform.rescale
        scaled = Rescale(rescale.slope * self._factor, rescale.intercept * self._factor)
        return replace(source, transform=replace(source.transform, rescale=scaled))

    def _keep(self, planes: Sequence[OverlayPlane]) -> None:
        for plane in planes:
            if self._overlay_bytes + plane.bits.nbytes > _OVERLAY_BYTES:
                self._dropped += 1
                continue
            self._overlay_bytes += plane.bits.nbytes
            self._overlays.append(plane)


def _first_type(transform: FrameTransform) -> type[np.generic]:
    """Choose the type to begin with: int16 for whole numbers, unless it is known not to hold."""
    if not transform.is_whole:
        return np.float32
    if transform.lut is not None and not transform.fits(np.dtype(np.int16)):
        return np.int32
    return np.int16


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any], subject: str) -> npt.NDArray[Any]:
    """Allocate an array once, after looking whether it fits.

    Raises:
        DeviceError: It does not.
    """
    needed = int(np.prod([*shape, dtype.itemsize], dtype=np.float64))
    available = available_memory_mib()
    if available is not None and needed > available << 20:
        raise DeviceError(
            f"The volume needs {needed >> 20} MiB of memory, {available} MiB are free",
            subject=subject,
            hint="Close other programs or choose a smaller series",
        )
    return np.empty(shape, dtype=dtype)
