"""The settings file at the border: pydantic checks it, `settings.py` converts it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SettingsFile(BaseModel):
    """The fields of `settings.toml`; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(default=1, ge=1)
    uid_root: str = Field(default="", pattern=r"^$|^[0-2](\.(0|[1-9][0-9]*)){1,20}$", max_length=40)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0, le=1024)
    site_name: str = Field(default="", max_length=64)
