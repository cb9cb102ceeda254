"""Headers of images that lie where a test says, without files."""

from __future__ import annotations

from dataclasses import replace

from carez_desktop.domain.study import InstanceHeader

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLAIN = {"bits_allocated": 16.0, "samples_per_pixel": 1.0, "patient_id": "P1"}


def header(number: int, z: float | None, **changes: object) -> InstanceHeader:
    """Return the header of an axial CT slice at a height in mm; None for no place."""
    attributes = {**PLAIN, **changes.pop("facts", {})}  # type: ignore[dict-item]
    base = InstanceHeader(
        path=f"f{number:03d}",
        file_size=4096,
        modified_ns=1,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=f"1.9.{number}",
        series_instance_uid="1.2",
        study_instance_uid="1.1",
        frame_of_reference_uid="1.3",
        modality="CT",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        rows=4,
        columns=6,
        number_of_frames=1,
        instance_number=number,
        image_position_patient=None if z is None else (1.0, 2.0, z),
        image_orientation_patient=None if z is None else AXIAL,
        pixel_spacing=(0.8, 0.6),
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        has_pixels=True,
        attributes=attributes,
    )
    return replace(base, **changes)
