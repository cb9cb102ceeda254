"""Whether an imported volume is real, synthetic, or a simulated study that plays real.

A study is synthetic if it carries a mark, if one of its UIDs was issued here for a synthetic
image, or if its UIDs lie below the site's own root (DESIGN section 8). Only in a home that says so
may a simulated study with every mark stand in for a real one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.volume import VolumeKind

ALL_MARKS = ("synthetic_data", "synthesizing_equipment", "patient_name", "series_description")
"""What `InstanceHeader.synthetic_marks` names where nothing was stripped."""

STAND_IN_ATTRIBUTE = "stand_in"
BY_PIXELS = "synthetic_by_pixels"


def judge_origin(
    record: VolumeRecord,
    headers: Sequence[InstanceHeader],
    *,
    issued: Collection[str],
    uid_root: str = "",
    stand_in: bool = False,
) -> VolumeRecord:
    """Return the record with its kind, and a finding where its marks are not what they should be.

    Args:
        record: As stacked; a kind other than real is kept.
        headers: Of its instances; none for a NIfTI or NRRD file.
        issued: UIDs that were issued here for synthetic images.
        uid_root: The site's own UID root; "" for none.
        stand_in: Whether this import brings simulated studies that play real.
    """
    known = _is_issued(record, headers, issued)
    marks = _shared_marks(headers)
    if stand_in and not known and set(ALL_MARKS) <= marks:
        return replace(
            record,
            kind=VolumeKind.REAL,
            attributes={**record.attributes, STAND_IN_ATTRIBUTE: "yes"},
        )
    below_root = bool(uid_root) and record.series_instance_uid.startswith(f"{uid_root}.")
    if not (known or below_root or record.kind is VolumeKind.SYNTHETIC):
        return record
    missing = [mark for mark in ALL_MARKS if mark not in marks]
    findings = record.findings
    if headers and missing:
        findings = (*findings, _stripped(record, missing))
    return replace(record, kind=VolumeKind.SYNTHETIC, findings=findings)


def caught_by_pixels(record: VolumeRecord, origin: str) -> VolumeRecord:
    """Return a volume that was taken for real as synthetic, because its pixels were made here."""
    return replace(
        record,
        kind=VolumeKind.SYNTHETIC,
        findings=(
            *record.findings,
            Finding(
                Severity.WARNING,
                BY_PIXELS,
                record.volume_id,
                f"Its pixels were generated here ({origin}) and its marks were removed: it is "
                "counted as synthetic",
            ),
        ),
    )


def _is_issued(
    record: VolumeRecord, headers: Sequence[InstanceHeader], issued: Collection[str]
) -> bool:
    return record.series_instance_uid in issued or any(
        header.sop_instance_uid in issued or header.study_instance_uid in issued
        for header in headers
    )


def _shared_marks(headers: Sequence[InstanceHeader]) -> set[str]:
    """Marks that every instance carries."""
    if not headers:
        return set()
    return set.intersection(*(set(header.synthetic_marks) for header in headers))


def _stripped(record: VolumeRecord, missing: Sequence[str]) -> Finding:
    return Finding(
        Severity.WARNING,
        "synthetic_marks_incomplete",
        record.volume_id,
        f"A synthetic volume without every mark (missing: {', '.join(missing)}); it is counted as "
        "synthetic",
    )
