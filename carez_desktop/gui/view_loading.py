"""Read what the View page shows, off the Qt thread: a first slice early, then the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.hanging import Hanging
from carez_desktop.domain.study import AttributeValue, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume
from carez_desktop.gui.job_bridge import JobCall
from carez_desktop.gui.record_words import is_calibrated, is_positioned
from carez_desktop.gui.view_hanging import TimePoint, hanging_of, place_of_plane, time_points_of
from carez_desktop.progress import PartProgress, ProgressReporter
from carez_desktop.workflows.context import WorkflowContext
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.plane_basis import Plane, acquired_plane

RESAMPLED = "resampled"
_LETTER_AXES = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """What is to be opened.

    Attributes:
        first: Volume id.
        second: Another one to lay beside it; "" for none, or for the source of a bundle's case.
        resampled: Put slices that are no regular grid onto one.
        every: Take one of so many slices, rows and columns, where the whole does not fit.
    """

    first: str
    second: str = ""
    resampled: bool = False
    every: int = 1


@dataclass(frozen=True, eq=False)
class FirstSlice:
    """The first slice that was read.

    Attributes:
        layer: Shows it, with a place that is only known roughly.
        is_flat: Whether the whole will have one pane only.
        layout: Id of the layout that the whole will have.
        place: Index of its pane there.
    """

    layer: Layer
    is_flat: bool
    layout: str = ""
    place: int = 0


@dataclass(frozen=True, eq=False)
class LoadedLayers:
    """What a load brings.

    Attributes:
        left: One layer.
        right: Another one to lay beside it.
        same_space: One was made from the other.
        hanging: The protocol that fits best; None where none does.
        by_id: The layers by the ids that were asked for.
        times: Volumes of the set that the first one belongs to.
    """

    left: Layer
    right: Layer | None
    same_space: bool = False
    hanging: Hanging | None = None
    times: tuple[TimePoint, ...] = ()
    by_id: Mapping[str, Layer] = field(default_factory=dict)


def load_layers(
    context: WorkflowContext, request: ViewRequest, call: JobCall, *, with_source: bool = True
) -> LoadedLayers:
    """Load one volume or two; partial receives a `FirstSlice` once there is one.

    Args:
        context: Of the program.
        request: What to load.
        call: The job's.
        with_source: Load the source of a bundle's case beside it, where this site has it.

    Raises:
        CarezError: As `load_volume`.
    """
    from carez_desktop.workflows.describe_library import describe_library
    from carez_desktop.workflows.describe_volume import describe_volume
    from carez_desktop.workflows.find_case_source import find_case_source

    stand_in = describe_library(context).stand_in
    source = find_case_source(context, volume_id=request.first) if with_source else ""
    other = request.second or source
    ids = [request.first, *([other] if other else [])]
    records = [describe_volume(context, volume_id=volume_id) for volume_id in ids]
    hanging = hanging_of(context, records) if with_source else None
    share = PartProgress(call.progress, 0.0, 0.5 if other else 1.0)

    def first_slice(first: FirstSlice) -> None:
        call.partial(_placed(first, None if request.resampled else hanging))

    partial = _nothing if other else first_slice
    if request.every > 1:
        left = _load_part(context, records[0], request, share, call, stand_in)
    else:
        left = _load(context, records[0], ids[0], share, call, partial, stand_in, request.resampled)
    right = None
    if other:
        rest = PartProgress(call.progress, 0.5, 1.0)
        right = _load(context, records[1], other, rest, call, _nothing, stand_in, resampled=False)
    times = time_points_of(context, records[0]) if records[0] is not None and not other else ()
    is_same = bool(source) and other == source
    found = [layer for layer in (left, right) if layer is not None]
    by_id = dict(zip(ids, found, strict=True))
    fitting = None if request.resampled else hanging
    return LoadedLayers(left, right, is_same, fitting, times, by_id)


def _placed(first: FirstSlice, hanging: Hanging | None) -> FirstSlice:
    """Say in which pane of which layout a first slice will stay."""
    plane = acquired_plane(first.layer.volume.geometry)
    if hanging is not None:
        place = place_of_plane(hanging, first.layer.volume.volume_id, plane)
        return replace(first, layout=hanging.protocol.layout, place=place)
    if first.is_flat:
        return replace(first, layout="1x1")
    return replace(first, layout="1+2", place=list(Plane).index(plane))


def _nothing(_: object) -> None:
    return


def _load_part(
    context: WorkflowContext,
    record: VolumeRecord | None,
    request: ViewRequest,
    progress: ProgressReporter,
    call: JobCall,
    stand_in: bool,
) -> Layer:
    from carez_desktop.workflows.load_reduced import load_reduced

    volume = load_reduced(
        context,
        volume_id=request.first,
        every=request.every,
        progress=progress,
        cancel=call.cancel,
    )
    layer = to_layer(record, volume, stand_in=stand_in)
    layer.title = f"{layer.title} (1 of {request.every} slices and pixels)"
    return layer


def _load(
    context: WorkflowContext,
    record: VolumeRecord | None,
    volume_id: str,
    progress: ProgressReporter,
    call: JobCall,
    partial: Callable[[FirstSlice], object],
    stand_in: bool,
    resampled: bool,
) -> Layer:
    from carez_desktop.workflows.load_volume import load_volume

    is_told = False

    def first_slice(part: tuple[int, npt.NDArray[Any]]) -> None:
        nonlocal is_told
        if not is_told and record is not None:
            is_told = True
            first = preview(record, part[1], stand_in=stand_in)
            partial(replace(first, is_flat=False) if resampled else first)

    if record is not None and record.slices_only and not resampled:
        from carez_desktop.workflows.load_slices import load_slices

        stack = load_slices(
            context, volume_id=volume_id, progress=progress, cancel=call.cancel, partial=first_slice
        )
        middle = stack.slices[len(stack.slices) // 2]
        return Layer(middle, title=record.description, stack=stack, stand_in=stand_in)
    volume = load_volume(
        context,
        volume_id=volume_id,
        resample=resampled,
        progress=progress,
        cancel=call.cancel,
        partial=first_slice,
    )
    layer = to_layer(record, volume, stand_in=stand_in)
    if resampled:
        layer.title = f"{layer.title} ({RESAMPLED})"
    return layer


def to_layer(record: VolumeRecord | None, volume: Volume, *, stand_in: bool) -> Layer:
    """Return the layer of a volume, with what its record says of place and scale."""
    return Layer(
        volume,
        title=record.description if record is not None else "",
        stand_in=stand_in,
        positioned=record is None or is_positioned(record),
        calibrated=record is None or is_calibrated(record),
    )


def preview(record: VolumeRecord, values: npt.NDArray[Any], *, stand_in: bool) -> FirstSlice:
    """Return the first slice as something to look at while the rest is read.

    It lies as the record's letters say; that is exact enough for no position, so none is told.

    Args:
        record: Of the volume.
        values: (rows, columns) modality values, or (rows, columns, 3) colours.
        stand_in: Simulated studies play real here.
    """
    axes = [_LETTER_AXES.get(letter) for letter in record.orientation[:3]]
    if len(axes) != 3 or None in axes or abs(np.linalg.det(np.array(axes, float))) < 0.5:
        axes = [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)]
    spacing = record.spacing_mm or (1.0, *_pixel_spacing(record))
    # The values lie in memory that is still being filled; this slice of it is ready.
    array = values[None, ...]
    geometry = VolumeGeometry.from_parts(
        (1, array.shape[1], array.shape[2]), spacing, (0.0, 0.0, 0.0), np.array(axes, float).T
    )
    facts = record.attributes
    is_ct = record.modality == "CT" and "rescale_intercept" in facts
    volume = Volume(
        record.volume_id,
        array,
        geometry,
        record.modality,
        "HU" if is_ct else "arbitrary",
        kind=record.kind,
        window_center=_number(facts.get("window_center")),
        window_width=_number(facts.get("window_width")),
        attributes={
            name: str(facts.get(name) or "")
            for name in ("photometric_interpretation", "patient_name", "series_description")
        },
    )
    title = record.description
    layer = Layer(
        volume, title=title, stand_in=stand_in, positioned=False, calibrated=False, preview=True
    )
    is_flat = (
        record.slices_only
        or record.slice_axis is SliceAxis.TIME
        or not is_positioned(record)
        or record.shape[0] == 1
    )
    return _placed(FirstSlice(layer, is_flat), None)


def _pixel_spacing(record: VolumeRecord) -> tuple[float, float]:
    """Spacing of rows and columns from the attributes, for a stack that has none of its own."""
    text = str(record.attributes.get("pixel_spacing") or "")
    try:
        row, column = (float(part) for part in text.split("\\"))
    except ValueError:
        return (1.0, 1.0)
    return (row, column) if row > 0.0 and column > 0.0 else (1.0, 1.0)


def _number(value: AttributeValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None
