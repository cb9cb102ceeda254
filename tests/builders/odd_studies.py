"""Series as scanners, transfers and people spoil them, each in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from tests.builders.dicom_series import SeriesPlan, build_series

GOOD = "1.2.3.4"
TRUNCATED = "1.2.3.5"
WITHOUT_PIXELS = "1.2.3.6"
WITHOUT_POSITION = "1.2.3.7"
MIXED_MATRIX = "1.2.3.8"


def build_odd_studies(folder: Path) -> Path:
    """Write one good series and one of each odd kind; returns the folder."""
    build_series(folder / "good", SeriesPlan(series_uid=GOOD))
    cut = build_series(folder / "truncated", SeriesPlan(series_uid=TRUNCATED))
    cut[0].write_bytes(cut[0].read_bytes()[:-20])
    cut[4].write_bytes(cut[4].read_bytes()[:300])
    (folder / "text").mkdir()
    (folder / "text" / "notes.dcm").write_text("hello, this is no image")

    def drop_pixels(_index: int, data_set: Dataset) -> None:
        del data_set.PixelData

    def drop_position(_index: int, data_set: Dataset) -> None:
        del data_set.ImagePositionPatient

    def shrink(index: int, data_set: Dataset) -> None:
        if index > 2:
            data_set.Rows, data_set.Columns = 4, 4
            data_set.PixelData = data_set.PixelData[:32]

    build_series(folder / "no_pixels", SeriesPlan(series_uid=WITHOUT_PIXELS), drop_pixels)
    build_series(folder / "no_position", SeriesPlan(series_uid=WITHOUT_POSITION), drop_position)
    build_series(folder / "mixed", SeriesPlan(series_uid=MIXED_MATRIX), shrink)
    return folder
