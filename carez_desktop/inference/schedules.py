"""Sampling schedules: the sampler's name and its explicit table of times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from carez_desktop.errors import ModelError

SAMPLERS = ("euler", "heun")
_MAXIMUM_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the flow is integrated from noise (t = 1) to data (t = 0).

    Attributes:
        sampler: `euler` (one evaluation an interval) or `heun` (two).
        timesteps: Strictly decreasing from 1 to 0; n + 1 times for n intervals.
        guidance_scale: Weight w of classifier-free guidance, v_null + w (v_condition - v_null);
            1 evaluates the conditioned velocity only.
    """

    sampler: str
    timesteps: tuple[float, ...]
    guidance_scale: float = 1.0

    @property
    def steps(self) -> int:
        """Intervals of the table."""
        return len(self.timesteps) - 1

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for one case."""
        each = (2 if self.sampler == "heun" else 1) * (1 if self.guidance_scale == 1.0 else 2)
        return self.steps * each


def read_schedule(config: Mapping[str, Any], *, subject: str) -> Schedule:
    """Read `scheduler/scheduler_config.json`.

    Args:
        config: `sampler`, `timesteps` and, if not 1, `guidance_scale`.
        subject: Name of the file, for the error.

    Raises:
        ModelError: Naming the key that is missing or wrong.
    """
    sampler = config.get("sampler")
    if sampler not in SAMPLERS:
        raise _refuse(f"sampler is {sampler!r}; known are {', '.join(SAMPLERS)}", subject)
    times = config.get("timesteps")
    if not isinstance(times, Sequence) or isinstance(times, str) or not _are_numbers(times):
        raise _refuse("timesteps is no table of numbers", subject)
    table = tuple(float(time) for time in times)
    if not 2 <= len(table) <= _MAXIMUM_STEPS or table[0] != 1.0 or table[-1] != 0.0:
        raise _refuse("timesteps has to run from 1 to 0", subject)
    if any(later >= earlier for earlier, later in pairwise(table)):
        raise _refuse("timesteps has to decrease at every step", subject)
    scale = config.get("guidance_scale", 1.0)
    if not _are_numbers((scale,)) or not 0.0 <= float(scale) <= 100.0:
        raise _refuse(f"guidance_scale is {scale!r}, not a number from 0 to 100", subject)
    return Schedule(str(sampler), table, float(scale))


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )


def _refuse(what: str, subject: str) -> ModelError:
    return ModelError(
        f"The schedule cannot be used: {what}", subject=subject, hint="Install the package again"
    )
