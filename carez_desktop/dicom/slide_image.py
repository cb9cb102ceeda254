"""Whole-slide images: one level composed of its tiles, where it fits (PS3.3 C.8.12.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.slice_reading import read_slice_arrays
from carez_desktop.dicom.slice_source import REFERENCE_TAGS
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.pile_pixels import LARGEST_LEVEL
from carez_desktop.domain.slice_order import flat_geometry
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import Volume
from carez_desktop.errors import GeometryError, UnreadableFileError
from carez_desktop.progress import IGNORE, CancellationToken, ProgressReporter
from carez_desktop.system.child_process import ChildPool

_ROWS, _COLUMNS, _TOTAL_COLUMNS, _TOTAL_ROWS = 0x00280010, 0x00280011, 0x00480006, 0x00480007
_FRAMES, _ORGANISATION, _PER_FRAME = 0x00280008, 0x00209311, 0x52009230
_PLANE_POSITION, _LEFT, _TOP = 0x0048021A, 0x0048021E, 0x0048021F
_FOCAL_PLANES, _OPTICAL_PATHS = 0x00480303, 0x00480302
_TAGS = REFERENCE_TAGS | {
    *(_TOTAL_COLUMNS, _TOTAL_ROWS, _ORGANISATION, _FOCAL_PLANES, _OPTICAL_PATHS)
}


def read_slide_level(
    record: VolumeRecord,
    *,
    children: ChildPool | None,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> Volume:
    """Compose one level of a whole-slide image of its tiles.

    Tiles may fill the level in order (TILED_FULL) or say where they lie (TILED_SPARSE); where
    none lies the level stays white, as glass is. Of several focal planes and optical paths the
    first is shown.

    Returns:
        (1, rows, columns, 3) colours, or (1, rows, columns) of a grey slide, without place.

    Raises:
        GeometryError: The level is larger than 4096 x 4096.
        UnreadableFileError: A tile does not decode or lies outside the level.
    """
    path, _ = record.frame_of(0)
    _, rows, columns = record.shape
    if max(rows, columns) > LARGEST_LEVEL:
        raise GeometryError(
            f"This level has {rows} x {columns} pixels; whole-slide images open up to"
            f" {LARGEST_LEVEL} x {LARGEST_LEVEL}",
            subject=record.volume_id,
            hint="Open a lower level, the thumbnail or the overview of the slide",
        )
    places, tile = _tile_places(path, rows, columns)
    tiles_record = replace(
        record,
        shape=(len(places), *tile),
        paths=(path,) * len(places),
        frame_indices=tuple(frame for frame, _, _ in places),
    )
    loaded = read_slice_arrays(
        tiles_record,
        range(len(places)),
        children=children,
        progress=progress,
        cancel=cancel,
        partial=IGNORE,
    )
    depth = loaded.array.shape[3:]
    level = np.full((1, rows, columns, *depth), 255 if depth else 0, dtype=loaded.array.dtype)
    for cells, (_, top, left) in zip(loaded.array, places, strict=True):
        part = level[0, top : top + tile[0], left : left + tile[1]]
        part[...] = cells[: part.shape[0], : part.shape[1]]
    instance = loaded.sources[0].instance
    text = f"Whole-slide level of {rows} x {columns} pixels, composed of {len(places)} tiles"
    finding = Finding(Severity.INFO, "whole_slide", record.volume_id, text)
    return Volume(
        volume_id=record.volume_id,
        array=level,
        geometry=flat_geometry((1, rows, columns), instance.pixel_spacing),
        modality=record.modality,
        units="rgb" if depth else "arbitrary",
        kind=record.kind,
        findings=(*record.findings, finding),
        attributes={"description": record.description},
    )


def _tile_places(
    path: str, rows: int, columns: int
) -> tuple[list[tuple[int, int, int]], tuple[int, int]]:
    """Return (frame, top, left) of each tile, and the (rows, columns) of one."""
    header = read_header(Path(path), _TAGS)
    elements = header.elements
    height, width = elements.unsigned(_ROWS) or 0, elements.unsigned(_COLUMNS) or 0
    frames = elements.integer(_FRAMES) or 1
    if height < 1 or width < 1:
        raise UnreadableFileError(
            f"Its tiles are {height} x {width} pixels",
            subject=path,
            hint="Export it again from its source",
        )
    positions = elements.items(_PER_FRAME)
    if elements.code(_ORGANISATION) == "TILED_SPARSE" or len(positions) == frames > 1:
        return _sparse(positions, frames, rows, columns), (height, width)
    across, down = -(-columns // width), -(-rows // height)
    count = min(frames, across * down)
    grid = [(frame, frame // across * height, frame % across * width) for frame in range(count)]
    return grid, (height, width)


def _sparse(
    positions: tuple[ElementTable, ...], frames: int, rows: int, columns: int
) -> list[tuple[int, int, int]]:
    """Return where each frame says that it lies; of those at one place the first."""
    found: dict[tuple[int, int], int] = {}
    for frame, item in enumerate(positions[:frames]):
        place = item.first_item(_PLANE_POSITION)
        left, top = place.binary(_LEFT, "i"), place.binary(_TOP, "i")
        if left is None or top is None:
            continue
        corner = (int(top) - 1, int(left) - 1)
        if 0 <= corner[0] < rows and 0 <= corner[1] < columns:
            found.setdefault(corner, frame)
    return [(frame, top, left) for (top, left), frame in found.items()]
