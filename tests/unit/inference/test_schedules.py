"""Tables of times are taken as written, or refused naming the key."""

from __future__ import annotations

from typing import Any

import pytest

from carez_desktop.errors import ModelError
from carez_desktop.inference.schedules import Schedule, read_schedule


def test_the_table_is_taken_as_written() -> None:
    config = {"sampler": "heun", "timesteps": [1, 0.7, 0.05, 0], "guidance_scale": 2}
    schedule = read_schedule(config, subject="s")
    assert schedule == Schedule("heun", (1.0, 0.7, 0.05, 0.0), 2.0)
    assert (schedule.steps, schedule.evaluations) == (3, 12)
    assert Schedule("euler", (1.0, 0.5, 0.0)).evaluations == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "ddpm"}, "ddpm"),
        ({"timesteps": None}, "no table"),
        ({"timesteps": "10"}, "no table"),
        ({"timesteps": [1, float("nan"), 0]}, "no table"),
        ({"timesteps": [1]}, "from 1 to 0"),
        ({"timesteps": [0.9, 0]}, "from 1 to 0"),
        ({"timesteps": [1, 0.1]}, "from 1 to 0"),
        ({"timesteps": [1, 0.5, 0.5, 0]}, "decrease"),
        ({"guidance_scale": -1}, "guidance_scale"),
        ({"guidance_scale": True}, "guidance_scale"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], words: str) -> None:
    config = {"sampler": "euler", "timesteps": [1.0, 0.0], **changes}
    with pytest.raises(ModelError, match=words) as refused:
        read_schedule(config, subject="scheduler_config.json")
    assert refused.value.subject == "scheduler_config.json"
