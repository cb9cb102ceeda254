"""Bundle assembly against bare h5py, verification against bare reading and SHA-256.

Every ratio is measured in one run on one machine; above 1 means faster than the bare way.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from carez_desktop.domain.generation import SyntheticCase
from carez_desktop.hdf5.assembly import assemble_bundle
from carez_desktop.hdf5.case_staging import stage_case
from carez_desktop.hdf5.chunk_encoding import chunk_shape
from carez_desktop.hdf5.reader import read_case_volume
from carez_desktop.hdf5.validator import examine_bundle
from tests.builders.bundles import COVERAGE, header, make_case, provenance

pytestmark = pytest.mark.benchmark
SHAPE = (120, 512, 512)
COUNT = 3


@pytest.fixture(scope="module")
def cases() -> list[SyntheticCase]:
    return [make_case(f"case-{number:04d}", shape=SHAPE) for number in range(1, COUNT + 1)]


def _timed(work: Callable[[], object], repeat: int = 2) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def _write_bare(path: Path, cases: list[SyntheticCase]) -> None:
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        for case in cases:
            for name, array in (
                ("image", case.volume.array),
                ("label", case.labels[0].array),
            ):
                file.create_dataset(
                    f"{case.request.case_id}/{name}",
                    data=array,
                    chunks=chunk_shape(array.shape, array.dtype.itemsize),
                    compression="gzip",
                    compression_opts=4,
                    shuffle=True,
                    fletcher32=True,
                )


def _read_bare(path: Path) -> None:
    with h5py.File(path, "r") as file:
        for group in file.values():
            for dataset in group.values():
                hashlib.sha256(np.ascontiguousarray(dataset[()]).data).hexdigest()


def _bundle(folder: Path, cases: list[SyntheticCase], *, validate: bool) -> tuple[float, float]:
    start = time.perf_counter()
    staged = [stage_case(folder, case, source_digest="", coverage_cell={}) for case in cases]
    middle = time.perf_counter()
    assemble_bundle(
        staged,
        folder / "set.h5",
        header=header(),
        coverage=COVERAGE,
        provenance=provenance(staged),
        cards={},
        overwrite=True,
        validate=validate,
    )
    return middle - start, time.perf_counter() - middle


def test_bundle_speed(
    tmp_path: Path, cases: list[SyntheticCase], record_row: Callable[..., None]
) -> None:
    bare_write = _timed(lambda: _write_bare(tmp_path / "bare.h5", cases))
    runs = [_bundle(tmp_path, cases, validate=False) for _ in range(2)]
    staging, assembling = min(runs, key=sum)
    bare_read = _timed(lambda: _read_bare(tmp_path / "bare.h5"))
    verifying = _timed(lambda: examine_bundle(tmp_path / "set.h5"))
    loading = _timed(lambda: read_case_volume(tmp_path / "set.h5", "case-0001"))
    mib = sum(case.volume.array.nbytes + case.labels[0].array.nbytes for case in cases) >> 20
    together = staging + assembling
    record_row(
        "Bundles",
        f"stage and assemble {mib} MiB in {COUNT} cases, without the closing validation",
        ours=f"{together:.2f} s",
        against=f"bare h5py, same filters: {bare_write:.2f} s",
        ratio=bare_write / together,
        reach="at least 0.9, aim 1.5",
        note=f"stage {staging:.2f} s, assemble {assembling:.2f} s",
    )
    record_row(
        "Bundles",
        "verify, child process included",
        ours=f"{verifying:.2f} s",
        against=f"bare h5py read and SHA-256: {bare_read:.2f} s",
        ratio=bare_read / verifying,
        reach="at least 0.8",
    )
    record_row("Bundles", "load one case to a Volume", ours=f"{loading:.2f} s")
    assert bare_write / together > 0.5
    assert bare_read / verifying > 0.3
