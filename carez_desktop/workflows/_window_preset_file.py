"""Window presets at the border: TOML checked by pydantic."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carez_desktop.domain.named_window import NamedWindow
from carez_desktop.errors import UsageError

_HINT = "resources/presets/windows.toml shows every field"
_Share = Annotated[float, Field(ge=0.0, le=100.0)]


class _WindowFile(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    title: str = Field(min_length=1, max_length=40)
    modality: str = Field(pattern=r"^[A-Z0-9_]{1,16}$")
    units: str = ""
    body_parts: tuple[str, ...] = ()
    center: float | None = None
    width: float | None = Field(default=None, gt=0.0)
    shares: tuple[_Share, _Share] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        given = [part is not None for part in (self.center, self.width)]
        if any(given) if self.shares is not None else not all(given):
            raise ValueError("a window has center, width and units, or shares")
        if self.shares is None and not self.units:
            raise ValueError("center and width need units")
        if self.shares is not None and self.shares[0] >= self.shares[1]:
            raise ValueError("the low share is not below the high one")
        return self

    def to_window(self) -> NamedWindow:
        parts = tuple(part.upper() for part in self.body_parts)
        return NamedWindow(
            self.title,
            self.modality,
            self.units,
            parts,
            self.center or 0.0,
            self.width or 1.0,
            self.shares,
        )


class _PresetsFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    windows: tuple[_WindowFile, ...] = Field(default=(), max_length=500)


def read_window_file(path: Path) -> tuple[NamedWindow, ...]:
    """Read the presets of a file.

    Raises:
        UsageError: It is no TOML, has a wrong field, or cannot be read; names file and field.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        parsed = _PresetsFile.model_validate(raw)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The window presets cannot be read: {error}", subject=str(path), hint=_HINT
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise UsageError(
            f"Window presets, {field}: {first['msg']}", subject=str(path), hint=_HINT
        ) from error
    return tuple(item.to_window() for item in parsed.windows)
