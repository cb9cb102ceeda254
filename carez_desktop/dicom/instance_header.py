"""Turn the elements of one DICOM file into the records that the library keeps."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

from carez_desktop.dicom.elements import LONGEST_TEXT, ElementTable
from carez_desktop.dicom.functional_groups import (
    GROUP_TAGS,
    MOST_FRAMES,
    FrameFacts,
    FunctionalGroups,
    read_groups,
)
from carez_desktop.dicom.header_attributes import (
    ATTRIBUTE_TAGS,
    TEXT_TAGS,
    header_attributes,
    image_components,
)
from carez_desktop.dicom.header_reader import DicomHeader
from carez_desktop.dicom.nuclear_medicine import NUCLEAR_TAGS, tomogram_frames
from carez_desktop.dicom.pixel_spacings import SPACING_TAGS, spacing_facts
from carez_desktop.dicom.siemens_mosaic import MOSAIC_TAGS, Mosaic, read_mosaic
from carez_desktop.domain.study import AttributeValue, InstanceHeader

_SOP_CLASS, _SOP_INSTANCE, _MODALITY, _IMAGE_TYPE = 0x00080016, 0x00080018, 0x00080060, 0x00080008
_STUDY, _SERIES, _FRAME_OF_REFERENCE = 0x0020000D, 0x0020000E, 0x00200052
_INSTANCE_NUMBER, _POSITION, _ORIENTATION = 0x00200013, 0x00200032, 0x00200037
_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SLOPE, _INTERCEPT = 0x00281053, 0x00281052
_PATIENT_NAME, _SERIES_DESCRIPTION = 0x00100010, 0x0008103E
_SYNTHETIC_DATA, _CONTRIBUTING_EQUIPMENT = 0x0008001C, 0x0018A001
_FLOAT_PIXELS = frozenset((0x7FE00008, 0x7FE00009))
_PIXEL_CELLS = (0x00280002, 0x00280100, 0x00280101, 0x00280102, 0x00280103)
_BITS_ALLOCATED = 0x00280100
_LEAST_ENCAPSULATED = 8
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_RESCALE = {"rescale_slope": _SLOPE, "rescale_intercept": _INTERCEPT}

PLACE_TAGS = frozenset(
    (
        *(_SOP_CLASS, _SOP_INSTANCE, _SERIES, _ROWS, _COLUMNS, _FRAMES, _MODALITY, _IMAGE_TYPE),
        *(_POSITION, _ORIENTATION, _SLOPE, _INTERCEPT, *_PIXEL_CELLS),
        *SPACING_TAGS,
        *GROUP_TAGS,
        *NUCLEAR_TAGS,
        *MOSAIC_TAGS,
    )
)
"""What a slice needs to be read, once its series was imported."""

WANTED_TAGS = frozenset(
    (
        *ATTRIBUTE_TAGS,
        *PLACE_TAGS,
        *(_STUDY, _FRAME_OF_REFERENCE, _INSTANCE_NUMBER, _SYNTHETIC_DATA, _CONTRIBUTING_EQUIPMENT),
    )
)


def to_instance_header(header: DicomHeader, *, with_attributes: bool = True) -> InstanceHeader:
    """Build the record of one instance, or of the first frame of it that has a place.

    Positions are LPS mm, `pixel_spacing` is (between rows, between columns) in mm. A value that
    is absent or not a number is left out of `attributes`. Without attributes only the rescale and
    `header_flags` are there.
    """
    return frame_headers(header, with_attributes=with_attributes)[0]


def frame_headers(
    header: DicomHeader, *, with_attributes: bool = True
) -> tuple[InstanceHeader, ...]:
    """Build a record for each frame that has a place of its own, else one for the file.

    Frames have places in functional groups and in reconstructed nuclear medicine tomograms; the
    slices of a Siemens mosaic have theirs in its CSA header. The frames of a whole slide are tiles
    of one image and stay together.
    """
    elements = header.elements
    frames = max(1, elements.integer(_FRAMES) or 1)
    if frames > MOST_FRAMES:
        frames = min(frames, _frames_that_fit(header))
    whole = _whole(header, frames, with_attributes)
    if GROUP_TAGS & elements.values.keys():
        if whole.sop_class_uid == _WHOLE_SLIDE:
            shared = read_groups(elements, 1, with_attributes=False).shared
            return (replace(whole, pixel_spacing=shared.spacing or whole.pixel_spacing),)
        groups = read_groups(elements, frames, with_attributes=with_attributes)
        return _of_groups(whole, groups)
    mosaic = read_mosaic(elements) if "MOSAIC" in whole.image_type and frames == 1 else None
    if mosaic is not None:
        return _of_mosaic(whole, mosaic)
    places, flags = tomogram_frames(elements, frames)
    whole = _flagged(whole, flags)
    return tuple(
        replace(
            whole,
            number_of_frames=1,
            frame_index=index,
            image_position_patient=place.position,
            image_orientation_patient=place.orientation,
            attributes=ChainMap(place.attributes, whole.attributes),  # type: ignore[arg-type]
        )
        for index, place in enumerate(places)
    ) or (whole,)


OWN_TAGS = frozenset((_SOP_INSTANCE, _POSITION))
"""What differs between single-frame slices of one series, of `PLACE_TAGS`."""


def following_slice(before: InstanceHeader, header: DicomHeader) -> InstanceHeader:
    """Return the record of a file whose elements, but `OWN_TAGS`, are those of another.

    Args:
        before: Of the other file, without attributes, one frame.
        header: Of this file.
    """
    position = header.elements.decimals(_POSITION)
    return replace(
        before,
        path=str(header.path),
        file_size=header.file_size,
        modified_ns=header.modified_ns,
        sop_instance_uid=header.elements.code(_SOP_INSTANCE),
        image_position_patient=position[:3] if len(position) == 3 else None,
    )


def _whole(header: DicomHeader, frames: int, with_attributes: bool) -> InstanceHeader:
    """Return the record of a file as its top-level elements tell it."""
    elements = header.elements
    position = elements.decimals(_POSITION)
    orientation = elements.decimals(_ORIENTATION)
    spacing = spacing_facts(elements)
    image_type = elements.codes(_IMAGE_TYPE)
    facts = _attributes(header, image_type) if with_attributes else _rescale(elements)
    if spacing.source and spacing.source != "pixel_spacing":
        facts["spacing_source"] = spacing.source
    flags = [*header.flags, *spacing.flags]
    if with_attributes:
        flags += _text_flags(elements)
    if flags:
        facts["header_flags"] = " ".join(flags)
    return InstanceHeader(
        path=str(header.path),
        file_size=header.file_size,
        modified_ns=header.modified_ns,
        sop_class_uid=elements.code(_SOP_CLASS),
        sop_instance_uid=elements.code(_SOP_INSTANCE),
        series_instance_uid=elements.code(_SERIES),
        study_instance_uid=elements.code(_STUDY),
        frame_of_reference_uid=elements.code(_FRAME_OF_REFERENCE),
        modality=elements.code(_MODALITY),
        transfer_syntax_uid=header.transfer_syntax_uid,
        rows=elements.unsigned(_ROWS) or 0,
        columns=elements.unsigned(_COLUMNS) or 0,
        number_of_frames=frames,
        instance_number=elements.integer(_INSTANCE_NUMBER),
        image_position_patient=position[:3] if len(position) == 3 else None,
        image_orientation_patient=orientation[:6] if len(orientation) == 6 else None,
        pixel_spacing=spacing.spacing,
        image_type=image_type,
        has_pixels=header.pixels is not None,
        attributes=facts,
        synthetic_marks=_synthetic_marks(elements) if with_attributes else (),
    )


def _of_groups(whole: InstanceHeader, groups: FunctionalGroups) -> tuple[InstanceHeader, ...]:
    """Return one record for each frame that functional groups place, else the whole."""
    shared = groups.shared
    base = {**whole.attributes, **shared.attributes}
    whole = _with_place(replace(whole, attributes=base), shared)
    if not groups.frames:
        return (whole,)
    if groups.described != whole.number_of_frames and groups.described:
        whole = _flagged(whole, ("frames_miscounted",))
    one = replace(whole, number_of_frames=1)
    return tuple(
        _with_place(
            replace(one, frame_index=index, attributes=_over(frame.attributes, whole.attributes)),
            frame,
        )
        for index, frame in enumerate(groups.frames)
    )


def _of_mosaic(whole: InstanceHeader, mosaic: Mosaic) -> tuple[InstanceHeader, ...]:
    """Return one record for each slice whose tile a Siemens mosaic holds."""
    facts = {**whole.attributes, "mosaic_tile": "YES"}
    one = replace(whole, rows=mosaic.rows, columns=mosaic.columns, attributes=facts)
    return tuple(
        replace(one, frame_index=index, image_position_patient=mosaic.position_of(index))
        for index in range(mosaic.count)
    )


def _frames_that_fit(header: DicomHeader) -> int:
    """Return how many frames the pixels can hold: no large number is believed beyond it.

    One more than fit, so that a truncated file is still seen to be one.
    """
    pixels, elements = header.pixels, header.elements
    if pixels is None:
        return MOST_FRAMES
    room = header.data_size - pixels.offset
    if pixels.length is None:
        return max(1, room // _LEAST_ENCAPSULATED)
    bits = elements.unsigned(_BITS_ALLOCATED) or 1
    size = (elements.unsigned(_ROWS) or 1) * (elements.unsigned(_COLUMNS) or 1) * bits
    return max(1, min(room, pixels.length) * 8 // size + 1)


def _over(
    own: dict[str, AttributeValue], base: Mapping[str, AttributeValue]
) -> Mapping[str, AttributeValue]:
    """Lay a frame's own facts over those of the object without copying them."""
    return ChainMap(own, base) if own else base  # type: ignore[arg-type]


def _with_place(header: InstanceHeader, facts: FrameFacts) -> InstanceHeader:
    """Take place and frame type from functional groups where they have them."""
    return replace(
        header,
        image_position_patient=facts.position or header.image_position_patient,  # type: ignore[arg-type]
        image_orientation_patient=facts.orientation or header.image_orientation_patient,  # type: ignore[arg-type]
        pixel_spacing=facts.spacing or header.pixel_spacing,
        image_type=facts.frame_type or header.image_type,
    )


def _flagged(header: InstanceHeader, flags: tuple[str, ...]) -> InstanceHeader:
    if not flags:
        return header
    before = str(header.attributes.get("header_flags", ""))
    text = " ".join(filter(None, (before, *flags)))
    return replace(header, attributes={**header.attributes, "header_flags": text})


def _attributes(header: DicomHeader, image_type: tuple[str, ...]) -> dict[str, AttributeValue]:
    found = header_attributes(header.elements)
    if header.elements.code(_MODALITY) == "MR":
        found.update(image_components(image_type, found))
    if header.pixels is not None and header.pixels.tag in _FLOAT_PIXELS:
        found["pixel_data_kind"] = "float"
    return found


def _rescale(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return slope and intercept, which a reader of pixels needs of each slice."""
    values = {name: elements.decimal(tag) for name, tag in _RESCALE.items()}
    return {name: value for name, value in values.items() if value is not None}


def _text_flags(elements: ElementTable) -> list[str]:
    """Say whether the character set was wrong; after the texts were decoded."""
    decoder = elements.decoder
    flags = ["charset_guessed"] if decoder.was_guessed else []
    if decoder.unknown_terms:
        flags.append("charset_unknown")
    if any(len(elements.raw(tag)) > LONGEST_TEXT for tag in TEXT_TAGS):
        flags.append("text_cut")
    return flags


def _synthetic_marks(elements: ElementTable) -> tuple[str, ...]:
    """Name the marks of a synthetic study that this file carries (DESIGN section 8).

    The word in the description alone is no mark: vendors call calculated MR contrasts synthetic.
    """
    marks = []
    if elements.code(_SYNTHETIC_DATA) == "YES":
        marks.append("synthetic_data")
    if b"109100" in elements.raw(_CONTRIBUTING_EQUIPMENT):
        marks.append("synthesizing_equipment")
    if elements.person_name(_PATIENT_NAME).startswith("SYNTHETIC^"):
        marks.append("patient_name")
    if marks and "SYNTHETIC" in elements.text(_SERIES_DESCRIPTION):
        marks.append("series_description")
    return tuple(marks)


__all__ = [
    "PLACE_TAGS",
    "WANTED_TAGS",
    "frame_headers",
    "to_instance_header",
]
