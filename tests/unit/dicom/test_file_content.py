from __future__ import annotations

from pathlib import Path

from carez_desktop.dicom.file_content import look_into
from tests.builders.small_studies import write_series


def test_an_image_cut_in_its_header_is_unreadable_and_names_its_series(tmp_path: Path) -> None:
    path = min(write_series(tmp_path, 7).iterdir())
    raw = path.read_bytes()
    rows = raw.index(b"\x28\x00\x10\x00US")
    path.write_bytes(raw[: rows + 3])
    content = look_into(path)
    assert not content.headers
    assert content.unreadable is not None
    assert content.unreadable.series_instance_uid == "1.2.7"
    assert "breaks off before the pixels" in content.unreadable.reason
