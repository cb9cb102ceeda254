"""Model utility: does training with the synthetic cases help on held-out real patients.

Both arms see the same real training patients, are trained alike (steps, seeds, rates fixed in the
plan), take their threshold from validation patients, and are read on the same held-out patients.
Lift is reported with patients and seeds resampled, crossed; false positives stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.evaluation import LabelledVolume, Measurement, TrainAndPredict
from carez_desktop.domain.plan import EvaluationPlan, SegmenterPlan
from carez_desktop.errors import InputError
from carez_desktop.evaluation.detection import (
    DetectionCounts,
    choose_threshold,
    count_detections,
)
from carez_desktop.evaluation.intervals import crossed_bootstrap
from carez_desktop.progress import NEVER, SILENT, CancellationToken, ProgressReporter

REAL = "real"
WITH_SYNTHETIC = "real+synthetic"

IndexArray = npt.NDArray[np.intp]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UtilityStudy:
    """What both arms did on the held-out volumes.

    Attributes:
        keys / patients: Of the test volumes, in order.
        subgroups: Attribute -> level of each test volume.
        seeds: Training seeds.
        counts: Arm -> [seed][volume].
        thresholds: Arm -> threshold of each seed, from validation.
        sizes: Arm -> training volumes.
    """

    keys: tuple[str, ...]
    patients: tuple[str, ...]
    subgroups: tuple[Mapping[str, str], ...]
    seeds: tuple[int, ...]
    counts: Mapping[str, tuple[tuple[DetectionCounts, ...], ...]]
    thresholds: Mapping[str, tuple[float, ...]]
    sizes: Mapping[str, int] = field(default_factory=dict)

    def table(self, arm: str, quantity: str) -> FloatArray:
        """Return one quantity of DetectionCounts as (volumes, seeds)."""
        rows = [[getattr(found, quantity) for found in by_seed] for by_seed in self.counts[arm]]
        return np.array(rows, dtype=np.float64).T

    def by_patient(self, arm: str, quantity: str) -> FloatArray:
        """Return one quantity summed over each patient's volumes as (patients, seeds)."""
        names = sorted(set(self.patients))
        table = self.table(arm, quantity)
        owners = np.array(self.patients)
        return np.stack([table[owners == name].sum(axis=0) for name in names])


def run_arms(
    train_and_predict: TrainAndPredict,
    arms: Mapping[str, Sequence[LabelledVolume]],
    validation: Sequence[LabelledVolume],
    test: Sequence[LabelledVolume],
    plan: SegmenterPlan,
    *,
    workers: int = 2,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> UtilityStudy:
    """Train every arm with every seed and read it on the held-out volumes.

    Args:
        train_and_predict: Trains a model on the volumes it is given.
        arms: Arm -> training volumes.
        validation: Fixes the threshold; no patient of it may be in an arm or in the test.
        test: Held-out real volumes; a synthetic one is refused.
        plan: Seeds and the allowance of false positives.
        workers: Trainings side by side, on threads; the result does not depend on it.
        progress: Told after each training.
        cancel: Checked inside each training.

    Raises:
        InputError: A synthetic test volume, or a patient on two sides.
    """
    _check_apart(arms, validation, test)
    jobs = [(arm, seed) for arm in arms for seed in plan.seeds]
    done: list[str] = []

    def train_and_read(job: tuple[str, int]) -> tuple[float, tuple[DetectionCounts, ...]]:
        arm, seed = job
        cancel.raise_if_cancelled()
        predict = train_and_predict(arms[arm], seed=seed, progress=SILENT, cancel=cancel)
        threshold = choose_threshold(
            [predict(volume.image) for volume in validation],
            [volume.mask for volume in validation],
            false_positives_per_case=plan.false_positives_per_case,
        )
        read = tuple(
            count_detections(predict(volume.image), volume.mask, threshold) for volume in test
        )
        done.append(arm)
        progress.report(len(done) / len(jobs), f"Trained arm {arm}, seed {seed}")
        return threshold, read

    with ThreadPoolExecutor(max(1, min(workers, len(jobs)))) as pool:
        results = dict(zip(jobs, pool.map(train_and_read, jobs), strict=True))
    counts = {arm: tuple(results[arm, seed][1] for seed in plan.seeds) for arm in arms}
    thresholds = {arm: tuple(results[arm, seed][0] for seed in plan.seeds) for arm in arms}
    progress.report(1.0, "Both arms trained")
    return UtilityStudy(
        keys=tuple(volume.key for volume in test),
        patients=tuple(volume.patient for volume in test),
        subgroups=tuple(volume.subgroups for volume in test),
        seeds=plan.seeds,
        counts=counts,
        thresholds=thresholds,
        sizes={arm: len(cases) for arm, cases in arms.items()},
    )


def _check_apart(
    arms: Mapping[str, Sequence[LabelledVolume]],
    validation: Sequence[LabelledVolume],
    test: Sequence[LabelledVolume],
) -> None:
    if not test or not validation:
        raise InputError(
            "A utility study needs validation and test patients",
            subject="test" if not test else "validation",
            hint="Give the cohort a split with at least three patients",
        )
    for volume in (*validation, *test):
        if volume.synthetic:
            raise InputError(
                "A synthetic volume may not be tested on",
                subject=volume.key,
                hint="Keep synthetic volumes in the training arms",
            )
    sides = [
        {volume.patient for cases in arms.values() for volume in cases},
        {volume.patient for volume in validation},
        {volume.patient for volume in test},
    ]
    shared = (sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2])
    if shared:
        raise InputError(
            "A patient stands on two sides of the split",
            subject=min(shared),
            hint="Split by patient, and make synthetic cases from training patients only",
        )


def _share(top: FloatArray, bottom: FloatArray) -> float:
    total = float(bottom.sum())
    return float(top.sum()) / total if total > 0.0 else float("nan")


def lift_measurements(study: UtilityStudy, plan: EvaluationPlan) -> tuple[Measurement, ...]:
    """Measure recall of both arms and the lift, per lesion and voxel, and false positives.

    Lift is recall with synthetic cases minus recall without, over the same patients and seeds.
    """
    patients = len(set(study.patients))
    bearing = int(np.count_nonzero(study.by_patient(REAL, "lesions")[:, 0] > 0))
    found = [
        _difference(study, plan, "recall_lift", "hits", "lesions", bearing),
        _difference(study, plan, "voxel_recall_lift", "voxels_hit", "voxels_true", bearing),
        _false_positive_difference(study, plan, patients),
    ]
    for arm, name in ((REAL, "recall_real"), (WITH_SYNTHETIC, "recall_with_synthetic")):
        hits, lesions = study.by_patient(arm, "hits"), study.by_patient(arm, "lesions")
        found.append(_one_arm(hits, lesions, name, plan, bearing))
    return tuple(found)


def _measurement(
    name: str,
    value: float,
    interval: tuple[float, float] | None,
    n: int,
    plan: EvaluationPlan,
    what: str,
    *,
    unit: str = "",
) -> Measurement:
    if not np.isfinite(value):
        return Measurement(name, None, None, n, unit=unit, reason="No lesion in the test patients")
    reason = "" if interval else "Fewer than two patients"
    if interval is not None and interval[0] == interval[1]:
        interval, reason = None, "All patients and seeds agree, so resampling says nothing"
    return Measurement(
        name,
        value,
        interval,
        n,
        unit=unit,
        confidence=plan.confidence,
        method=f"{what}; BCa bootstrap of patients and seeds, crossed",
        reference=0.0 if "lift" in name or "difference" in name else None,
        reason=reason,
    )


def _difference(
    study: UtilityStudy, plan: EvaluationPlan, name: str, top: str, bottom: str, n: int
) -> Measurement:
    tables = {
        arm: (study.by_patient(arm, top), study.by_patient(arm, bottom))
        for arm in (REAL, WITH_SYNTHETIC)
    }

    def lift(patients: IndexArray, seeds: IndexArray) -> float:
        cells = np.ix_(patients, seeds)
        with_synthetic, without = (
            _share(tables[arm][0][cells], tables[arm][1][cells]) for arm in (WITH_SYNTHETIC, REAL)
        )
        return with_synthetic - without

    rows, columns = tables[REAL][0].shape
    value = lift(np.arange(rows), np.arange(columns))
    interval = crossed_bootstrap(
        lift,
        rows,
        columns,
        resamples=plan.resamples,
        seed=plan.seed,
        confidence=plan.confidence,
    )
    return _measurement(
        name, value, interval, n, plan, "Recall with synthetic cases minus recall without"
    )


def _false_positive_difference(
    study: UtilityStudy, plan: EvaluationPlan, patients: int
) -> Measurement:
    names = sorted(set(study.patients))
    volumes = np.array([study.patients.count(name) for name in names], dtype=np.float64)
    extra = study.by_patient(WITH_SYNTHETIC, "false_positives") - study.by_patient(
        REAL, "false_positives"
    )

    def difference(chosen: IndexArray, seeds: IndexArray) -> float:
        return float(extra[np.ix_(chosen, seeds)].mean(axis=1).sum() / volumes[chosen].sum())

    rows, columns = extra.shape
    value = difference(np.arange(rows), np.arange(columns))
    interval = crossed_bootstrap(
        difference,
        rows,
        columns,
        resamples=plan.resamples,
        seed=plan.seed,
        confidence=plan.confidence,
    )
    return _measurement(
        "false_positive_difference",
        value,
        interval,
        patients,
        plan,
        "False positives per case with synthetic cases minus without",
        unit="per case",
    )


def _one_arm(
    hits: FloatArray, lesions: FloatArray, name: str, plan: EvaluationPlan, n: int
) -> Measurement:
    def recall(patients: IndexArray, seeds: IndexArray) -> float:
        cells = np.ix_(patients, seeds)
        return _share(hits[cells], lesions[cells])

    rows, columns = hits.shape
    value = recall(np.arange(rows), np.arange(columns))
    interval = crossed_bootstrap(
        recall, rows, columns, resamples=plan.resamples, seed=plan.seed, confidence=plan.confidence
    )
    return _measurement(name, value, interval, n, plan, "Lesions found over lesions")
