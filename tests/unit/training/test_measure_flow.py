"""Figures of the model card on sets whose answer is known, and the card's text."""

from __future__ import annotations

import numpy as np
import pytest

from carez_desktop.training.flow_sampling import Samples
from carez_desktop.training.hippocampus_data import BOX
from carez_desktop.training.measure_flow import (
    Choice,
    copy_figures,
    distribution_figures,
    histogram_distance,
    label_contrast,
    main_component_share,
    mean_pair_correlation,
    nearest_correlations,
    response,
    sharpness,
    uniform_requests,
)
from carez_desktop.training.model_card import CardFacts, write_card

RANGES = {"anterior_volume_mm3": (1000.0, 2000.0), "posterior_volume_mm3": (900.0, 1200.0)}


def _images(seed: int, count: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).random((count, *BOX), dtype=np.float32)


def test_histogram_distance_of_a_shift_is_the_shift():
    images = 0.5 * _images(1)
    assert histogram_distance(images, images) == 0.0
    assert histogram_distance(images, images + 0.25) == pytest.approx(0.25, abs=1e-6)


def test_sharpness_of_a_ramp_is_its_slope_over_three_axes():
    ramp = np.broadcast_to(np.arange(BOX[1])[None, None, :, None] * 0.01, (2, *BOX))
    np.testing.assert_allclose(sharpness(ramp.astype(np.float32)), 0.01 / 3.0, rtol=1e-4)


def test_a_copy_is_found_whatever_its_brightness():
    training = _images(2)
    images = np.concatenate([0.3 * training[:1] + 0.1, _images(3, 1)])
    nearest = nearest_correlations(images, training)
    assert nearest[0] == pytest.approx(1.0, abs=1e-5)
    assert abs(nearest[1]) < 0.05
    figures = copy_figures(training, _images(4), images)
    assert figures["generated_above_limit"] == 1


def test_a_set_of_equal_volumes_has_pair_correlation_one():
    one = np.repeat(_images(5, 1), 3, axis=0)
    assert mean_pair_correlation(one) == pytest.approx(1.0)
    assert abs(mean_pair_correlation(_images(5))) < 0.05


def test_response_of_a_known_line():
    requested = np.linspace(1000.0, 2000.0, 50)
    found = response(requested, 100.0 + 0.5 * requested)
    assert found.slope == pytest.approx(0.5)
    assert found.r_squared == pytest.approx(1.0)
    assert found.bias_mm3 == pytest.approx(-650.0)
    assert found.slope_interval == pytest.approx((0.5, 0.5))


def test_label_figures():
    labels = np.zeros((1, *BOX), np.uint8)
    labels[0, 10:14, 10:14, 10:14] = 1
    labels[0, 20:24, 20:22, 10:12] = 2
    samples = Samples(np.where(labels > 0, 0.75, 0.25).astype(np.float32), labels)
    assert label_contrast(samples)[0] == pytest.approx(0.5)
    assert main_component_share(samples)[0] == pytest.approx(64 / 80)
    np.testing.assert_array_equal(samples.volumes_mm3(), [[64.0, 16.0]])


def test_requests_stay_inside_the_ranges_and_repeat():
    requests = uniform_requests(RANGES, 100, seed=1)
    assert (requests.min(axis=0) >= [1000.0, 900.0]).all()
    assert (requests.max(axis=0) <= [2000.0, 1200.0]).all()
    np.testing.assert_array_equal(requests, uniform_requests(RANGES, 100, seed=1))


@pytest.mark.parametrize(
    ("choice", "evaluations"),
    [
        (Choice("euler", 8, 1.0), 8),
        (Choice("heun", 4, 1.0), 8),
        (Choice("heun", 4, 2.0), 16),
    ],
)
def test_evaluations_are_counted(choice, evaluations):
    assert choice.evaluations == evaluations
    assert (choice.times[0], choice.times[-1]) == (1.0, 0.0)
    assert np.diff(choice.times) == pytest.approx(-1.0 / choice.steps)


def test_the_card_holds_the_figures():
    samples = Samples(_images(7), (_images(8) > 0.5).astype(np.uint8))
    part = {"contrast": {"mean": 0.0}, "main_component": {"mean": 1.0}}
    found = vars(response(np.arange(5.0), np.arange(5.0) * 0.8))
    row = {
        "sampler": "heun",
        "steps": 8,
        "guidance": 1.0,
        "evaluations": 16,
        "kernel_distance": 0.1,
        "sharpness": 1.1,
        "volume_error_mm3": 123.0,
    }
    card = write_card(
        CardFacts(
            counts={"training": 10, "validation": 3, "unseen": 4},
            groups=9,
            parameters=1_806_704,
            steps=5,
            minutes=2.0,
            batch=8,
            machine="one core",
            validation=[0.5],
            choices=[row],
            chosen=row,
            figures={
                "n": {"unseen": 4, "generated": 6},
                "distribution": distribution_figures(_images(9), _images(10), samples.images),
                "copies": copy_figures(_images(9), _images(10), samples.images),
                "labels": {"unseen": part, "generated": part},
                "response": {"anterior_volume_mm3": found},
                "response_n": 64,
            },
            ranges=RANGES,
            seconds=1.5,
            label_threshold=-0.25,
        )
    )
    for words in (
        "1,806,704",
        "-0.25",
        "heun **(taken)**",
        "slope 0.80",
        "17 volumes",
        "1000 to 2000",
    ):
        assert words in card
