"""Stack the instances of studies to volumes, or say in words why they do not stack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.series_splitting import Pile, split_series
from carez_desktop.domain.slice_order import (
    EXACT_MM,
    REGULAR_MM,
    SliceFit,
    check_corners,
    fit_slices,
    flat_geometry,
    in_plane_directions,
    slice_normal,
    stack_geometry,
)
from carez_desktop.domain.study import (
    AttributeValue,
    InstanceHeader,
    ReferencedObject,
    VolumeRecord,
)
from carez_desktop.domain.transfer_syntaxes import syntax_codec, syntax_name
from carez_desktop.domain.volume import VolumeKind

_CALCULATED_MAPS = frozenset(
    [
        "ADC",
        "EADC",
        "FA",
        "COLFA",
        "TENSOR",
        "MTT",
        "TTP",
        "RCBF",
        "RCBV",
        "CBF",
        "CBV",
        "PBP",
        "T1 MAP",
        "T2 MAP",
        "T2_STAR MAP",
        "R2_MAP",
        "PROJECTION IMAGE",
    ]
)


def stack_instances(
    headers: Iterable[InstanceHeader], objects: Sequence[ReferencedObject] = ()
) -> tuple[VolumeRecord, ...]:
    """Stack instances to volumes, one series after the other.

    Every instance ends in exactly one record, or in a finding of the record that it repeats. A
    pile that is no regular volume is a record with a `refusal`.

    Args:
        headers: Of any number of studies, in any order.
        objects: SEG, RTSTRUCT and the like; each is attached to the volumes that it refers to.
    """
    by_series: dict[str, list[InstanceHeader]] = {}
    for header in headers:
        by_series.setdefault(_series_key(header), []).append(header)
    records: list[VolumeRecord] = []
    owners: dict[str, set[int]] = {}
    for series, members in by_series.items():
        unique, doubles = _drop_doubles(members)
        piles = split_series(unique)
        for index, pile in enumerate(piles):
            volume_id = series if len(piles) == 1 else f"{series}:{index + 1}"
            record = _record(series, volume_id, index, pile)
            if doubles and index == 0:
                record = replace(record, findings=(*record.findings, _doubles(volume_id, doubles)))
            for header in (*pile.headers, *pile.dropped):
                owners.setdefault(header.sop_instance_uid, set()).add(len(records))
            owners.setdefault(series, set()).add(len(records))
            records.append(record)
    return _attach(records, owners, objects)


def stack_geometry_of(
    headers: Sequence[InstanceHeader],
) -> tuple[VolumeGeometry, SliceFit | None]:
    """Return the geometry of slices in order, and how well they fit a regular grid.

    One slice, or an image without position, has no fit; its slice step is Slice Thickness (else
    1 mm), which is for display only.

    Raises:
        ValueError: The orientation is invalid.
    """
    first = headers[0]
    shape = (len(headers), first.rows, first.columns)
    position, cosines = first.image_position_patient, first.image_orientation_patient
    if position is None or cosines is None:
        return flat_geometry(shape, first.pixel_spacing), None
    spacing = first.pixel_spacing or (1.0, 1.0)
    if len(headers) == 1:
        thickness = first.attributes.get("slice_thickness")
        height = thickness if isinstance(thickness, float) and thickness > 0 else 1.0
        step = [float(part) * height for part in slice_normal(cosines)]
        return stack_geometry(shape, position, step, cosines, spacing), None
    positions = np.array([header.image_position_patient for header in headers], dtype=np.float64)
    fit = fit_slices(positions, cosines)
    return stack_geometry(shape, position, fit.step_lps, cosines, spacing), fit


def _series_key(header: InstanceHeader) -> str:
    """Series UID, or a made-up one for the instances of a folder that have none."""
    if header.series_instance_uid:
        return header.series_instance_uid
    facts = f"{header.study_instance_uid}|{PurePath(header.path).parent}|{header.modality}"
    digest = hashlib.sha256(facts.encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _drop_doubles(
    headers: Sequence[InstanceHeader],
) -> tuple[list[InstanceHeader], list[InstanceHeader]]:
    """Keep the first file of each SOP instance, in path order."""
    seen: set[str] = set()
    unique, doubles = [], []
    for header in sorted(headers, key=lambda header: header.path):
        if header.sop_instance_uid and header.sop_instance_uid in seen:
            doubles.append(header)
            continue
        seen.add(header.sop_instance_uid)
        unique.append(header)
    return unique, doubles


def _doubles(volume_id: str, doubles: Sequence[InstanceHeader]) -> Finding:
    names = ", ".join(PurePath(header.path).name for header in doubles[:3])
    return Finding(
        Severity.WARNING,
        "duplicate_instance",
        volume_id,
        f"{len(doubles)} files repeat the SOP Instance UID of another and were left out ({names})",
    )


def _record(series: str, volume_id: str, index: int, pile: Pile) -> VolumeRecord:
    first = pile.headers[0]
    frames = first.number_of_frames if len(pile.headers) == 1 else 1
    shape = (len(pile.headers) * frames, first.rows, first.columns)
    refusal = _pixel_refusal(pile.headers)
    spacing: tuple[float, float, float] | None = None
    orientation = ""
    findings = _pile_findings(volume_id, pile)
    if not refusal:
        refusal, spacing, orientation, more = _judge_geometry(volume_id, pile.headers)
        findings.extend(more)
    attributes: dict[str, AttributeValue] = dict(first.attributes)
    attributes["transfer_syntax_uid"] = first.transfer_syntax_uid
    attributes["image_type"] = "\\".join(first.image_type)
    attributes["sop_class_uid"] = first.sop_class_uid
    return VolumeRecord(
        volume_id=volume_id,
        series_instance_uid=series,
        study_instance_uid=first.study_instance_uid,
        patient_id=str(first.attributes.get("patient_id", "")),
        modality=first.modality,
        description=str(
            first.attributes.get("series_description") or first.attributes.get("protocol_name", "")
        ),
        shape=shape,
        spacing_mm=spacing,
        orientation=orientation,
        kind=_kind(pile.headers),
        source_format="dicom",
        paths=tuple(header.path for header in pile.headers),
        frame_of_reference_uid=first.frame_of_reference_uid,
        refusal=refusal,
        split_reason=pile.reason,
        set_id=series if pile.in_set else "",
        set_index=index if pile.in_set else 0,
        findings=tuple(findings),
        attributes=attributes,
    )


def _pixel_refusal(headers: Sequence[InstanceHeader]) -> str:
    """Say why the pixels of a pile do not make a grey-value volume; "" where they do."""
    first = headers[0]
    unread = {h.transfer_syntax_uid for h in headers if not syntax_codec(h.transfer_syntax_uid)}
    if unread:
        return f"The encoding is not read: {', '.join(sorted(map(syntax_name, unread)))}"
    without = sum(not header.has_pixels for header in headers)
    if without:
        return f"{without} of {len(headers)} files have no pixel data"
    if first.rows < 1 or first.columns < 1:
        return f"The matrix is {first.rows} x {first.columns}"
    if first.number_of_frames > 1:
        return f"Multi-frame image with {first.number_of_frames} frames; it is not read yet"
    if first.attributes.get("pixel_data_kind"):
        return "Floating-point pixel data; it is not read yet"
    if first.attributes.get("modality_lut"):
        return "Its values need a Modality LUT, which is not read yet"
    if first.attributes.get("samples_per_pixel", 1.0) != 1.0:
        return "Colour image; only grey values make a volume"
    if first.attributes.get("photometric_interpretation") == "PALETTE COLOR":
        return "Palette colour image; only grey values make a volume"
    if first.attributes.get("bits_allocated") not in (8.0, 16.0, 32.0):
        bits = first.attributes.get("bits_allocated", 0.0)
        return f"Pixels of {bits:g} bits are not read" if bits else "Bits Allocated is missing"
    return ""


def _judge_geometry(
    volume_id: str, headers: Sequence[InstanceHeader]
) -> tuple[str, tuple[float, float, float] | None, str, list[Finding]]:
    """Return refusal, spacing, orientation letters and findings of a pile with pixels."""
    first = headers[0]
    findings: list[Finding] = []
    if first.pixel_spacing is None:
        if len(headers) > 1:
            return "Pixel Spacing is missing", None, "", findings
        text = "No Pixel Spacing: distances are in pixels"
        findings.append(Finding(Severity.WARNING, "no_pixel_spacing", volume_id, text))
    if first.image_orientation_patient is not None:
        try:
            in_plane_directions(first.image_orientation_patient)
        except ValueError as error:
            return f"Image Orientation (Patient) is invalid: {error}", None, "", findings
    geometry, fit = stack_geometry_of(headers)
    if first.image_position_patient is None or first.image_orientation_patient is None:
        text = "The image has no position in the patient"
        findings.append(Finding(Severity.WARNING, "no_position", volume_id, text))
        return "", geometry.spacing_mm, "", findings
    if fit is None:
        text = f"One slice: its height of {geometry.spacing_mm[0]:g} mm is for display only"
        findings.append(Finding(Severity.INFO, "single_slice", volume_id, text))
        return "", geometry.spacing_mm, geometry.orientation, findings
    refusal = _judge_grid(volume_id, headers, geometry, fit, findings)
    return refusal, None if refusal else geometry.spacing_mm, geometry.orientation, findings


def _judge_grid(
    volume_id: str,
    headers: Sequence[InstanceHeader],
    geometry: VolumeGeometry,
    fit: SliceFit,
    findings: list[Finding],
) -> str:
    """Return why slices are no regular grid, "" for one; note what is odd."""
    if fit.refusal:
        code = "gantry_tilt" if fit.refusal.startswith("Tilted") else "uneven_slices"
        findings.append(Finding(Severity.ERROR, code, volume_id, fit.refusal))
        return fit.refusal
    worst = max(check_corners(headers, geometry), fit.deviation_mm)
    if worst > REGULAR_MM:
        return f"The corners of its slices leave the grid by {worst:.3f} mm"
    if worst > EXACT_MM:
        text = f"Slices leave a regular grid by up to {worst:.3f} mm"
        findings.append(Finding(Severity.INFO, "nearly_regular", volume_id, text))
    return ""


def _pile_findings(volume_id: str, pile: Pile) -> list[Finding]:
    first = pile.headers[0]
    findings = []

    def note(severity: Severity, code: str, text: str) -> None:
        findings.append(Finding(severity, code, volume_id, text))

    if not first.series_instance_uid:
        note(Severity.WARNING, "no_series_uid", "The files have no Series Instance UID")
    if pile.dropped:
        text = f"{len(pile.dropped)} images repeat the place of another slice and were left out"
        note(Severity.WARNING, "duplicate_position", text)
    if pile.reason.startswith("matrix"):
        note(Severity.WARNING, "mixed_matrix", f"The series mixes matrix sizes: {pile.reason}")
    if any(h.attributes.get("lossy_image_compression") == "01" for h in pile.headers):
        note(Severity.WARNING, "lossy_compression", "The pixels went through a lossy compression")
    if first.attributes.get("photometric_interpretation") == "MONOCHROME1":
        note(Severity.INFO, "monochrome1", "Low values are meant to be shown bright (MONOCHROME1)")
    if "MOSAIC" in first.image_type:
        text = "Siemens mosaic: the slices lie side by side in one image"
        note(Severity.WARNING, "mosaic", text)
    return findings


def _kind(headers: Sequence[InstanceHeader]) -> VolumeKind:
    if any(header.synthetic_marks for header in headers):
        return VolumeKind.SYNTHETIC
    image_type = headers[0].image_type
    if image_type[:1] == ("DERIVED",) and _CALCULATED_MAPS.intersection(image_type):
        return VolumeKind.DERIVED
    return VolumeKind.REAL


def _attach(
    records: list[VolumeRecord],
    owners: dict[str, set[int]],
    objects: Sequence[ReferencedObject],
) -> tuple[VolumeRecord, ...]:
    """Put each object on the volumes whose series or instances it refers to."""
    for item in objects:
        for index in set().union(*(owners.get(uid, set()) for uid in item.references)):
            record = records[index]
            records[index] = replace(record, objects=(*record.objects, item))
    return tuple(records)
