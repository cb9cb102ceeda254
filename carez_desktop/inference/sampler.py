"""Integrate dx/dt = v(x, t) from noise to data over an explicit table of times.

The sampler knows neither where a latent lies nor what computes the velocity: it asks a
`LatentSpace` for the one operation that it needs, x + a v, so that latents stay on their device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from carez_desktop.inference.schedules import Schedule

Latent = TypeVar("Latent")
Velocity = Callable[[Latent, float], Latent]
"""v(x, t); the caller owns the result and releases it."""
AfterStep = Callable[[int, int], None]
"""Called with (steps done, steps in all); may raise to stop."""


class LatentSpace(Protocol[Latent]):
    """Arithmetic on latents where they lie."""

    def add_scaled(self, x: Latent, factor: float, v: Latent) -> Latent:
        """Return x + factor * v as a new latent that the caller owns."""

    def release(self, x: Latent) -> None:
        """Give back a latent that nobody reads any more."""


class ArraySpace:
    """Latents that are plain numpy arrays; the reference for the ones on a device."""

    def add_scaled(
        self, x: npt.NDArray[Any], factor: float, v: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Return x + factor * v in the type of x."""
        return np.asarray(x + x.dtype.type(factor) * v, dtype=x.dtype)

    def release(self, x: npt.NDArray[Any]) -> None:
        """Leave it to Python."""


def integrate(
    noise: Latent,
    schedule: Schedule,
    velocity: Velocity[Latent],
    space: LatentSpace[Latent],
    *,
    after_step: AfterStep = lambda _done, _steps: None,
) -> Latent:
    """Return the latent at t = 0.

    Euler: x(s) = x(t) + (s - t) v(x, t). Heun: the mean of the velocities at both ends, the far
    one at Euler's point (Karras et al., NeurIPS 2022, algorithm 1 without churn, in t).

    Args:
        noise: Latent at the first time; it is not changed and stays the caller's.
        schedule: Sampler and table of times.
        velocity: v(x, t), guidance included.
        space: Where the latents lie.
        after_step: Called after each interval; what it raises goes through.
    """
    step = _heun_step if schedule.sampler == "heun" else _euler_step
    x = noise
    for index in range(schedule.steps):
        time, next_time = schedule.timesteps[index], schedule.timesteps[index + 1]
        following = step(x, time, next_time, velocity, space)
        if x is not noise:
            space.release(x)
        x = following
        after_step(index + 1, schedule.steps)
    return x


def guided(
    conditioned: Velocity[Latent],
    unconditioned: Velocity[Latent],
    scale: float,
    space: LatentSpace[Latent],
) -> Velocity[Latent]:
    """Return the velocity under classifier-free guidance (Ho and Salimans, 2022).

    v = v_null + w (v_condition - v_null), computed as v_condition + (w - 1)(v_condition - v_null);
    with w = 1 it is the conditioned velocity and the other one is never evaluated.
    """
    if scale == 1.0:
        return conditioned

    def velocity(x: Latent, time: float) -> Latent:
        with_condition = conditioned(x, time)
        without = unconditioned(x, time)
        difference = space.add_scaled(with_condition, -1.0, without)
        space.release(without)
        result = space.add_scaled(with_condition, scale - 1.0, difference)
        space.release(difference)
        space.release(with_condition)
        return result

    return velocity


def _euler_step(
    x: Latent,
    time: float,
    next_time: float,
    velocity: Velocity[Latent],
    space: LatentSpace[Latent],
) -> Latent:
    v = velocity(x, time)
    following = space.add_scaled(x, next_time - time, v)
    space.release(v)
    return following


def _heun_step(
    x: Latent,
    time: float,
    next_time: float,
    velocity: Velocity[Latent],
    space: LatentSpace[Latent],
) -> Latent:
    step = next_time - time
    near = velocity(x, time)
    guess = space.add_scaled(x, step, near)
    far = velocity(guess, next_time)
    space.release(guess)
    half = space.add_scaled(x, 0.5 * step, near)
    space.release(near)
    following = space.add_scaled(half, 0.5 * step, far)
    space.release(half)
    space.release(far)
    return following
