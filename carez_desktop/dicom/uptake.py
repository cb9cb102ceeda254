"""PET in standardised uptake values while it is read: the factor first, the check at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from carez_desktop.dicom.modality_values import Rescale
from carez_desktop.dicom.slice_reading import LoadedSlices
from carez_desktop.dicom.slice_source import SliceSource
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.suv import suv_scale


class SuvReading:
    """What is known of the uptake while a record is read.

    Attributes:
        is_pet: Whether the question arises.
        factor: By what modality values were multiplied; 1.0 where it is not known.
        is_suv: Whether the voxels are SUV by body weight.
        findings: Why not, or what was assumed.
    """

    def __init__(self, record: VolumeRecord) -> None:
        """Nothing is known yet."""
        self.is_pet = record.modality == "PT" and record.samples == 1
        self.factor = 1.0
        self.is_suv = False
        self.findings: tuple[Finding, ...] = ()
        self._subject = record.volume_id

    def first_factor(self, source: SliceSource) -> float:
        """Return the factor that the first slice's header gives; 1.0 where it gives none."""
        if self.is_pet:
            factors = suv_scale([source.instance]).factors
            self.factor = factors[0] if factors else 1.0
            self.is_suv = bool(factors)
        return self.factor

    def settle(self, loaded: LoadedSlices) -> None:
        """Compare with the factors of all slices once their headers are known.

        Slices whose factor differs from the first one's are corrected; if one has none, all go
        back to what the files say.
        """
        if not self.is_pet:
            return
        headers: list[InstanceHeader] = [source.instance for source in loaded.sources]
        scale = suv_scale(headers)
        used, self.is_suv = self.factor, bool(scale.factors)
        factors = scale.factors or (1.0,) * len(headers)
        changes = [factor / used for factor in factors]
        if not np.allclose(changes, 1.0, rtol=1e-9, atol=0.0):
            self._correct(loaded, changes)
        self.factor = factors[loaded.reference]
        self.findings = tuple(self._note(text, failed=not scale.factors) for text in scale.reasons)
        if scale.factors:
            self.findings += tuple(self._note(text, failed=False) for text in scale.notes)

    @staticmethod
    def _correct(loaded: LoadedSlices, changes: Sequence[float]) -> None:
        if loaded.array.dtype.kind != "f":
            loaded.array = loaded.array.astype(np.float32)
        for index, change in enumerate(changes):
            loaded.array[index] *= np.float64(change)
            source = loaded.sources[index]
            rescale = source.transform.rescale
            rescale = Rescale(rescale.slope * change, rescale.intercept * change)
            transform = replace(source.transform, rescale=rescale)
            loaded.sources[index] = replace(source, transform=transform)

    def _note(self, text: str, *, failed: bool) -> Finding:
        if failed:
            words = f"No SUV: {text}"
            return Finding(Severity.WARNING, "suv_not_computed", self._subject, words)
        return Finding(Severity.INFO, "suv", self._subject, text)
