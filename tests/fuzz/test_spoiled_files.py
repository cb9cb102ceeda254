"""Spoiled studies through import and load: nothing dies, hangs, swells, or answers in tracebacks.

The default run takes fixed seeds; the longer ones begin at a seed of their own, which they print
and CAREZ_FUZZ_SEED sets. `python -m tests.fuzz.campaign FOLDER FIRST COUNT` repeats a range.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.campaign import Tally, run_campaign
from tests.fuzz.spoiled_files import spoiled, spoiled_from

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom's, over the seeds
]


def first_seed() -> int:
    """The seed to begin with; printed, so that a failure can be repeated."""
    return int(os.environ.get("CAREZ_FUZZ_SEED", int(time.time()) % 1_000_000 * 1000))


def is_clean(tally: Tally, files: int) -> None:
    assert tally.failures == [], "\n\n".join(tally.failures)
    assert tally.files == files
    assert tally.loaded > files // 10  # most files are still studies: the loader is reached
    assert tally.unreadable + tally.refused > files // 20


def test_the_same_seed_makes_the_same_file() -> None:
    assert [spoiled(seed).files for seed in range(20)] == [spoiled(s).files for s in range(20)]


def test_three_hundred_spoiled_files(tmp_path: Path) -> None:
    is_clean(run_campaign(tmp_path, range(300), batch=75), 300)


@pytest.mark.slow
def test_three_thousand_spoiled_files(tmp_path: Path) -> None:
    start = first_seed()
    print(f"CAREZ_FUZZ_SEED={start}")
    is_clean(run_campaign(tmp_path, range(start, start + 3000)), 3000)


@pytest.mark.slow
def test_a_thousand_spoiled_real_files(tmp_path: Path, studies: Path) -> None:
    start = first_seed()
    print(f"CAREZ_FUZZ_SEED={start}")
    make = spoiled_from(studies)
    is_clean(
        run_campaign(
            tmp_path, range(start, start + 1000), batch=50, make=make, batches_of_a_home=1
        ),
        1000,
    )


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_twenty_thousand_spoiled_files(tmp_path: Path) -> None:
    start, files = first_seed(), int(os.environ.get("CAREZ_FUZZ_FILES", "20000"))
    print(f"CAREZ_FUZZ_SEED={start}")
    tally = run_campaign(tmp_path, range(start, start + files), tell=print)
    print(tally.words())
    is_clean(tally, files)
