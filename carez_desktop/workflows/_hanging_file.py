"""A hanging protocol at the border: TOML checked by pydantic, turned into domain records."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carez_desktop.domain.hanging import HangingPane, HangingProtocol, HangingRole, StudyRelation
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import UsageError

_HINT = "resources/hanging/_fields.toml explains every field"
_LARGEST_FILE = 256 * 1024
_GRID = re.compile(r"^([1-5])x([1-5])$")
_CELLS = {"1+2": 3, "3|3": 6, "3/3": 6}

_Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
_PlaneName = Literal["acquired", "axial", "sagittal", "coronal"]


class _RoleFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: _Name
    modalities: tuple[str, ...] = ()
    kinds: tuple[VolumeKind, ...] = ()
    body_parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    without_words: tuple[str, ...] = ()
    plane: Literal["", "axial", "sagittal", "coronal"] = ""
    has_planes: bool | None = None
    study: StudyRelation = StudyRelation.ANY
    optional: bool = False
    window: str = Field(default="", max_length=64)

    def to_role(self) -> HangingRole:
        return HangingRole(
            self.name,
            self.modalities,
            self.kinds,
            tuple(part.upper() for part in self.body_parts),
            tuple(word.lower() for word in self.words),
            tuple(word.lower() for word in self.without_words),
            self.plane,
            self.has_planes,
            self.study,
            self.optional,
            self.window,
        )


class _PaneFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: str = ""
    plane: _PlaneName = "acquired"
    second: str = ""
    mode: Literal[
        "none", "swipe", "checkerboard", "blend", "flicker", "difference"
    ] = "none"  # fmt: skip
    overlay: str = ""
    opacity: float = Field(default=0.5, ge=0.0, le=1.0)
    outlined: bool = False
    slab: Literal["mip", "minip", "mean"] = "mip"
    slab_mm: float = Field(default=0.0, ge=0.0, le=1000.0)

    def to_pane(self) -> HangingPane:
        return HangingPane(**self.model_dump())


class _ProtocolFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    id: _Name
    title: str = Field(min_length=1, max_length=80)
    layout: str
    priority: int = Field(default=0, ge=-1000, le=1000)
    most_volumes: int = Field(default=0, ge=0, le=1000)
    roles: tuple[_RoleFile, ...] = Field(min_length=1, max_length=12)
    panes: tuple[_PaneFile, ...] = Field(min_length=1, max_length=25)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [role.name for role in self.roles]
        if len(set(names)) != len(names):
            raise ValueError("two roles have one name")
        if self.roles[0].optional:
            raise ValueError(
                "the first role is the one to which studies are compared: never optional"
            )
        cells = _cells_of(self.layout)
        if not cells:
            raise ValueError(f"layout {self.layout!r} is none: write RxC, {', '.join(_CELLS)}")
        if len(self.panes) > cells:
            raise ValueError(f"layout {self.layout} has {cells} panes, not {len(self.panes)}")
        for pane in self.panes:
            for name in (pane.role, pane.second, pane.overlay):
                if name and name not in names:
                    raise ValueError(f"a pane names the role {name!r}, which there is not")
            if pane.mode != "none" and not pane.second:
                raise ValueError(f"a pane has the mode {pane.mode} and no second role")
        return self


def _cells_of(layout: str) -> int:
    grid = _GRID.match(layout)
    return int(grid[1]) * int(grid[2]) if grid else _CELLS.get(layout, 0)


def read_hanging_file(path: Path) -> HangingProtocol:
    """Read one protocol.

    Raises:
        UsageError: It is no TOML, has a wrong field, or cannot be read; names file and field.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UsageError("The hanging protocol is too large", subject=str(path), hint=_HINT)
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        parsed = _ProtocolFile.model_validate(raw)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The hanging protocol cannot be read: {error}", subject=str(path), hint=_HINT
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise UsageError(
            f"Hanging protocol, {field}: {first['msg']}", subject=str(path), hint=_HINT
        ) from error
    return HangingProtocol(
        parsed.id,
        parsed.title,
        parsed.layout,
        tuple(role.to_role() for role in parsed.roles),
        tuple(pane.to_pane() for pane in parsed.panes),
        parsed.priority,
        parsed.most_volumes,
        str(path),
    )
