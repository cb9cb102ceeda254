"""What lists and panels say of a record of the library."""

from __future__ import annotations

from pathlib import PurePath

from carez_desktop.domain.finding import Severity, counted
from carez_desktop.domain.study import AttributeValue, ReferencedObject, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, VolumeKind
from carez_desktop.rendering.annotations_text import size_text, spacing_text

_GONE_CODES = frozenset({"files_gone"})


def kind_text(record: VolumeRecord, *, stand_in: bool) -> str:
    """Name the kind; a simulated study that plays real is never called real."""
    if stand_in and record.kind is VolumeKind.REAL:
        return "simulated"
    return record.kind.value


def opens(record: VolumeRecord) -> bool:
    """Whether the View page can show it: as a volume, or slice by slice."""
    return not record.refusal or record.slices_only


def gone_text(record: VolumeRecord) -> str:
    """Say that its files are gone; "" while they are there."""
    return next((f.text for f in record.findings if f.code in _GONE_CODES), "")


def size_of(record: VolumeRecord) -> str:
    """Write the size; frames of a cine by their name."""
    slices, rows, columns = record.shape
    if record.slice_axis is SliceAxis.TIME:
        return f"{columns} \N{MULTIPLICATION SIGN} {rows}, {slices} frames"
    return size_text(record.shape)


def object_text(item: ReferencedObject) -> str:
    """Name an object by what it is and its title, else its file."""
    title = item.label or item.description or item.series_description or PurePath(item.path).name
    return f"{item.sop_class}   {title}"


def place_text(item: ReferencedObject) -> str:
    """Say to how much an object refers, and where it lies."""
    parts = []
    if item.referenced_series:
        parts.append(counted(item.referenced_series, "series", "series"))
    if item.referenced_instances:
        parts.append(counted(item.referenced_instances, "image"))
    refers = f"Refers to {' and '.join(parts)}\n" if parts else ""
    description = f"{item.description}\n" if item.description else ""
    return f"{description}{refers}{item.path}"


def is_positioned(record: VolumeRecord) -> bool:
    """Whether the source says where it lies in the patient."""
    return bool(record.orientation) or record.source_format != "dicom"


def is_calibrated(record: VolumeRecord) -> bool:
    """Whether the source says how large its pixels are."""
    if record.slices_only:
        return True
    unscaled = any(finding.code == "no_pixel_spacing" for finding in record.findings)
    return record.spacing_mm is not None and not unscaled


def spacing_of(record: VolumeRecord) -> str:
    """Write the spacing; "" where the source gives no scale."""
    return spacing_text(record.spacing_mm) if is_calibrated(record) else ""


def series_text(record: VolumeRecord) -> str:
    """Name a series."""
    if record.description:
        return record.description
    return f"{record.modality} series" if record.modality else "Series"


def patient_text(record: VolumeRecord) -> str:
    """Name a patient: identifier, name, sex, age."""
    parts = [record.patient_id or "Patient without identifier"]
    name = str(record.attributes.get("patient_name") or "").replace("^", " ").strip()
    sex = str(record.attributes.get("patient_sex") or "")
    age = _age_text(record.attributes.get("patient_age"))
    parts += [part for part in (name if name != record.patient_id else "", sex, age) if part]
    return "   ".join(parts)


def _age_text(age: AttributeValue) -> str:
    if age is None or age == "":
        return ""
    return f"{age:g} years" if isinstance(age, float) else str(age)


def study_text(record: VolumeRecord) -> str:
    """Name a study: date and description."""
    date = str(record.attributes.get("study_date") or "")
    if len(date) == 8 and date.isdigit():
        date = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    words = str(record.attributes.get("study_description") or "").strip()
    return "   ".join(part for part in (date, words) if part) or "Study"


def finding_text(record: VolumeRecord) -> str:
    """Say what is odd, the reason why it does not open first."""
    gone = gone_text(record)
    if gone:
        return gone
    if record.refusal:
        what = "slices only" if record.slices_only else "not a volume"
        return f"{what}: {record.refusal}"
    count = sum(finding.severity is not Severity.INFO for finding in record.findings)
    notes = len(record.findings) - count
    parts = [f"{count} finding{'s' if count > 1 else ''}"] if count else []
    parts += [f"{notes} note{'s' if notes > 1 else ''}"] if notes else []
    return ", ".join(parts)
