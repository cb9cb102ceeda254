"""Search and import of a large library, timed in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.coverage import measure
from carez_desktop.domain.study import VolumeRecord
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.library.study_library import StudyLibrary
from carez_desktop.workflows._coverage_plan_file import load_coverage_plan

pytestmark = pytest.mark.benchmark

ROWS = 100_000
BATCH = 10_000
TABLE = f"Library of {ROWS} volumes"


def make_records(start: int, count: int, rng: np.random.Generator) -> list[VolumeRecord]:
    makers = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "TOSHIBA")
    parts = ("CHEST", "ABDOMEN", "HEAD", "KNEE")
    record = VolumeRecord(
        "",
        "",
        "",
        "",
        "CT",
        "",
        (143, 512, 512),
        (2.0, 0.5, 0.5),
        "SPL",
        VolumeKind.REAL,
        "dicom",
        (),
    )
    made = []
    for number in range(start, start + count):
        maker, part = makers[rng.integers(4)], parts[rng.integers(4)]
        made.append(
            replace(
                record,
                volume_id=f"1.2.826.{number}",
                series_instance_uid=f"1.2.826.{number}",
                study_instance_uid=f"1.2.840.{number // 3}",
                patient_id=f"PAT{number // 6:06d}",
                description=f"{part.title()} {rng.integers(1, 6)} mm",
                paths=tuple(f"/archive/{number}/IM{k:04d}" for k in range(5)),
                attributes={
                    "patient_name": f"Name{number // 6}^First{rng.integers(500)}",
                    "manufacturer": maker,
                    "body_part_examined": part,
                    "study_date": f"20{rng.integers(10, 26)}0{rng.integers(1, 10)}15",
                    "patient_age": float(rng.integers(1, 95)),
                    "patient_sex": "FM"[rng.integers(2)],
                    "slice_thickness": float(rng.integers(1, 6)),
                    "ctdi_vol": float(rng.uniform(0.5, 25)),
                },
            )
        )
    return made


def best_of(times: int, action) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        took.append(time.perf_counter() - started)
    return min(took)


@pytest.mark.timeout(600)
def test_a_large_library(tmp_path: Path, record_row: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    library = StudyLibrary(tmp_path)
    inserted = 0.0
    for start in range(0, ROWS, BATCH):
        batch = make_records(start, BATCH, rng)
        started = time.perf_counter()
        library.add_volumes(batch)
        inserted += time.perf_counter() - started
    size = library.path.stat().st_size / 2**20
    record_row(
        TABLE,
        "insert a volume",
        ours=f"{1e6 * inserted / ROWS:.0f} us",
        note=f"the file is {size:.0f} MiB then",
    )
    searches = {}
    for words in ("name12345", "che", "chest siemens 2015", "c", "first42 philips", "nobody"):
        searches[words] = best_of(3, lambda words=words: library.volumes(words, limit=200))
        record_row(
            TABLE,
            f"search `{words}`, first 200",
            ours=f"{1e3 * searches[words]:.1f} ms",
            reach="50 ms at 1 000 000",
        )
    first_page = best_of(3, lambda: library.volumes(limit=200))
    record_row(TABLE, "first page of 200", ours=f"{1e3 * first_page:.1f} ms")
    started = time.perf_counter()
    records = library.volumes()
    record_row(TABLE, "all records", ours=f"{time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    measure(records, load_coverage_plan().axes)
    record_row(TABLE, "coverage of all", ours=f"{time.perf_counter() - started:.2f} s")
    library.close()
    assert max(searches.values()) < 0.2
