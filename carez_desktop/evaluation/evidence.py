"""What an evaluation rests on: images reduced to features, and what was done with the cases.

Volumes are read one after another and reduced here, so that a cohort never has to fit in memory.
Patient keys stay on the site: nothing of this record goes into a report or bundle by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.generation import SHOWS_ANATOMY
from carez_desktop.domain.volume import Volume
from carez_desktop.evaluation.features import volume_features
from carez_desktop.evaluation.fidelity import PairedNoise
from carez_desktop.evaluation.memorization import thumbnail_cube
from carez_desktop.evaluation.utility import UtilityStudy


@dataclass(frozen=True, eq=False)
class ImageEvidence:
    """One image, reduced.

    Attributes:
        key: Volume id or case id.
        patient: Whom it shows; for a case its source's patient, or "" for nobody.
        strata: Coverage axis -> level.
        features: As `volume_features`.
        cube: As `thumbnail_cube`.
    """

    key: str
    patient: str
    modality: str
    strata: Mapping[str, str]
    features: Mapping[str, float]
    cube: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CaseEvidence:
    """One synthetic case, reduced.

    Attributes:
        source_key: Volume id of its source where this site has it, or "".
        paired: Comparison with that source, for low-dose CT.
        record: Generation record.
    """

    image: ImageEvidence
    generator_id: str
    privacy_class: str
    source_key: str = ""
    paired: PairedNoise | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_conditioned(self) -> bool:
        """Whether it shows a patient's anatomy by design."""
        return self.privacy_class in SHOWS_ANATOMY


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the axes are computed from.

    Attributes:
        real: Real volumes of the cohort.
        cases: Synthetic cases.
        outcomes: How the cases that were made again compare (`identical`, ...).
        utility: Both arms on held-out patients, or None.
        utility_reason: Why there is none.
    """

    real: tuple[ImageEvidence, ...]
    cases: tuple[CaseEvidence, ...]
    outcomes: tuple[str, ...] = ()
    utility: UtilityStudy | None = None
    utility_reason: str = "No model was trained; carez pilot trains both arms"


def reduce_image(
    volume: Volume, *, key: str, patient: str, strata: Mapping[str, str]
) -> ImageEvidence:
    """Reduce a volume to its features and its cube.

    Args:
        volume: (slice, row, column).
        key: Volume id or case id.
        patient: Whom it shows.
        strata: Coverage axis -> level.
    """
    return ImageEvidence(
        key=key,
        patient=patient,
        modality=volume.modality,
        strata=dict(strata),
        features=volume_features(volume),
        cube=thumbnail_cube(volume.array),
    )
