"""Headers come out of the blob as they went in, and few bytes each."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import replace

from carez_desktop.domain.study import InstanceHeader
from carez_desktop.library.header_blob import pack_headers, unpack_headers

HEADER = InstanceHeader(
    path="/data/IM0001",
    file_size=526336,
    modified_ns=1_700_000_000_123_456_789,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.2.826.0.1.3680043.8.498.1",
    series_instance_uid="1.2.826.0.1.3680043.8.499",
    study_instance_uid="1.2.826.0.1.3680043.8.500",
    frame_of_reference_uid="1.2.826.0.1.3680043.8.501",
    modality="CT",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    rows=512,
    columns=256,
    number_of_frames=1,
    instance_number=1,
    image_position_patient=(-120.5, 0.1 + 0.2, 1e-17),
    image_orientation_patient=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    pixel_spacing=(0.7, 0.6),
    image_type=("ORIGINAL", "PRIMARY"),
    has_pixels=True,
    attributes={"patient_name": "Müller^Änne", "kvp": 120.0, "b_value": None, "echo": 0.0},
    synthetic_marks=("synthetic_data",),
    frame_index=3,
)


def test_headers_come_back_equal() -> None:
    odd = os.fsdecode(b"/data/caf\xe9")
    headers = (
        HEADER,
        replace(HEADER, path=odd, image_position_patient=None, pixel_spacing=None),
        replace(HEADER, attributes={"kvp": 80.0, "image": ("a", "b")}, instance_number=None),
        replace(HEADER, attributes={}, synthetic_marks=()),
    )
    assert unpack_headers(pack_headers(headers)) == headers
    assert unpack_headers(pack_headers(())) == ()


def test_fields_that_come_and_go_between_versions_do_no_harm() -> None:
    plain = json.loads(zlib.decompress(pack_headers([HEADER])))
    place = plain["fields"].index("frame_index")
    plain["fields"][place] = "of_a_newer_version"
    blob = zlib.compress(json.dumps(plain).encode())
    assert unpack_headers(blob) == (replace(HEADER, frame_index=0),)


def test_a_thousand_headers_are_small() -> None:
    many = [
        replace(
            HEADER,
            path=f"/data/IM{k:04d}",
            sop_instance_uid=f"1.2.826.0.1.3680043.8.498.{k * 7919}",
            instance_number=k,
            image_position_patient=(-120.5, -80.25, 1.25 * k),
            attributes={**HEADER.attributes, "slice_location": 1.25 * k},
        )
        for k in range(1000)
    ]
    assert len(pack_headers(many)) < 100 * len(many)
