"""Put what was read into a `Volume`: units, windows, tables, overlays, times, findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from carez_desktop.dicom.display_values import (
    read_padding,
    read_real_world_maps,
    read_voi_luts,
    read_windows,
)
from carez_desktop.dicom.slice_reading import LoadedSlices
from carez_desktop.dicom.slice_source import distinct_notes
from carez_desktop.dicom.uptake import SuvReading
from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.study import AttributeValue, InstanceHeader, VolumeRecord
from carez_desktop.domain.volume import SliceAxis, Volume

_MOST_TIMES = 1_000_000


def describe(
    record: VolumeRecord,
    loaded: LoadedSlices,
    geometry: VolumeGeometry,
    suv: SuvReading,
) -> Volume:
    """Return the volume of slices that were read.

    Display facts come from the slice that was read first; a window is multiplied as the voxels
    are (SUV).

    Args:
        record: That was read.
        loaded: Its slices.
        geometry: Of all of them.
        suv: What is known of the uptake.
    """
    source = loaded.sources[loaded.reference]
    elements, frame = loaded.elements, source.frame
    transform = source.transform
    grey = not transform.is_colour
    windows = read_windows(elements, frame) if grey else ()
    if suv.is_suv and suv.factor != 1.0:
        windows = tuple(
            replace(w, center=w.center * suv.factor, width=w.width * suv.factor) for w in windows
        )
    padding = read_padding(elements, transform.rescale) if grey else None
    volume = Volume(
        volume_id=record.volume_id,
        array=loaded.array,
        geometry=geometry,
        modality=record.modality,
        units="rgb" if not grey else _units(record, loaded, suv),
        kind=record.kind,
        frame_of_reference_uid=record.frame_of_reference_uid,
        padding_value=padding[0] if padding else None,
        window_center=windows[0].center if windows else None,
        window_width=windows[0].width if windows else None,
        findings=(*record.findings, *_findings(record, loaded), *suv.findings),
        attributes={name: _text(value) for name, value in record.attributes.items()},
        slice_axis=record.slice_axis,
        windows=windows,
        voi_luts=read_voi_luts(elements, transform.rescale) if grey and not suv.is_suv else (),
        real_world_maps=read_real_world_maps(elements, frame, transform.rescale) if grey else (),
        overlays=tuple(sorted(loaded.overlays, key=lambda plane: plane.slice_index)),
        frame_times_ms=frame_times(record, loaded),
    )
    return replace(volume, attributes={**volume.attributes, "description": record.description})


def describe_slices(
    record: VolumeRecord,
    loaded: LoadedSlices,
    geometries: Sequence[VolumeGeometry],
    suv: SuvReading,
) -> tuple[Volume, ...]:
    """Return each slice that was read as a volume of its own; all share their display facts.

    Args:
        record: That was read.
        loaded: Its slices.
        geometries: Of each slice.
        suv: What is known of the uptake.
    """
    flat = VolumeGeometry(loaded.array.shape[:3], np.eye(4))
    whole = describe(record, loaded, flat, suv)
    return tuple(
        replace(
            whole,
            array=loaded.array[index : index + 1],
            geometry=geometry,
            frame_times_ms=(),
            overlays=tuple(
                replace(plane, slice_index=0)
                for plane in loaded.overlays
                if plane.slice_index == index
            ),
        )
        for index, geometry in enumerate(geometries)
    )


def frame_times(record: VolumeRecord, loaded: LoadedSlices) -> tuple[float, ...]:
    """Return the start of each moment of a cine in ms; empty where the source does not say.

    Frame Time Vector, else Frame Time, else the Recommended Display Frame Rate, else the Cine
    Rate (PS3.3 C.7.6.5).
    """
    count = len(loaded.sources)
    if record.slice_axis is not SliceAxis.TIME or not 1 < count <= _MOST_TIMES:
        return ()
    facts = loaded.sources[loaded.reference].instance.attributes or record.attributes
    listed = _moments(str(facts.get("frame_times", "")))
    if len(listed) >= count:
        return listed[:count]
    step = _number(facts.get("frame_time"))
    for rate_name in ("recommended_display_frame_rate", "cine_rate"):
        rate = _number(facts.get(rate_name))
        if not step and rate and rate > 0:
            step = 1000.0 / rate
    return tuple(index * step for index in range(count)) if step and step > 0 else ()


def _moments(text: str) -> tuple[float, ...]:
    """Read the starts that a header lists; empty where one is no moment after the one before."""
    try:
        times = tuple(float(part) for part in text.split("\\")) if text else ()
    except ValueError:
        return ()
    rising = all(math.isfinite(end - start) and start < end for start, end in pairwise(times))
    return times if rising else ()


def _findings(record: VolumeRecord, loaded: LoadedSlices) -> list[Finding]:
    found = []

    def note(severity: Severity, code: str, text: str) -> None:
        found.append(Finding(severity, code, record.volume_id, text))

    layout = loaded.sources[loaded.reference].transform.layout
    if layout.samples == 3 and layout.bits_stored > 8:
        text = f"Colours of {layout.bits_stored} bits are shown with 8 bits each"
        note(Severity.INFO, "colour_depth", text)
    if layout.floating and layout.bits_allocated == 64:
        note(Severity.INFO, "double_pixels", "Its 64-bit numbers are kept with 32 bits")
    elif loaded.array.dtype.kind == "f" and layout.bits_stored > 24 and not layout.floating:
        text = f"Its values of {layout.bits_stored} bits are kept with the 24 bits of float32"
        note(Severity.WARNING, "precision", text)
    for path, text in distinct_notes(loaded.sources):
        found.append(Finding(Severity.WARNING, "offset_table", path, text))
    if loaded.overlays_dropped:
        text = f"{loaded.overlays_dropped} overlay planes were left out: too many for the memory"
        note(Severity.WARNING, "overlays_left_out", text)
    return found


def _number(value: AttributeValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: AttributeValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def _units(record: VolumeRecord, loaded: LoadedSlices, suv: SuvReading) -> str:
    """Units of the modality values: HU for CT that is rescaled to them, SUV or Bq/ml for PET."""
    source = loaded.sources[loaded.reference]
    instance: InstanceHeader = source.instance
    facts = instance.attributes or record.attributes
    rescale_type = str(facts.get("rescale_type", "")).upper()
    if instance.modality == "CT" or record.modality == "CT":
        is_hounsfield = rescale_type in ("", "HU") and "rescale_intercept" in facts
        return "HU" if is_hounsfield and "LOCALIZER" not in instance.image_type else "arbitrary"
    if suv.is_suv:
        return "SUVbw"
    if record.modality == "PT":
        return {"BQML": "Bq/ml", "GML": "SUVbw"}.get(str(facts.get("units", "")), "arbitrary")
    if source.transform.lut is not None and rescale_type in ("OD", "HU"):
        return rescale_type
    return "arbitrary"
