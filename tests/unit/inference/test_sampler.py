"""Oracle: the exact transport between Gaussians, x_0 = m + s x_1, and orders of convergence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from carez_desktop.errors import CancelledError
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.sampler import ArraySpace, guided, integrate
from carez_desktop.inference.schedules import Schedule

Array = npt.NDArray[np.float64]
MEAN, SPREAD = 0.7, 0.3


def velocity(x: Array, time: float) -> Array:
    """E[noise - data | x] for data N(m, s^2), noise N(0, 1), x = (1 - t) data + t noise."""
    rest = 1.0 - time
    slope = (time - rest * SPREAD**2) / (rest**2 * SPREAD**2 + time**2)
    return slope * (x - rest * MEAN) - MEAN


def schedule(sampler: str, steps: int, scale: float = 1.0) -> Schedule:
    return Schedule(sampler, tuple(float(t) for t in np.linspace(1, 0, steps + 1)), scale)


def error(sampler: str, steps: int) -> float:
    noise = gaussian_noise(1, "case", "latent", (64,)).astype(np.float64)
    end = integrate(noise, schedule(sampler, steps), velocity, ArraySpace())
    return float(np.abs(end - (MEAN + SPREAD * noise)).max())


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_with_the_samplers_order(sampler: str, order: int) -> None:
    steps = np.array([64, 128, 256, 512])
    errors = np.array([error(sampler, int(count)) for count in steps])
    slopes = np.diff(np.log2(errors))
    assert slopes == pytest.approx([-order] * 3, abs=0.15)
    assert errors[-1] < (5e-3 if order == 1 else 5e-5)


def test_a_straight_flow_needs_one_step() -> None:
    noise = np.array([0.5, -1.0, 2.0])
    end = integrate(noise, schedule("euler", 1), lambda x, t: noise - 3.0, ArraySpace())
    assert end == pytest.approx([3.0, 3.0, 3.0], abs=1e-15)


def test_uneven_tables_are_followed_exactly() -> None:
    table = (1.0, 0.9, 0.4, 0.0)
    asked: list[float] = []

    def linear(x: Array, time: float) -> Array:
        asked.append(time)
        return np.full_like(x, time)

    euler = integrate(np.zeros(1), Schedule("euler", table), linear, ArraySpace())
    assert asked == [1.0, 0.9, 0.4]
    assert euler == pytest.approx([-(0.1 * 1.0 + 0.5 * 0.9 + 0.4 * 0.4)])
    heun = integrate(np.zeros(1), Schedule("heun", table), linear, ArraySpace())
    assert heun == pytest.approx([-0.5], abs=1e-15)  # the trapezoid is exact for v = t


def test_guidance_extrapolates_from_the_null_condition() -> None:
    space = ArraySpace()
    calls: list[str] = []

    def conditioned(x: Array, time: float) -> Array:
        calls.append("conditioned")
        return np.full_like(x, 3.0)

    def null(x: Array, time: float) -> Array:
        calls.append("null")
        return np.full_like(x, 1.0)

    for scale in (0.0, 1.0, 2.5):
        value = guided(conditioned, null, scale, space)(np.zeros(2), 0.5)
        assert value == pytest.approx([1.0 + scale * 2.0] * 2)
    assert calls == ["conditioned", "null", "conditioned", "conditioned", "null"]


def test_every_latent_is_released_but_the_result() -> None:
    class CountingSpace(ArraySpace):
        def __init__(self) -> None:
            self.alive: set[int] = set()
            self.kept: list[Array] = []
            self.most = 0

        def own(self, x: Array) -> Array:
            self.kept.append(x)
            self.alive.add(id(x))
            self.most = max(self.most, len(self.alive))
            return x

        def add_scaled(self, x: Array, factor: float, v: Array) -> Array:
            return self.own(super().add_scaled(x, factor, v))

        def release(self, x: Array) -> None:
            self.alive.remove(id(x))

    for sampler, scale, most in (("euler", 1.0, 3), ("heun", 1.0, 5), ("heun", 3.0, 6)):
        space = CountingSpace()

        def owned(x: Array, time: float, space: CountingSpace = space) -> Array:
            return space.own(velocity(x, time))

        flow = guided(owned, owned, scale, space)
        end = integrate(np.ones(2), schedule(sampler, 5), flow, space)
        assert space.alive == {id(end)}
        assert space.most <= most


def test_progress_comes_by_step_and_can_stop_it() -> None:
    seen: list[tuple[int, int]] = []

    def stop_at_two(done: int, steps: int) -> None:
        seen.append((done, steps))
        if done == 2:
            raise CancelledError("Cancelled")

    with pytest.raises(CancelledError):
        integrate(np.ones(2), schedule("euler", 4), velocity, ArraySpace(), after_step=stop_at_two)
    assert seen == [(1, 4), (2, 4)]
