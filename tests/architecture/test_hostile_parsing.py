"""Reading a study loads no decoder and no foreign parser into the main process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imagecodecs
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.builders.dicom_series import SeriesPlan, build_series

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("imagecodecs", "gdcm", "pydicom", "openjpeg", "jpeg_ls", "SimpleITK", "PIL", "h5py")
SCRIPT = """
import json, sys
from pathlib import Path
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume

context = open_context(Path(sys.argv[1]))
report = import_studies(context, paths=[Path(sys.argv[2])])
volumes = [load_volume(context, volume_id=record.volume_id) for record in report.series]
context.close()
print(json.dumps([[list(v.array.shape) for v in volumes], sorted(sys.modules)]))
"""


def compress(_: int, data_set: Dataset) -> None:
    cells = data_set.pixel_array
    data_set.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    stream = bytes(imagecodecs.jpeg2k_encode(cells, level=0, codecformat="j2k"))
    data_set.PixelData = encapsulate([stream])
    data_set["PixelData"].VR = "OB"


@pytest.mark.parametrize("compressed", [False, True])
def test_import_and_load_decode_elsewhere(tmp_path: Path, compressed: bool) -> None:
    plan = SeriesPlan((3, 20, 24), (2.0, 0.7, 0.9))
    build_series(tmp_path / "ct", plan, *([compress] if compressed else []))
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "home"), str(tmp_path / "ct")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    shapes, modules = json.loads(answer.stdout)
    assert shapes == [[3, 20, 24]]
    loaded = {name.partition(".")[0] for name in modules}
    assert loaded.isdisjoint(FOREIGN), sorted(loaded & set(FOREIGN))
