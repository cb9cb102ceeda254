"""Lay two volumes together by hand: the shift of an alignment, and alignments made from shifts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.layer import Layer


def current_matrix(arrangement: Arrangement, fixed: Layer, moving: Layer) -> FloatArray:
    """Return how two open layers lie to each other now.

    Returns:
        (4, 4) LPS mm of the fixed layer to LPS mm of the moving one; the identity where nothing
        relates them.
    """
    if arrangement.link_refusal(fixed, moving):
        return np.eye(4)
    here = arrangement.to_layer(fixed, fixed)
    there = arrangement.to_layer(fixed, moving)
    return np.asarray(there @ np.linalg.inv(here), dtype=np.float64)


def alignment_shift(matrix: FloatArray) -> FloatArray:
    """Return how far a matrix moves the moving volume on the screen, after its rotation.

    A point p of the fixed volume shows R p + t of the moving one = R (p - s), with s = -R' t.

    Args:
        matrix: (4, 4) rigid, fixed LPS mm to moving LPS mm.

    Returns:
        (3,) mm towards left, back and up.
    """
    return np.asarray(-matrix[:3, :3].T @ matrix[:3, 3], dtype=np.float64)


def shifted_to(matrix: FloatArray, shift_mm: npt.ArrayLike) -> FloatArray:
    """Return the matrix of the same rotation whose `alignment_shift` is another one."""
    made = np.array(matrix, dtype=np.float64)
    made[:3, 3] = -matrix[:3, :3] @ np.asarray(shift_mm, dtype=np.float64)
    return made


def by_centres(fixed: Layer, moving: Layer) -> Alignment:
    """Return the shift that lays the centres of two volumes together."""
    offset = moving.volume.geometry.centre_lps - fixed.volume.geometry.centre_lps
    return Alignment.by_offset(fixed.volume.volume_id, moving.volume.volume_id, offset)
