"""What is odd about a pile of images, in words with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.header_flags import flag_findings
from carez_desktop.domain.pile_pixels import is_cine, is_whole_slide
from carez_desktop.domain.series_splitting import Pile
from carez_desktop.domain.study import InstanceHeader

_NAMED = 3
_TOMOGRAPHY = ("CT", "MR", "PT")


def pile_findings(volume_id: str, pile: Pile) -> list[Finding]:
    """Say what is odd about a pile before its geometry is looked at."""
    first = pile.headers[0]
    said = [*_pile_texts(pile), *_image_texts(pile.headers)]
    order = _order_text(pile.headers)
    if order:
        said.append((Severity.INFO, "reordered_slices", order))
    if is_cine(first):
        said.append(_cine_text(first))
    if is_whole_slide(first):
        said.append((Severity.INFO, "whole_slide", _tiles_text(first)))
    own = [Finding(severity, code, volume_id, text) for severity, code, text in said]
    return [*own, *flag_findings(pile.headers, volume_id)]


def _pile_texts(pile: Pile) -> list[tuple[Severity, str, str]]:
    said = [(Severity.WARNING, "mixed_contrast", text) for text in pile.mixed]
    if not pile.headers[0].series_instance_uid:
        text = "The files have no Series Instance UID"
        said.append((Severity.WARNING, "no_series_uid", text))
    if pile.dropped:
        said.append((Severity.WARNING, "duplicate_position", _dropped_text(pile.dropped)))
    if pile.reason.startswith("matrix"):
        text = f"The series mixes matrix sizes: {pile.reason}"
        said.append((Severity.WARNING, "mixed_matrix", text))
    if pile.crossing:
        text = (
            f"{pile.crossing} slices of the series are turned against each other and cross: each"
            " opens by itself"
        )
        said.append((Severity.INFO, "crossed_slices", text))
    return said


def _image_texts(headers: Sequence[InstanceHeader]) -> list[tuple[Severity, str, str]]:
    first = headers[0]
    said = []
    if any(h.attributes.get("lossy_image_compression") == "01" for h in headers):
        text = "The pixels went through a lossy compression"
        said.append((Severity.WARNING, "lossy_compression", text))
    if first.attributes.get("photometric_interpretation") == "MONOCHROME1":
        text = "Low values are meant to be shown bright (MONOCHROME1)"
        said.append((Severity.INFO, "monochrome1", text))
    if "MOSAIC" in first.image_type and "mosaic_tile" not in first.attributes:
        said.append((Severity.WARNING, "mosaic", _mosaic_text(first)))
    return said


def doubles_finding(volume_id: str, doubles: Sequence[InstanceHeader]) -> Finding:
    """Say which files repeat an instance that another file holds."""
    files = list(dict.fromkeys(header.path for header in doubles))
    names = ", ".join(PurePath(path).name for path in files[:_NAMED])
    more = " ..." if len(files) > _NAMED else ""
    what = "file repeats" if len(files) == 1 else "files repeat"
    were = "was" if len(files) == 1 else "were"
    return Finding(
        Severity.WARNING,
        "duplicate_instance",
        volume_id,
        f"{len(files)} {what} the SOP Instance UID of another and {were} left out ({names}{more})",
    )


def _dropped_text(dropped: Sequence[InstanceHeader]) -> str:
    places = [
        "(" + ", ".join(f"{part:g}" for part in header.image_position_patient) + ")"
        for header in dropped[:_NAMED]
        if header.image_position_patient is not None
    ]
    more = " ..." if len(dropped) > _NAMED else ""
    what = "image repeats" if len(dropped) == 1 else "images repeat"
    were = "was" if len(dropped) == 1 else "were"
    return (
        f"{len(dropped)} {what} the place of another slice and {were} left out, at"
        f" {', '.join(places)}{more} mm"
    )


def _cine_text(header: InstanceHeader) -> tuple[Severity, str, str]:
    frames = header.number_of_frames
    if header.modality in _TOMOGRAPHY:
        text = f"{counted(frames, 'frame')} whose places are not stated, in the order of the file"
        return (Severity.WARNING, "no_position", text)
    return (Severity.INFO, "cine", f"{counted(frames, 'moment')} of one view, in order of time")


def _mosaic_text(header: InstanceHeader) -> str:
    tiles = header.attributes.get("mosaic_images")
    many = f"{tiles:g} slices" if isinstance(tiles, float) else "the slices"
    return (
        f"Siemens mosaic: {many} lie side by side in one image, which opens as it is; its place in"
        " the patient is not that of the slices"
    )


def _tiles_text(header: InstanceHeader) -> str:
    return (
        f"One level of a whole-slide image: {counted(header.number_of_frames, 'tile')} of"
        f" {header.rows} x {header.columns}"
    )


def _order_text(headers: Sequence[InstanceHeader]) -> str:
    """Say where slices are not numbered as they lie; "" where they are or have no numbers.

    A stack that is numbered against its normal, as most CT is, would be left-handed in that order.
    """
    numbers = [h.instance_number for h in headers if h.instance_number is not None]
    if len(numbers) != len(headers) or len(set(numbers)) != len(numbers) or len(numbers) < _NAMED:
        return ""
    rising = sum(after > before for before, after in pairwise(numbers))
    if rising == len(numbers) - 1:
        return ""
    if rising == 0:
        return "Numbered against the slice normal (left-handed): stacked along the normal instead"
    return "Its instance numbers do not follow the positions: stacked by position"
