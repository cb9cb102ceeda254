"""The slice after the first one of a series: only what differs is read, with the same result."""

from __future__ import annotations

from pathlib import Path

from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import PLACE_TAGS, following_slice, to_instance_header
from tests.builders.ct_folders import write_ct


def test_a_following_slice_is_what_reading_it_alone_gives(tmp_path: Path) -> None:
    write_ct(tmp_path / "ct", 3)
    headers = [read_header(path, PLACE_TAGS) for path in sorted((tmp_path / "ct").iterdir())]
    alone = [to_instance_header(header, with_attributes=False) for header in headers]
    assert len({item.image_position_patient for item in alone}) == 3
    assert len({item.sop_instance_uid for item in alone}) == 3
    for header, expected in zip(headers[1:], alone[1:], strict=True):
        assert following_slice(alone[0], header) == expected
