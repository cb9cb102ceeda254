"""Fidelity: do synthetic images look, in numbers, like what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.evaluation import Measurement
from carez_desktop.domain.plan import EvaluationPlan
from carez_desktop.evaluation.distances import FloatArray, frechet_distance, kernel_distance
from carez_desktop.evaluation.features import standardise
from carez_desktop.evaluation.intervals import mean_interval, ratio_interval, subsample_interval
from carez_desktop.evaluation.noise_texture import noise_in, uniform_patches
from carez_desktop.evaluation.scorecard import missing

_FEWEST = 5
READER_STUDY = missing("reader_study", "Nobody has read these cases yet")


@dataclass(frozen=True, slots=True)
class PairedNoise:
    """One image-conditioned low-dose case against its own source.

    Attributes:
        patient: Whom it shows; volumes of one patient are averaged before anything is concluded.
        bias_hu: Mean difference to the source in the patient, HU.
        sd_ratio: Measured over predicted deviation of the added noise; None where the source has
            too few uniform patches.
    """

    patient: str
    bias_hu: float
    sd_ratio: float | None


def compare_with_source(
    patient: str,
    source: npt.NDArray[Any],
    synthetic: npt.NDArray[Any],
    *,
    dose_fraction: float,
    mask: npt.NDArray[np.bool_],
) -> PairedNoise:
    """Compare a low-dose case with the source that it was made from.

    Quantum noise falls with the root of the dose, so at a share f the added noise has to have the
    deviation sd(source) * sqrt(1/f - 1) (P. Massoumzadeh et al., Phys Med Biol 54 (2009) 1881, with
    the electronic noise left out). Both deviations are measured in the same uniform patches.

    Args:
        patient: Key of the patient.
        source: (slice, row, column) HU.
        synthetic: (slice, row, column) HU, the same grid.
        dose_fraction: In (0, 1).
        mask: (slice, row, column), where the patient is.
    """
    added = synthetic.astype(np.float64) - source.astype(np.float64)
    bias = float(added[mask].mean()) if mask.any() else float(added.mean())
    chosen = uniform_patches(source, modality="CT")
    if chosen is None:
        return PairedNoise(patient, bias, None)
    before = noise_in(source, chosen).sd
    predicted = before * float(np.sqrt(1.0 / dose_fraction - 1.0))
    measured = noise_in(added, chosen).sd
    return PairedNoise(patient, bias, measured / predicted if predicted > 0.0 else None)


def _by_patient(pairs: Sequence[tuple[str, float]]) -> npt.NDArray[np.float64]:
    """Average the values of each patient: patients are independent, their volumes are not."""
    patients = sorted({patient for patient, _ in pairs})
    return np.array(
        [np.mean([value for owner, value in pairs if owner == patient]) for patient in patients]
    )


def paired_noise_measurements(
    pairs: Sequence[PairedNoise], plan: EvaluationPlan
) -> tuple[Measurement, ...]:
    """Summarise the comparison of low-dose cases with their sources over patients."""
    bias = _by_patient([(pair.patient, pair.bias_hu) for pair in pairs])
    ratios = _by_patient(
        [(pair.patient, pair.sd_ratio) for pair in pairs if pair.sd_ratio is not None]
    )
    one = "One patient gives no interval" if bias.size == 1 else ""
    found = [
        Measurement(
            "hu_bias",
            float(bias.mean()),
            mean_interval(bias, plan.confidence),
            int(bias.size),
            unit="HU",
            confidence=plan.confidence,
            method="Mean difference to the source in the patient; Student's t over patients",
            reference=0.0,
            reason=one,
        )
    ]
    if ratios.size:
        found.insert(
            0,
            Measurement(
                "added_noise_ratio",
                float(ratios.mean()),
                mean_interval(ratios, plan.confidence),
                int(ratios.size),
                confidence=plan.confidence,
                method=(
                    "SD of the added noise over sd(source) * sqrt(1/f - 1), same uniform patches; "
                    "Student's t over patients"
                ),
                reference=1.0,
                reason=one,
            ),
        )
    else:
        found.insert(0, missing("added_noise_ratio", "No source has 12 uniform patches"))
    return tuple(found)


def noise_against_real(
    synthetic: Sequence[tuple[str, float]],
    real: Sequence[tuple[str, float]],
    plan: EvaluationPlan,
) -> Measurement:
    """Compare the noise of synthetic low-dose CT with real low-dose CT.

    Where the same patients stand on both sides (a real low-dose acquisition of the source patient)
    the ratio is taken within each; otherwise the groups are compared, body size and tube current
    included in the difference.

    Args:
        synthetic: (patient, noise SD) of each synthetic low-dose volume, as `measure_noise` finds
            it; 0 where it found none.
        real: The same of each real low-dose volume that no generator saw.
        plan: Confidence.
    """
    name = "noise_sd_ratio_to_real"
    if not real:
        return missing(name, "The cohort has no real volume of the target cell but the sources")
    made, acquired = _sd_by_patient(synthetic), _sd_by_patient(real)
    if not made or not acquired:
        return missing(name, "Too few uniform patches to measure noise")
    shared = sorted(made.keys() & acquired.keys())
    if shared:
        logs = np.log([made[key] / acquired[key] for key in shared])
        bounds = mean_interval(logs, plan.confidence)
        interval = None if bounds is None else (float(np.exp(bounds[0])), float(np.exp(bounds[1])))
        value, n = float(np.exp(logs.mean())), len(shared)
        method = "Geometric mean of within-patient ratios; Student's t on logarithms"
    else:
        value, interval = ratio_interval(
            list(made.values()), list(acquired.values()), plan.confidence
        )
        n = min(len(made), len(acquired))
        method = "Ratio of geometric means over different patients; Welch on logarithms"
    return Measurement(
        name,
        value,
        interval,
        n,
        confidence=plan.confidence,
        method=method,
        reference=1.0,
        reason="" if interval else "One patient gives no interval",
    )


def _sd_by_patient(side: Sequence[tuple[str, float]]) -> dict[str, float]:
    kept = [(patient, sd) for patient, sd in side if sd > 0.0]
    return {
        patient: float(np.mean([sd for owner, sd in kept if owner == patient]))
        for patient, _ in kept
    }


def _kernel_measurement(
    real: FloatArray, synthetic: FloatArray, plan: EvaluationPlan
) -> Measurement:
    name = "kernel_distance"
    if min(len(real), len(synthetic)) < _FEWEST:
        return missing(
            name,
            f"Needs {_FEWEST} real and {_FEWEST} synthetic patients; there are {len(real)} and "
            f"{len(synthetic)}",
            n=min(len(real), len(synthetic)),
        )
    compared = subsample_interval(
        kernel_distance,
        real,
        synthetic,
        repeats=min(plan.resamples, 200),
        seed=plan.seed,
        confidence=plan.confidence,
    )
    text = f"KID (cubic kernel) over {real.shape[1]} features scaled by the real sample"
    if compared is None:
        return Measurement(
            name,
            kernel_distance(real, synthetic),
            None,
            min(len(real), len(synthetic)),
            method=text,
            reason="An interval and a real-to-real value need 10 real and 5 synthetic patients",
        )
    interval, within, size = compared
    return Measurement(
        name,
        kernel_distance(real, synthetic),
        interval,
        size,
        confidence=plan.confidence,
        method=text + "; subsamples without replacement at equal n, reference real to real",
        reference=within,
    )


def _frechet_measurement(
    real: FloatArray, synthetic: FloatArray, names: Sequence[str], plan: EvaluationPlan
) -> Measurement:
    columns = [place for place, name in enumerate(names) if name in plan.projection]
    text = "Frechet distance in the declared projection (" + ", ".join(plan.projection) + ")"
    if real.shape[1] < min(len(real), len(synthetic)) / 5:
        columns, text = list(range(real.shape[1])), f"Frechet distance in {real.shape[1]} features"
    needed = 5 * len(columns)
    n = min(len(real) // 2, len(synthetic))
    if not columns or n <= needed:
        return missing(
            "frechet_distance",
            f"{len(columns)} features need more than {2 * needed} real and {needed} synthetic "
            f"patients; there are {len(real)} and {len(synthetic)}",
            n=n,
        )
    compared = subsample_interval(
        frechet_distance,
        real[:, columns],
        synthetic[:, columns],
        repeats=min(plan.resamples, 200),
        seed=plan.seed,
        confidence=plan.confidence,
    )
    if compared is None:
        return missing("frechet_distance", "Fewer than 10 real patients", n=n)
    interval, within, size = compared
    return Measurement(
        "frechet_distance",
        frechet_distance(real[:, columns], synthetic[:, columns]),
        interval,
        size,
        confidence=plan.confidence,
        method=text + "; subsamples without replacement at equal n, reference real to real",
        reference=within,
    )


def distribution_measurements(
    real: FloatArray,
    synthetic: FloatArray,
    names: Sequence[str],
    plan: EvaluationPlan,
    *,
    scale_by: FloatArray | None = None,
) -> tuple[Measurement, ...]:
    """Compare the distributions of features of real and synthetic patients.

    Args:
        real: (n, d), one row per patient.
        synthetic: (m, d).
        names: (d,) of the features.
        plan: Projection, seed, confidence.
        scale_by: (k, d) real patients whose mean and deviation scale the features: a few patients
            of the target cell alone would make a unit out of chance. None takes `real`.
    """
    reference = real if scale_by is None else scale_by
    if len(reference) < 2 or not len(real) or not len(synthetic):
        reason = f"Needs real and synthetic patients; there are {len(real)} and {len(synthetic)}"
        return (missing("kernel_distance", reason), missing("frechet_distance", reason))
    scaled_real, scaled, keep = standardise(reference, np.concatenate([real, synthetic]))
    del scaled_real
    kept = [name for name, used in zip(names, keep, strict=True) if used]
    first, second = scaled[: len(real)], scaled[len(real) :]
    return (
        _kernel_measurement(first, second, plan),
        _frechet_measurement(first, second, kept, plan),
    )
