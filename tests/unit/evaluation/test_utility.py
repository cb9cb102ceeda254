"""Detections counted by hand, arms with a known effect, subgroups, and refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from carez_desktop.domain.evaluation import LabelledVolume, Predictor
from carez_desktop.domain.plan import EvaluationPlan, SegmenterPlan
from carez_desktop.errors import InputError
from carez_desktop.evaluation.bias import bias_measurements, subgroup_recalls
from carez_desktop.evaluation.detection import choose_threshold, count_detections
from carez_desktop.evaluation.utility import (
    REAL,
    WITH_SYNTHETIC,
    UtilityStudy,
    lift_measurements,
    run_arms,
)

PLAN = EvaluationPlan("test", resamples=200)
SHAPE = (6, 24, 30)


def _boxes(*corners: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for z, y, x in corners:
        mask[z : z + 2, y : y + 3, x : x + 4] = True
    return mask


def test_detections_counted_by_hand() -> None:
    truth = _boxes((0, 2, 2), (3, 15, 20))
    probability = np.zeros(SHAPE)
    probability[0, 2:5, 2:6] = 0.9  # half of the first lesion: IoU 0.5
    probability[4:6, 8:10, 8:10] = 0.6  # beside any lesion
    probability[5, 23, 29] = 0.9  # one voxel: dropped
    found = count_detections(probability, truth, 0.5)
    assert (found.lesions, found.hits, found.false_positives) == (2, 1, 1)
    assert (found.voxels_true, found.voxels_hit, found.voxels_predicted) == (48, 12, 20)
    assert count_detections(probability, truth, 0.8).false_positives == 0


def test_a_prediction_that_covers_everything_finds_nothing() -> None:
    found = count_detections(np.ones(SHAPE), _boxes((0, 2, 2)), 0.5)
    assert (found.hits, found.false_positives) == (0, 1)


def test_the_threshold_keeps_to_the_allowance() -> None:
    probability = np.zeros(SHAPE)
    probability[0:2, 2:5, 2:6] = 0.95
    probability[4:6, 10:13, 10:14] = 0.42
    probability[4:6, 18:21, 20:24] = 0.22
    truth = _boxes((0, 2, 2))
    chosen = [
        choose_threshold([probability], [truth], false_positives_per_case=allowed)
        for allowed in (0.0, 1.0, 2.0)
    ]
    assert chosen == [0.45, 0.25, 0.05]


def _volume(
    patient: str, *, faint: bool = False, synthetic: bool = False, sex: str = "F"
) -> LabelledVolume:
    mask = _boxes((0, 2, 2), (3, 15, 20))
    image = mask * (50.0 if faint else 100.0)
    return LabelledVolume(patient, patient, image, mask, synthetic, {"sex": sex})


def _learner(
    cases: Sequence[LabelledVolume], *, seed: int, progress: object, cancel: object
) -> Predictor:
    """Find whatever is at least as bright as the faintest lesion that it was shown."""
    del seed, progress, cancel
    least = min(float(case.image[case.mask].min()) for case in cases)
    return lambda image: (image >= least).astype(np.float32)


def test_synthetic_faint_lesions_lift_recall_on_real_faint_ones() -> None:
    train = [_volume("t1"), _volume("t2")]
    made = [_volume("t1", faint=True, synthetic=True)]
    test = [_volume(f"p{n}", faint=n % 2 == 0, sex="FM"[n % 2]) for n in range(12)]
    study = run_arms(
        _learner,
        {REAL: train, WITH_SYNTHETIC: [*train, *made]},
        [_volume("v1")],
        test,
        SegmenterPlan(seeds=(0, 1)),
    )
    by_name = {found.name: found for found in lift_measurements(study, PLAN)}
    lift = by_name["recall_lift"]
    assert lift.value == pytest.approx(0.5)
    assert lift.n == 12
    assert lift.interval is not None
    assert 0.1 < lift.interval[0] < 0.5 < lift.interval[1] < 0.9
    assert by_name["recall_real"].value == pytest.approx(0.5)
    assert by_name["recall_with_synthetic"].value == pytest.approx(1.0)
    assert by_name["false_positive_difference"].value == 0.0
    rows = {row.level: row for row in subgroup_recalls(study)}
    assert rows["F"].recall == {REAL: 0.0, WITH_SYNTHETIC: 1.0}
    bias = {found.name: found for found in bias_measurements(study, PLAN)}
    assert bias["recall_sex_f"].n == 12
    assert bias["recall_sex_f"].interval is not None
    assert bias["gap_change_sex"].value == pytest.approx(-1.0)


def test_small_subgroups_have_no_value() -> None:
    train = [_volume("t1")]
    study = run_arms(
        _learner,
        {REAL: train, WITH_SYNTHETIC: train},
        [_volume("v1")],
        [_volume("a", sex="F"), _volume("b", sex="M")],
        SegmenterPlan(seeds=(0,)),
    )
    found = bias_measurements(study, PLAN)
    assert [entry.value for entry in found] == [None, None, None]
    assert all("at least 10" in entry.reason for entry in found[:2])


def test_patients_on_two_sides_and_synthetic_tests_are_refused() -> None:
    train, validation = [_volume("t")], [_volume("v")]
    arms = {REAL: train, WITH_SYNTHETIC: train}
    plan = SegmenterPlan(seeds=(0,))
    with pytest.raises(InputError, match="two sides"):
        run_arms(_learner, arms, validation, [_volume("t")], plan)
    with pytest.raises(InputError, match="may not be tested on"):
        run_arms(_learner, arms, validation, [_volume("x", synthetic=True)], plan)
    with pytest.raises(InputError, match="needs validation and test"):
        run_arms(_learner, arms, validation, [], plan)


def test_a_test_set_without_lesions_has_no_recall() -> None:
    empty = LabelledVolume("e", "e", np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool))
    other = LabelledVolume("f", "f", np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool))
    train = [_volume("t")]
    study = run_arms(
        _learner,
        {REAL: train, WITH_SYNTHETIC: train},
        [_volume("v")],
        [empty, other],
        SegmenterPlan(seeds=(0,)),
    )
    assert isinstance(study, UtilityStudy)
    lift = lift_measurements(study, PLAN)[0]
    assert lift.value is None
    assert lift.reason == "No lesion in the test patients"
