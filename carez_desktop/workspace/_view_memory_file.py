"""What is remembered of the view, at the border: TOML checked by pydantic."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Text = Annotated[str, StringConstraints(max_length=20_000)]


class ViewMemoryFile(BaseModel):
    """The fields of `view.toml`; an unknown one is left out, so that older programs read it."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    version: int = Field(default=1, ge=1)
    layout: str = Field(default="", max_length=20)
    links: dict[_Name, bool] = Field(default_factory=dict, max_length=100)
    folded: dict[_Name, bool] = Field(default_factory=dict, max_length=1000)
    windows: dict[_Name, _Text] = Field(default_factory=dict, max_length=100)
    presets: dict[_Name, _Text] = Field(default_factory=dict, max_length=100)
    switches: dict[_Name, bool] = Field(default_factory=dict, max_length=1000)
    numbers: dict[_Name, float] = Field(default_factory=dict, max_length=1000)
    texts: dict[_Name, _Text] = Field(default_factory=dict, max_length=1000)
