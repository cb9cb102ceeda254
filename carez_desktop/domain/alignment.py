"""How two volumes lie to each other: one frame of reference, a registration, or a manual offset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.patient_space import FloatArray

_RIGID = 1e-6


class AlignmentMethod(StrEnum):
    """Why positions of two volumes may be compared."""

    FRAME_OF_REFERENCE = "frame_of_reference"
    SAME_SOURCE = "same_source"
    REGISTRATION = "registration"
    OFFSET = "offset"


@dataclass(frozen=True, eq=False)
class Alignment:
    """A rigid transform from the space of one volume to that of another.

    Attributes:
        fixed_id: Volume from whose LPS millimetres it leads.
        moving_id: Volume to whose LPS millimetres it leads.
        matrix: (4, 4) float64, rigid, read-only: homogeneous fixed LPS mm to moving LPS mm.
        quality: Measured facts of a registration, by name; empty for the others.
    """

    fixed_id: str
    moving_id: str
    matrix: FloatArray
    method: AlignmentMethod
    quality: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze the matrix and refuse one that is not rigid."""
        matrix = np.array(self.matrix, dtype=np.float64)
        rotation = matrix[:3, :3]
        rigid = matrix.shape == (4, 4) and np.allclose(matrix[3], (0, 0, 0, 1))
        if not rigid or not np.allclose(rotation @ rotation.T, np.eye(3), atol=_RIGID):
            raise ValueError("an alignment is a 4 x 4 rigid matrix")
        if float(np.linalg.det(rotation)) < 0.0:
            raise ValueError("an alignment does not mirror")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def by_offset(cls, fixed_id: str, moving_id: str, offset_mm: npt.ArrayLike) -> Alignment:
        """Align by a shift: moving position minus fixed position, (3,) mm."""
        matrix = np.eye(4)
        matrix[:3, 3] = np.asarray(offset_mm, dtype=np.float64)
        return cls(fixed_id, moving_id, matrix, AlignmentMethod.OFFSET)

    @property
    def inverse(self) -> Alignment:
        """The same alignment from the moving volume to the fixed one."""
        matrix = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return Alignment(self.moving_id, self.fixed_id, matrix, self.method, self.quality)

    @property
    def rotation_degrees(self) -> float:
        """Angle of the rotation, from its trace."""
        cosine = (float(np.trace(self.matrix[:3, :3])) - 1.0) / 2.0
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
