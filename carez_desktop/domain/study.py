"""What the library knows: instances, the volumes that they stack to, and what an import did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carez_desktop.domain.finding import Finding
from carez_desktop.domain.volume import SliceAxis, VolumeKind

AttributeValue = str | float | None
"""A DICOM attribute kept by the library under its keyword in snake_case."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What import keeps of one DICOM image, or of one frame of it; read without its pixels.

    A multi-frame object whose frames have places of their own (functional groups, NM detectors)
    gives one header for each frame, with `number_of_frames` 1. One whose frames are moments of the
    same view (ultrasound, angiography) stays one header with their number.

    Attributes:
        path: Absolute path of the file.
        number_of_frames: Of how many frames, from `frame_index` on, this header speaks.
        frame_index: Which frame of the file, from 0.
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
    frame_index: int = 0


@dataclass(frozen=True, slots=True)
class ReferencedObject:
    """A SEG, RTSTRUCT, SR, PR or KO of the study: recognised and listed, not stacked.

    Attributes:
        sop_class: What it is, in words (`Segmentation`).
        references: Series UIDs that it refers to, then SOP Instance UIDs, each sorted.
        label: Its title: Content Label, Structure Set Label, Document Title or the title's code.
        description: Content description, and the names of its segments or regions.
        series_description: Of its own series.
        referenced_series: How many of `references` are series.
        referenced_instances: How many of `references` are instances.
    """

    sop_class: str
    sop_instance_uid: str
    series_instance_uid: str
    references: tuple[str, ...]
    path: str
    label: str = ""
    description: str = ""
    series_description: str = ""
    referenced_series: int = 0
    referenced_instances: int = 0


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
        paths: One file for each slice, in slice order; a multi-frame file is named once for each
            of its frames.
        frame_indices: Which frame of its file each slice is, from 0; empty where all are 0.
        slices_only: Whether its slices can be shown at their true positions, and resampled on a
            regular grid, although it is refused as a volume (tilt, uneven gaps).
        slice_axis: What runs from slice to slice: space, or time for a cine.
        samples: 1 for grey values, 3 for colour (palette colour too).
        attributes: Keywords in snake_case of the first instance (as InstanceHeader.attributes).
        labels: Outcomes joined from a CSV.
        tags: Words that a person put on it.
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
    frame_indices: tuple[int, ...] = ()
    slices_only: bool = False
    slice_axis: SliceAxis = SliceAxis.SPACE
    samples: int = 1
    tags: tuple[str, ...] = ()

    def frame_of(self, index: int) -> tuple[str, int]:
        """Return the file of a slice and which of its frames the slice is, from 0."""
        return self.paths[index], self.frame_indices[index] if self.frame_indices else 0


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that import could not read, and why.

    Attributes:
        series_instance_uid: The series that it belongs to, where that much could be read.
    """

    path: str
    reason: str
    series_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """What became of the image files that one import met.

    Attributes:
        new: Read for the first time.
        unchanged: Known with this size and time of change, and not opened.
        changed: Known, and read again because size or time differ.
        moved: Known from another place where they no longer are.
        gone: Known below the imported folders and no longer there.
        returned: Gone earlier, and there again.
    """

    new: int = 0
    unchanged: int = 0
    changed: int = 0
    moved: int = 0
    gone: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one import did.

    Attributes:
        series: Volumes of the files that were met, new and known ones.
    """

    studies: int
    series: tuple[VolumeRecord, ...]
    unreadable: tuple[UnreadableFile, ...]
    findings: tuple[Finding, ...]
    seconds: float
    files: FileCounts = FileCounts()
