"""What a registration found, and whether it is good enough to be proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.finding import Finding

LEAST_OVERLAP = 0.25
"""Share of the smaller volume's content that the other one must cover."""
LEAST_INFORMATION = 0.03
"""Bits of mutual information of each voxel pair below which nothing is shared."""
LEAST_PEAK = 0.05
"""By which share the found place must be better than places 12 mm or 10 degrees off it."""
LARGEST_RESIDUAL_MM = 4.0
"""Mean distance by which there and back miss; beyond it the result hangs on its start."""
DOUBTFUL_RESIDUAL_MM = 1.5


@dataclass(frozen=True, slots=True)
class RegistrationQuality:
    """Measured facts of a registration.

    Attributes:
        mutual_information_before: In bits, as the volumes lay before; 0 where they did not overlap.
        mutual_information: The same as registered.
        correlation: Pearson's coefficient of the values as registered.
        overlap_share: Share of the content of the smaller volume that lies within the other one.
        peak_share: By which share the information falls 12 mm or 10 degrees off the found place,
            on the mean; negative where it rises anywhere.
        residual_mm: Mean distance by which points miss their start when they are carried over and
            back by a second registration of its own, the other way round.
        rotation_degrees: Angle of the rotation.
        translation_mm: How far the centre of the overlap is carried.
    """

    mutual_information_before: float
    mutual_information: float
    correlation: float
    overlap_share: float
    peak_share: float
    residual_mm: float
    rotation_degrees: float
    translation_mm: float

    @property
    def facts(self) -> Mapping[str, float]:
        """The measures by name, as an alignment keeps them."""
        return {name: float(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RegistrationReport:
    """What a registration ends with.

    Attributes:
        alignment: Proposed; None where the result is not to be trusted.
        measures: What was measured.
        verdict: In words, with the numbers that decide.
        is_doubtful: Proposed, but to be looked at with care.
        findings: Of the volumes, on the way.
    """

    alignment: Alignment | None
    measures: RegistrationQuality
    verdict: str
    is_doubtful: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def quality(self) -> Mapping[str, float]:
        """The measures by name."""
        return self.measures.facts


def objection(quality: RegistrationQuality, *, one_frame: bool) -> str:
    """Say why a registration is not proposed; "" where it is.

    Args:
        quality: What was measured.
        one_frame: The volumes share a frame of reference, so that they have a place without it.
    """
    if quality.overlap_share < LEAST_OVERLAP:
        return (
            f"They overlap in {quality.overlap_share:.0%} of the smaller one, which is too little"
            f" (at least {LEAST_OVERLAP:.0%})"
        )
    if quality.mutual_information < LEAST_INFORMATION:
        return (
            f"Their values have next to nothing in common ({quality.mutual_information:.3f} bits of"
            f" mutual information)"
        )
    if quality.mutual_information <= quality.mutual_information_before and one_frame:
        return (
            "No better place was found than the one that their frame of reference gives them"
            f" ({quality.mutual_information_before:.3f} bits there,"
            f" {quality.mutual_information:.3f} here)"
        )
    if quality.peak_share < LEAST_PEAK:
        return (
            "No place stands out: 12 mm or 10 degrees off it the values agree as well"
            f" (within {max(quality.peak_share, 0.0):.0%})"
        )
    if quality.residual_mm > LARGEST_RESIDUAL_MM:
        return (
            f"There and back misses by {quality.residual_mm:.1f} mm on the mean, so the result"
            " depends on where it starts"
        )
    return ""


def judge(
    alignment: Alignment, quality: RegistrationQuality, *, one_frame: bool
) -> RegistrationReport:
    """Propose an alignment, or say why not.

    Args:
        alignment: What was found.
        quality: What was measured of it.
        one_frame: The volumes share a frame of reference.
    """
    against = objection(quality, one_frame=one_frame)
    if against:
        return RegistrationReport(None, quality, f"{against}. Nothing is proposed.")
    told = (
        f"Turned by {quality.rotation_degrees:.1f} degrees,"
        f" shifted by {quality.translation_mm:.1f} mm;"
        f" mutual information {quality.mutual_information_before:.2f} to"
        f" {quality.mutual_information:.2f} bits, overlap {quality.overlap_share:.0%},"
        f" there and back misses by {quality.residual_mm:.1f} mm"
    )
    is_doubtful = quality.residual_mm > DOUBTFUL_RESIDUAL_MM
    verdict = f"Doubtful, look closely: {told}." if is_doubtful else f"{told}."
    return RegistrationReport(alignment, quality, verdict, is_doubtful)
