"""How soon the first image of a large series is there, against the whole load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from tests.builders.ct_folders import write_ct

pytestmark = pytest.mark.benchmark

SLICES = 1000
TURNS = 2


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkflowContext]:
    opened = open_context(tmp_path / "home")
    opened.children.warm_up()
    yield opened
    opened.close()
    opened.library.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("syntax", "words"), [("explicit", "uncompressed"), ("jpegls", "JPEG-LS")])
def test_first_image_of_a_thousand_slices(
    context: WorkflowContext,
    tmp_path: Path,
    syntax: str,
    words: str,
    record_row: Callable[..., None],
) -> None:
    (record,) = import_studies(context, paths=[write_ct(tmp_path / "ct", SLICES, syntax)]).series
    firsts, wholes, middles = [], [], []
    for _ in range(TURNS):
        seen: list[tuple[float, int, np.ndarray]] = []
        start = time.perf_counter()

        def note(part: tuple[int, np.ndarray], start: float = start, seen: list = seen) -> None:
            if not seen:
                seen.append((time.perf_counter() - start, part[0], part[1].copy()))

        volume = load_volume(context, volume_id=record.volume_id, partial=note)
        wholes.append(time.perf_counter() - start)
        first, index, pixels = seen[0]
        firsts.append(first)
        middles.append(index)
        assert np.array_equal(pixels, volume.array[index])
    first, whole = min(firsts), min(wholes)
    record_row(
        "Loading DICOM",
        f"first image of {SLICES} slices in the library, {words}",
        ours=f"{first * 1e3:.0f} ms",
        against=f"the whole load: {whole * 1e3:.0f} ms",
        ratio=first / whole,
        reach="at most 0.1, or 150 ms",
        note="until `partial` has the slice; painting takes a few ms more",
    )
    assert set(middles) == {SLICES // 2}
    assert first <= max(0.15, 0.1 * whole)
