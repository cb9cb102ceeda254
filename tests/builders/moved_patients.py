"""One patient scanned twice in different frames of reference, with a known rigid movement between.

A head of ellipsoids and smooth lumps: enough structure for a registration, small enough for a test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tests.builders.dicom_series import SeriesPlan, build_series, rotation

PATIENT = "Doe^Jane"
SECOND_HIGHER_BY = 25.0
"""HU that the second scan shows more than the first, everywhere in the head."""

MOVE = np.eye(4)
MOVE[:3, :3] = rotation(2.0, -3.0, 4.0)
MOVE[:3, 3] = (9.0, -6.0, 5.0)
"""(4, 4): LPS mm of the first scan to LPS mm of the second."""

_LUMPS = np.random.default_rng(3).uniform(-1, 1, (24, 3)) * (40.0, 55.0, 32.0)
_HEIGHTS = np.random.default_rng(4).uniform(-160, 160, 24)


def head(points_lps: np.ndarray) -> np.ndarray:
    """HU of the patient at (..., 3) LPS mm of the first scan."""
    x, y, z = np.moveaxis(points_lps, -1, 0)
    inside = (x / 58.0) ** 2 + (y / 76.0) ** 2 + (z / 46.0) ** 2
    values = np.full(inside.shape, -1000.0)
    values[inside < 1.0] = 700.0
    brain = inside < 0.8
    lumps = np.zeros(inside.shape)
    for place, height in zip(_LUMPS, _HEIGHTS, strict=True):
        distance = np.sum((points_lps - place) ** 2, axis=-1)
        lumps += height * np.exp(-distance / (2 * 9.0**2))
    values[brain] = 40.0 + lumps[brain]
    return values


def write_moved_pair(folder: Path) -> tuple[str, str]:
    """Write both scans as one study; return their series UIDs, the first one's first."""
    shapes = ((30, 72, 64), (34, 68, 70))
    spacings = ((4.0, 2.3, 2.1), (3.6, 2.4, 2.0))
    uids = ("1.2.826.0.1.3680043.9.999.71", "1.2.826.0.1.3680043.9.999.72")
    for number in range(2):
        shape, spacing = shapes[number], spacings[number]
        half = (np.array(shape) - 1) / 2 * np.array(spacing)
        centre = MOVE[:3, 3] if number else np.zeros(3)
        plan = SeriesPlan(
            shape=shape, spacing_mm=spacing, series_uid=uids[number],
            origin_lps=tuple(centre - half[::-1]),
        )  # fmt: skip
        points = plan.points()
        own = points if not number else (points - MOVE[:3, 3]) @ MOVE[:3, :3]
        values = head(own)
        values[values > -900] += SECOND_HIGHER_BY * number
        build_series(folder / f"scan{number}", plan, _facts(number, values))
    return uids


def _facts(number: int, values: np.ndarray):  # type: ignore[no-untyped-def]
    def change(index: int, data_set: Dataset) -> None:
        data_set.PatientName, data_set.PatientID = PATIENT, "4711"
        data_set.StudyInstanceUID = "1.2.826.0.1.3680043.9.999.7"
        data_set.FrameOfReferenceUID = f"1.2.826.0.1.3680043.9.999.8{number}"
        data_set.SeriesDescription = f"Head scan {number + 1}"
        data_set.SeriesNumber = number + 1
        data_set.SliceThickness = "4"
        data_set.WindowCenter, data_set.WindowWidth = "40", "400"
        data_set.PixelData = (
            (np.rint(values[index]).astype(np.int32) + 1024).astype("<i2").tobytes()
        )

    return change
