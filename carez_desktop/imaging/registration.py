"""Rigid registration of two volumes by Mattes mutual information, from coarse to fine.

D. Mattes et al., IEEE Trans Med Imaging 22 (2003), as SimpleITK implements it. Its threads work
without Python's lock, so a job thread is enough: the window goes on while it runs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.domain.alignment import Alignment, AlignmentMethod
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.domain.registration import RegistrationQuality, RegistrationReport, judge
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.errors import GeometryError
from carez_desktop.imaging.alignment_quality import (
    SampledVolume,
    agreement,
    moved,
    overlap_share,
    peak_share,
    residual_mm,
    score,
)
from carez_desktop.imaging.sitk_bridge import array_to_sitk
from carez_desktop.imaging.volume_reduction import block_factors, reduced
from carez_desktop.progress import (
    NEVER,
    SILENT,
    CancellationToken,
    PartProgress,
    ProgressReporter,
)

_SPACINGS_MM = (8.0, 4.0, 2.0)
_MOST_VOXELS = 3_000_000
_SAMPLES = 30_000
_BINS = 32
_ITERATIONS = 20
_LINE_ITERATIONS = 30
_STEP_MM = (4.0, 2.0, 1.0)
_STEP_TOLERANCE = 1e-3
_VALUE_TOLERANCE = 1e-4
_USUAL_STEPS = 60
_SEED = 20_031
_LEAST_EXTENT = 4
_RIGID = 1e-4
_PERTURBED_MM = (3.0, -2.0, 2.0)
_PERTURBED_RADIANS = 0.026


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both volumes at one level of detail."""

    fixed: SampledVolume
    moving: SampledVolume

    @property
    def swapped(self) -> _Pair:
        return _Pair(self.moving, self.fixed)


def register(
    fixed: Volume,
    moving: Volume,
    *,
    progress: ProgressReporter = SILENT,
    cancel: CancellationToken = NEVER,
) -> RegistrationReport:
    """Find the rigid transform from the LPS mm of one volume to those of another.

    Starts: as they lie, by the middles of their grids, by the middles of their contents; the best
    two of them are followed. A second registration the other way round, from a start of its own,
    measures how far the result can be trusted.

    Args:
        fixed: From whose LPS mm the transform leads.
        moving: To whose LPS mm it leads.
        progress: Told at each iteration.
        cancel: Asked at each iteration.

    Returns:
        The alignment with its quality; without one where it is not to be trusted.

    Raises:
        GeometryError: One of them has no three dimensions to register. CancelledError: On the way.
    """
    for volume in (fixed, moving):
        _check(volume)
    progress.report(0.0, "Reading both volumes at lower detail")
    pairs = [_Pair(_sampled(fixed, spacing), _sampled(moving, spacing)) for spacing in _SPACINGS_MM]
    cancel.raise_if_cancelled()
    starts = _starts(pairs[0])[:2]
    spans = ((0.02, 0.06), (0.06, 0.1))
    tried = [
        _followed(pairs[0], start, 0, PartProgress(progress, *span), cancel)
        for start, span in zip(starts, spans, strict=True)
    ]
    best = max(tried, key=lambda matrix: score(pairs[0].fixed, pairs[0].moving, matrix))
    for level, (begin, end) in enumerate(itertools.pairwise((0.1, 0.3, 0.6)), start=1):
        best = _followed(pairs[level], best, level, PartProgress(progress, begin, end), cancel)
    inverse = np.asarray(np.linalg.inv(best), dtype=np.float64)
    back = _perturbed(inverse, pairs[1].moving)
    for level, (begin, end) in enumerate(itertools.pairwise((0.6, 0.75, 0.95)), start=1):
        part = PartProgress(progress, begin, end, "Checking: ")
        back = _followed(pairs[level].swapped, back, level, part, cancel)
    quality = _measured(pairs[1], best, back)
    cancel.raise_if_cancelled()
    progress.report(1.0, "Registered")
    facts = dict(quality.facts)
    alignment = Alignment(
        fixed.volume_id, moving.volume_id, best, AlignmentMethod.REGISTRATION, facts
    )
    frame = fixed.frame_of_reference_uid
    return judge(
        alignment, quality, one_frame=bool(frame) and frame == moving.frame_of_reference_uid
    )


def _check(volume: Volume) -> None:
    """Refuse what has no three dimensions in space.

    Raises:
        GeometryError: Naming why.
    """
    direction = volume.geometry.direction_lps
    why = ""
    if volume.is_colour:
        why = "it is in colour"
    elif volume.slice_axis is not SliceAxis.SPACE:
        why = "its frames are moments, not places"
    elif min(volume.geometry.shape) < _LEAST_EXTENT:
        why = f"it has fewer than {_LEAST_EXTENT} voxels along one axis"
    elif not np.allclose(direction.T @ direction, np.eye(3), rtol=0.0, atol=_RIGID):
        why = "its axes are not at right angles"
    elif volume.array.min() == volume.array.max():
        why = "all its values are the same"
    if why:
        raise GeometryError(
            f"This volume cannot be registered: {why}",
            subject=volume.volume_id,
            hint="Link it by a manual offset, or resample it to a regular grid first",
        )


def _sampled(volume: Volume, spacing_mm: float) -> SampledVolume:
    factors = block_factors(volume.geometry, spacing_mm, _MOST_VOXELS)
    return SampledVolume(*reduced(volume, factors))


def _starts(pair: _Pair) -> list[FloatArray]:
    """Return shifts to start from, the one by which the values agree most first."""
    fixed, moving = pair.fixed, pair.moving
    grids = np.asarray(moving.geometry.centre_lps) - fixed.geometry.centre_lps
    contents = moving.content.mean(axis=0) - fixed.content.mean(axis=0)
    starts = []
    for shift in (np.zeros(3), grids, contents):
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        starts.append(matrix)
    return sorted(starts, key=lambda start: score(fixed, moving, start), reverse=True)


def _perturbed(matrix: FloatArray, fixed: SampledVolume) -> FloatArray:
    """Return a start beside a matrix, turned about the centre of what it carries."""
    cosine, sine = np.cos(_PERTURBED_RADIANS), np.sin(_PERTURBED_RADIANS)
    turn = np.eye(4)
    turn[:2, :2] = ((cosine, -sine), (sine, cosine))
    centre = fixed.content.mean(axis=0)
    turn[:3, 3] = centre - turn[:3, :3] @ centre + _PERTURBED_MM
    return np.asarray(matrix @ turn, dtype=np.float64)


def _followed(
    pair: _Pair,
    start: FloatArray,
    level: int,
    progress: ProgressReporter,
    cancel: CancellationToken,
) -> FloatArray:
    """Search from a start at one level of detail, by M. J. D. Powell's directions (1964).

    Descending the gradient of a sampled metric wandered off good starts on real pairs; decision
    0124 has the numbers.

    Returns:
        (4, 4) fixed to moving LPS mm: never a place where the values agree less than at the start.

    Raises:
        CancelledError: Within an iteration of being asked to stop.
    """
    cancel.raise_if_cancelled()
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    voxels = float(pair.fixed.surroundings.sum())
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, _SAMPLES / voxels), _SEED)
    method.SetMetricFixedMask(array_to_sitk(pair.fixed.surroundings, pair.fixed.geometry))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsPowell(
        numberOfIterations=_ITERATIONS,
        maximumLineIterations=_LINE_ITERATIONS,
        stepLength=_STEP_MM[level],
        stepTolerance=_STEP_TOLERANCE,
        valueTolerance=_VALUE_TOLERANCE,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = _transform(start, pair.fixed.content.mean(axis=0))
    method.SetInitialTransform(transform, True)

    steps = itertools.count(1)

    def step() -> None:
        done = next(steps)
        # How many there will be is not known: the bar comes nearer and nearer to the end.
        progress.report(done / (done + _USUAL_STEPS), f"Detail {_SPACINGS_MM[level]:g} mm")
        if cancel.is_cancelled:
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, step)
    images = [array_to_sitk(item.array, item.geometry) for item in (pair.fixed, pair.moving)]
    try:
        method.Execute(*images)
    except RuntimeError:
        # ITK gives up where no sample falls within the moving volume any more: the start stays.
        cancel.raise_if_cancelled()
        return start
    cancel.raise_if_cancelled()
    found = _matrix(transform)
    both = (pair.fixed, pair.moving)
    return found if score(*both, found) >= score(*both, start) else start


def _transform(matrix: FloatArray, centre: FloatArray) -> sitk.VersorRigid3DTransform:
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter([float(part) for part in centre])
    transform.SetMatrix([float(part) for part in matrix[:3, :3].ravel()])
    shift = moved(centre[None, :], matrix)[0] - centre
    transform.SetTranslation([float(part) for part in shift])
    return transform


def _matrix(transform: sitk.VersorRigid3DTransform) -> FloatArray:
    """Return the (4, 4) matrix of a transform about a centre: R (x - c) + c + t."""
    rotation = np.array(transform.GetMatrix(), dtype=np.float64).reshape(3, 3)
    left, _, right = np.linalg.svd(rotation)
    rotation = left @ right
    centre = np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = centre + transform.GetTranslation() - rotation @ centre
    return matrix


def _measured(pair: _Pair, best: FloatArray, back: FloatArray) -> RegistrationQuality:
    fixed, moving = pair.fixed, pair.moving
    before, _ = agreement(fixed, moving, np.eye(4))
    after, correlation = agreement(fixed, moving, best)
    centre = fixed.content.mean(axis=0)[None, :]
    cosine = (float(np.trace(best[:3, :3])) - 1.0) / 2.0
    return RegistrationQuality(
        mutual_information_before=before,
        mutual_information=after,
        correlation=correlation,
        overlap_share=overlap_share(fixed, moving, best),
        peak_share=peak_share(fixed, moving, best),
        residual_mm=residual_mm(fixed, best, back),
        rotation_degrees=float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))),
        translation_mm=float(np.linalg.norm(moved(centre, best) - centre)),
    )
