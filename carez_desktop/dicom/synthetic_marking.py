"""The marks that every synthetic image carries in DICOM (PS3.3 C.12.1, SOP Common).

(0008,001C) Synthetic Data = YES; Image Type DERIVED; a Contributing Equipment item with the
purpose (109100, DCM, "Synthesizing Equipment"), as the note on Synthetic Data recommends; a name
that starts with SYNTHETIC^; and SYNTHETIC in the series description.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from carez_desktop import __version__

NAME_PREFIX = "SYNTHETIC^"
WORD = "SYNTHETIC"
_LONGEST_LO = 64


@dataclass(frozen=True, slots=True)
class SyntheticMarks:
    """What the marks say of how an image came about.

    Attributes:
        generator: Generator or simulator and its version (`low-dose-ct 1.0.0`).
        contribution: One sentence for Contribution Description.
    """

    generator: str
    contribution: str


def mark_synthetic(dataset: Dataset, marks: SyntheticMarks) -> None:
    """Put every mark into a dataset, whatever it said before.

    Args:
        dataset: Of one image; Image Type keeps its third and later values.
        marks: What to say.
    """
    dataset.SyntheticData = "YES"
    kept = list(dataset.get("ImageType") or [])[2:]
    dataset.ImageType = ["DERIVED", "SECONDARY", *kept]
    dataset.PatientName = synthetic_name(str(dataset.get("PatientName") or ""))
    dataset.SeriesDescription = synthetic_description(str(dataset.get("SeriesDescription") or ""))
    others = list(dataset.get("ContributingEquipmentSequence") or [])
    dataset.ContributingEquipmentSequence = Sequence([*others, _equipment(marks)])


def synthetic_name(name: str) -> str:
    """Return a Patient's Name that says SYNTHETIC first; only a name already marked is kept."""
    return name if name.startswith(NAME_PREFIX) else f"{NAME_PREFIX}UNNAMED"


def synthetic_description(description: str) -> str:
    """Return a series description with SYNTHETIC in it, within the 64 characters of an LO."""
    text = description if WORD in description else f"{WORD} {description}".strip()
    return text[:_LONGEST_LO].strip()


def _equipment(marks: SyntheticMarks) -> Dataset:
    purpose = Dataset()
    purpose.CodeValue = "109100"
    purpose.CodingSchemeDesignator = "DCM"
    purpose.CodeMeaning = "Synthesizing Equipment"
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([purpose])
    item.Manufacturer = "Carez"
    item.ManufacturerModelName = "Carez Desktop"
    item.SoftwareVersions = [__version__, marks.generator[:_LONGEST_LO]]
    item.ContributionDescription = marks.contribution[:1024]
    return item
