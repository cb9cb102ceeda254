"""Turn the elements of one DICOM file into the record that the library keeps."""

from __future__ import annotations

import re
from datetime import date

from carez_desktop.dicom.elements import SPECIFIC_CHARACTER_SET, ElementTable
from carez_desktop.dicom.header_reader import DicomHeader
from carez_desktop.domain.study import AttributeValue, InstanceHeader

_CODES = {
    "patient_sex": 0x00100040,
    "patient_birth_date": 0x00100030,
    "study_date": 0x00080020,
    "series_date": 0x00080021,
    "acquisition_date": 0x00080022,
    "acquisition_time": 0x00080032,
    "content_time": 0x00080033,
    "body_part_examined": 0x00180015,
    "patient_position": 0x00185100,
    "photometric_interpretation": 0x00280004,
    "lossy_image_compression": 0x00282110,
    "rescale_type": 0x00281054,
    "sequence_name": 0x00180024,
    "units": 0x00541001,
    "presentation_lut_shape": 0x20500020,
    "acquisition_type": 0x00189302,
}
_TEXTS = {
    "patient_id": 0x00100020,
    "manufacturer": 0x00080070,
    "manufacturer_model_name": 0x00081090,
    "institution_name": 0x00080080,
    "station_name": 0x00081010,
    "software_versions": 0x00181020,
    "series_description": 0x0008103E,
    "study_description": 0x00081030,
    "protocol_name": 0x00181030,
    "convolution_kernel": 0x00181210,
    "scanning_sequence": 0x00180020,
    "study_id": 0x00200010,
}
_DECIMALS = {
    "slice_thickness": 0x00180050,
    "spacing_between_slices": 0x00180088,
    "kvp": 0x00180060,
    "exposure": 0x00181152,
    "exposure_time": 0x00181150,
    "x_ray_tube_current": 0x00181151,
    "magnetic_field_strength": 0x00180087,
    "echo_time": 0x00180081,
    "repetition_time": 0x00180080,
    "flip_angle": 0x00181314,
    "echo_numbers": 0x00180086,
    "temporal_position_identifier": 0x00200100,
    "trigger_time": 0x00181060,
    "acquisition_number": 0x00200012,
    "gantry_detector_tilt": 0x00181120,
    "reconstruction_diameter": 0x00181100,
    "patient_weight": 0x00101030,
    "series_number": 0x00200011,
    "rescale_slope": 0x00281053,
    "rescale_intercept": 0x00281052,
    "window_center": 0x00281050,
    "window_width": 0x00281051,
    "slice_location": 0x00201041,
}
_BINARIES = {
    "bits_allocated": (0x00280100, "H"),
    "bits_stored": (0x00280101, "H"),
    "high_bit": (0x00280102, "H"),
    "pixel_representation": (0x00280103, "H"),
    "samples_per_pixel": (0x00280002, "H"),
    "ctdi_vol": (0x00189345, "d"),
}

_SOP_CLASS, _SOP_INSTANCE, _MODALITY, _IMAGE_TYPE = 0x00080016, 0x00080018, 0x00080060, 0x00080008
_STUDY, _SERIES, _FRAME_OF_REFERENCE = 0x0020000D, 0x0020000E, 0x00200052
_INSTANCE_NUMBER, _POSITION, _ORIENTATION = 0x00200013, 0x00200032, 0x00200037
_ROWS, _COLUMNS, _FRAMES, _SPACING = 0x00280010, 0x00280011, 0x00280008, 0x00280030
_PATIENT_NAME, _PATIENT_AGE, _SMALLEST_PADDING = 0x00100010, 0x00101010, 0x00280120
_SYNTHETIC_DATA, _CONTRIBUTING_EQUIPMENT = 0x0008001C, 0x0018A001
_B_VALUE, _SIEMENS_CREATOR, _SIEMENS_B = 0x00189087, 0x00190010, 0x0019100C
_PHILIPS_B, _GE_CREATOR, _GE_B = 0x20011003, 0x00430010, 0x00431039
_MODALITY_LUT = 0x00283000
_FLOAT_PIXELS = frozenset((0x7FE00008, 0x7FE00009))

WANTED_TAGS = frozenset(
    (
        SPECIFIC_CHARACTER_SET,
        *_CODES.values(),
        *_TEXTS.values(),
        *_DECIMALS.values(),
        *(tag for tag, _ in _BINARIES.values()),
        *(_SOP_CLASS, _SOP_INSTANCE, _MODALITY, _IMAGE_TYPE, _STUDY, _SERIES, _FRAME_OF_REFERENCE),
        *(_INSTANCE_NUMBER, _POSITION, _ORIENTATION, _ROWS, _COLUMNS, _FRAMES, _SPACING),
        *(_PATIENT_NAME, _PATIENT_AGE, _SMALLEST_PADDING, _SYNTHETIC_DATA),
        *(_CONTRIBUTING_EQUIPMENT, _B_VALUE, _SIEMENS_CREATOR, _SIEMENS_B, _PHILIPS_B),
        *(_GE_CREATOR, _GE_B, _MODALITY_LUT),
    )
)

PLACE_TAGS = frozenset(
    (
        *(_SOP_CLASS, _SOP_INSTANCE, _SERIES, _ROWS, _COLUMNS, _FRAMES, _SPACING),
        *(_POSITION, _ORIENTATION, _DECIMALS["rescale_slope"], _DECIMALS["rescale_intercept"]),
        *(tag for tag, kind in _BINARIES.values() if kind == "H"),
    )
)
"""What a slice needs to be read, once its series was imported."""

_SEQUENCE_B_VALUE = re.compile(r"_b(\d+)t?")
_AGE = re.compile(r"^(\d{1,3})([DWMY])$")
_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}


def frame_headers(
    header: DicomHeader, *, with_attributes: bool = True
) -> tuple[InstanceHeader, ...]:
    """Build a record for each frame that has a place of its own, else one for the file."""
    return (to_instance_header(header, with_attributes=with_attributes),)


def to_instance_header(header: DicomHeader, *, with_attributes: bool = True) -> InstanceHeader:
    """Build the record of one instance.

    Positions are LPS mm, `pixel_spacing` is (between rows, between columns) in mm. A value that
    is absent or not a number is left out of `attributes`, and so is all of them on request.
    """
    elements = header.elements
    position = elements.decimals(_POSITION)
    orientation = elements.decimals(_ORIENTATION)
    spacing = elements.decimals(_SPACING)
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
        number_of_frames=max(1, elements.integer(_FRAMES) or 1),
        instance_number=elements.integer(_INSTANCE_NUMBER),
        image_position_patient=position[:3] if len(position) == 3 else None,
        image_orientation_patient=orientation[:6] if len(orientation) == 6 else None,
        pixel_spacing=spacing[:2] if len(spacing) == 2 and min(spacing) > 0 else None,
        image_type=elements.codes(_IMAGE_TYPE),
        has_pixels=header.pixels is not None,
        attributes=_attributes(header) if with_attributes else {},
        synthetic_marks=_synthetic_marks(elements) if with_attributes else (),
    )


def _attributes(header: DicomHeader) -> dict[str, AttributeValue]:
    elements = header.elements
    found: dict[str, AttributeValue] = {}
    for name, tag in _CODES.items():
        found[name] = elements.code(tag)
    for name, tag in _TEXTS.items():
        found[name] = elements.text(tag)
    for name, tag in _DECIMALS.items():
        found[name] = elements.decimal(tag)
    for name, (tag, kind) in _BINARIES.items():
        found[name] = elements.binary(tag, kind)
    found["patient_name"] = elements.person_name(_PATIENT_NAME)
    found["patient_age"] = _age_years(elements)
    found["b_value"] = _b_value(elements)
    found["pixel_padding_value"] = _padding(elements)
    if header.pixels is not None and header.pixels.tag in _FLOAT_PIXELS:
        found["pixel_data_kind"] = "float"
    if elements.raw(_MODALITY_LUT):
        found["modality_lut"] = "YES"
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _age_years(elements: ElementTable) -> float | None:
    """Age in years from Patient's Age (PS3.5 6.2, AS), else from birth and study date."""
    match = _AGE.match(elements.code(_PATIENT_AGE))
    if match:
        years = int(match[1]) * _DAYS[match[2]] / _DAYS["Y"]
        return float(match[1]) if match[2] == "Y" else round(years, 3)
    born = _date(elements.code(_CODES["patient_birth_date"]))
    seen = _date(elements.code(_CODES["study_date"]))
    if born is None or seen is None or seen < born:
        return None
    birthday_passed = (seen.month, seen.day) >= (born.month, born.day)
    return float(seen.year - born.year - (0 if birthday_passed else 1))


def _date(text: str) -> date | None:
    digits = text.replace(".", "")
    if len(digits) != 8 or not digits.isdigit():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _b_value(elements: ElementTable) -> float | None:
    """Diffusion b-value in s/mm^2, from the standard element or the vendor's own.

    Siemens (0019,100C), Philips (2001,1003), GE (0043,1039; first value modulo 1e9 on newer
    systems), and last the b of Siemens sequence names (`*ep_b400t`). As dcm2niix does.
    """
    standard = elements.binary(_B_VALUE, "d")
    if standard is not None:
        return standard
    if elements.code(_SIEMENS_CREATOR).startswith("SIEMENS"):
        siemens = elements.decimal(_SIEMENS_B)
        if siemens is not None:
            return siemens
    philips = elements.binary(_PHILIPS_B, "f")
    if philips is not None and 0 <= philips < 1e5:
        return philips
    if elements.code(_GE_CREATOR).startswith("GEMS"):
        ge = elements.decimal(_GE_B)
        if ge is not None:
            return ge % 1e9
    match = _SEQUENCE_B_VALUE.search(elements.code(_CODES["sequence_name"]))
    return float(match[1]) if match else None


def _padding(elements: ElementTable) -> float | None:
    """Pixel Padding Value as a stored value; US or SS by Pixel Representation."""
    signed = elements.unsigned(0x00280103) == 1
    return elements.binary(_SMALLEST_PADDING, "h" if signed else "H")


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
    if marks and "SYNTHETIC" in elements.text(_TEXTS["series_description"]):
        marks.append("series_description")
    return tuple(marks)
