"""What the library knows: instances, the volumes that they stack to, and what an import did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.volume import VolumeKind

AttributeValue = str | float | None
"""A DICOM attribute kept by the library under its keyword in snake_case."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What import keeps of one DICOM instance; read without its pixels.

    Attributes:
        path: Absolute path of the file.
        image_position_patient: Centre of the first pixel, LPS mm; None for 2-D without position.
        image_orientation_patient: Cosines of the row direction (along increasing column),
            then of the column direction (along increasing row): PS3.3 C.7.6.2.1.1.
        pixel_spacing: (between rows, between columns) in mm: PS3.3 10.7.1.3.
        attributes: Further keywords in snake_case (patient_id, patient_name, patient_sex,
            patient_age, manufacturer, manufacturer_model_name, slice_thickness, kvp, exposure,
            x_ray_tube_current, magnetic_field_strength, convolution_kernel, series_description,
            study_date, body_part_examined, rescale_slope, window_center, ...).
        synthetic_marks: Which marks of a synthetic study it carries (empty for a real one).
    """

    path: str
    file_size: int
    modified_ns: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    modality: str
    transfer_syntax_uid: str
    rows: int
    columns: int
    number_of_frames: int
    instance_number: int | None
    image_position_patient: tuple[float, float, float] | None
    image_orientation_patient: tuple[float, float, float, float, float, float] | None
    pixel_spacing: tuple[float, float] | None
    image_type: tuple[str, ...]
    has_pixels: bool
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    synthetic_marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferencedObject:
    """A SEG, RTSTRUCT, SR, PR or KO of the study: recognised and listed, not stacked."""

    sop_class: str
    sop_instance_uid: str
    series_instance_uid: str
    references: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """One stackable volume (or one image, or one refused stack) of a series.

    Attributes:
        volume_id: `<series uid>[:k]`, or `2.25.<n>` for a NIfTI or NRRD file.
        shape: (slices, rows, columns).
        spacing_mm: (slice, row, column); None where the stack is not a regular volume.
        orientation: Dominant letters of the slice, row and column axis (`SPL`), or "".
        refusal: Why it does not load as a volume; "" for one that does.
        split_reason: Why the series became several volumes; "" for one.
        paths: Files in slice order.
        attributes: Keywords in snake_case of the first instance (as InstanceHeader.attributes).
        labels: Outcomes joined from a CSV.
    """

    volume_id: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    modality: str
    description: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    orientation: str
    kind: VolumeKind
    source_format: str
    paths: tuple[str, ...]
    frame_of_reference_uid: str = ""
    refusal: str = ""
    split_reason: str = ""
    set_id: str = ""
    set_index: int = 0
    findings: tuple[Finding, ...] = ()
    objects: tuple[ReferencedObject, ...] = ()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that import could not read, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one import did."""

    studies: int
    series: tuple[VolumeRecord, ...]
    unreadable: tuple[UnreadableFile, ...]
    findings: tuple[Finding, ...]
    seconds: float
