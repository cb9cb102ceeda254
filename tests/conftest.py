"""Fixtures of the whole suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pydicom.config
import pytest

# pydicom is the oracle for odd files: what it thinks of their values is not what is tested.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the real studies, unpacked once; skips where they are not on this machine."""
    given = os.environ.get("CAREZ_TEST_STUDIES")
    if given and Path(given).is_dir():
        return Path(given)
    script = SHARED_DATA / "unpack.py"
    if not script.is_file():
        pytest.skip("no real studies beside the checkout")
    target = tmp_path_factory.mktemp("studies")
    subprocess.run([sys.executable, str(script), str(target)], check=True)
    return target
