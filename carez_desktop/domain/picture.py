"""What must be said of a picture or a cine that leaves the workstation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from carez_desktop.domain.finding import Finding, Severity

SYNTHETIC_TEXT = "SYNTHETIC"
SIMULATED_TEXT = "SIMULATED"
_MAY_BE_BURNT_IN = frozenset(("US", "SC", "OT", "XA", "RF", "ES", "XC", "IVUS", "ECG"))
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Of what the pixels are.

    Attributes:
        volume_ids: Volumes that are to be seen.
        modality: Of the base layer.
        is_synthetic: Whether any layer that is to be seen is synthetic.
        is_stand_in: Whether one is simulated and plays the part of a real one.
        shows_identity: Whether the corner texts name the patient.
        burned_in: Burned In Annotation of the source (0028,0301): `YES`, `NO` or "".
        lossy: Whether a source was compressed with loss.
        mm_per_pixel: Of the picture; 0 where pixels have no size.
    """

    volume_ids: tuple[str, ...]
    modality: str = ""
    is_synthetic: bool = False
    is_stand_in: bool = False
    shows_identity: bool = False
    burned_in: str = ""
    lossy: bool = False
    mm_per_pixel: float = 0.0

    @property
    def badge(self) -> str:
        """What is burnt into the pixels; "" for real images."""
        if self.is_synthetic:
            return SYNTHETIC_TEXT
        return SIMULATED_TEXT if self.is_stand_in else ""

    def texts(self, producer: str) -> dict[str, str]:
        """Return the words that are written into the file beside the pixels; no identity.

        The names of the first three are those of DICOM attributes: Synthetic Data (0008,001C),
        Patient Identity Removed (0012,0062), Lossy Image Compression (0028,2110).

        Args:
            producer: Name and version of the program.
        """
        marked = self.badge
        texts = {
            "Synthetic Data": "YES" if marked else "NO",
            "Patient Identity Removed": "NO" if self.shows_identity else "YES",
            "Lossy Image Compression": "01" if self.lossy else "00",
            "Software": producer,
            "Comment": "Research use only; not for diagnosis",
        }
        if marked:
            texts["Warning"] = f"{marked}: this image does not show a patient as he or she was"
        if self.modality:
            texts["Modality"] = self.modality
        if self.mm_per_pixel > 0.0:
            texts["Millimetres per pixel"] = f"{self.mm_per_pixel:.6g}"
        return texts

    def findings(self, subject: str) -> tuple[Finding, ...]:
        """Say what a person should know before handing the file on."""
        found = []
        if self.shows_identity:
            text = "The corner texts in this picture name the patient"
            found.append(Finding(Severity.WARNING, "identity_shown", subject, text))
        if self.burned_in == "YES":
            text = "The source says that words are burnt into its pixels; they may name the patient"
            found.append(Finding(Severity.WARNING, "burned_in", subject, text))
        elif not self.burned_in and self.modality in _MAY_BE_BURNT_IN:
            text = (
                f"{self.modality} images often carry words in their pixels and this source does not"
                " say whether it does: look for names before you hand it on"
            )
            found.append(Finding(Severity.WARNING, "burned_in", subject, text))
        return tuple(found)

    def file_name(self, when: datetime, suffix: str) -> str:
        """Return a name that says nothing of the patient: `carez-ct-20260131-235959.png`."""
        words = ("carez", self.badge, self.modality, when.strftime("%Y%m%d-%H%M%S"))
        kept = (_NOT_IN_NAMES.sub("-", word.lower()).strip("-") for word in words)
        return "-".join(word for word in kept if word) + suffix
