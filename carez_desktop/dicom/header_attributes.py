"""The keywords that the library keeps of an image, and how each element is read.

The same table reads top-level elements and those of functional groups: an enhanced frame tells the
same facts as a classic image, in the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from carez_desktop.dicom.elements import SPECIFIC_CHARACTER_SET, ElementTable
from carez_desktop.dicom.private_elements import (
    DIFFUSION_SEQUENCE,
    PRIVATE_TAGS,
    diffusion_facts,
    mosaic_facts,
    pet_facts,
)
from carez_desktop.domain.study import AttributeValue

_Read = Callable[[ElementTable, int], AttributeValue]

_CODES = {
    "patient_sex": 0x00100040,
    "patient_birth_date": 0x00100030,
    "study_date": 0x00080020,
    "study_time": 0x00080030,
    "series_date": 0x00080021,
    "series_time": 0x00080031,
    "acquisition_date": 0x00080022,
    "acquisition_time": 0x00080032,
    "acquisition_datetime": 0x0008002A,
    "content_time": 0x00080033,
    "body_part_examined": 0x00180015,
    "patient_position": 0x00185100,
    "laterality": 0x00200060,
    "image_laterality": 0x00200062,
    "view_position": 0x00185101,
    "presentation_intent_type": 0x00080068,
    "photometric_interpretation": 0x00280004,
    "lossy_image_compression": 0x00282110,
    "rescale_type": 0x00281054,
    "sequence_name": 0x00180024,
    "scan_options": 0x00180022,
    "sequence_variant": 0x00180021,
    "mr_acquisition_type": 0x00180023,
    "complex_image_component": 0x00089208,
    "acquisition_contrast": 0x00089209,
    "stack_id": 0x00209056,
    "units": 0x00541001,
    "suv_type": 0x00541006,
    "decay_correction": 0x00541102,
    "decay_correction_datetime": 0x00189701,
    "corrected_image": 0x00280051,
    "presentation_lut_shape": 0x20500020,
    "acquisition_type": 0x00189302,
    "burned_in_annotation": 0x00280301,
}
_TEXTS = {
    "patient_id": 0x00100020,
    "accession_number": 0x00080050,
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
    "contrast_bolus_agent": 0x00180010,
    "study_id": 0x00200010,
    "image_comments": 0x00204000,
}
_DECIMALS = {
    "slice_thickness": 0x00180050,
    "spacing_between_slices": 0x00180088,
    "kvp": 0x00180060,
    "exposure": 0x00181152,
    "exposure_time": 0x00181150,
    "x_ray_tube_current": 0x00181151,
    "estimated_magnification": 0x00181114,
    "magnetic_field_strength": 0x00180087,
    "echo_time": 0x00180081,
    "repetition_time": 0x00180080,
    "inversion_time": 0x00180082,
    "flip_angle": 0x00181314,
    "echo_numbers": 0x00180086,
    "temporal_position_identifier": 0x00200100,
    "trigger_time": 0x00181060,
    "acquisition_number": 0x00200012,
    "gantry_detector_tilt": 0x00181120,
    "reconstruction_diameter": 0x00181100,
    "patient_weight": 0x00101030,
    "patient_size": 0x00101020,
    "series_number": 0x00200011,
    "rescale_slope": 0x00281053,
    "rescale_intercept": 0x00281052,
    "window_center": 0x00281050,
    "window_width": 0x00281051,
    "slice_location": 0x00201041,
    "frame_time": 0x00181063,
    "cine_rate": 0x00180040,
    "recommended_display_frame_rate": 0x00082144,
    "frame_reference_time": 0x00541300,
    "actual_frame_duration": 0x00181242,
}
_BINARIES = {
    "bits_allocated": (0x00280100, "H"),
    "bits_stored": (0x00280101, "H"),
    "high_bit": (0x00280102, "H"),
    "pixel_representation": (0x00280103, "H"),
    "samples_per_pixel": (0x00280002, "H"),
    "ctdi_vol": (0x00189345, "d"),
    "total_pixel_matrix_columns": (0x00480006, "I"),
    "total_pixel_matrix_rows": (0x00480007, "I"),
}
_IN_GROUPS: dict[int, tuple[str, str]] = {
    0x00189082: ("echo_time", "d"),
    0x00189079: ("inversion_time", "d"),
    0x00189328: ("exposure_time", "d"),
    0x00189330: ("x_ray_tube_current", "d"),
    0x00189332: ("exposure", "d"),
    0x00209153: ("trigger_time", "d"),
    0x00209156: ("acquisition_number", "H"),
    0x00209128: ("temporal_position_identifier", "I"),
    0x0020930D: ("temporal_position_offset", "d"),
    0x00209057: ("in_stack_position_number", "I"),
    0x00189074: ("acquisition_datetime", ""),
    0x0018937C: ("monoenergetic_kev", "d"),
}
"""Elements of functional groups that say under another tag what a classic image says."""

_PATIENT_NAME, _PATIENT_AGE, _PADDING = 0x00100010, 0x00101010, 0x00280120
_MODALITY_LUT, _RADIOPHARMACEUTICAL = 0x00283000, 0x00540016
_FRAME_INCREMENT, _DIMENSION_INDEX = 0x00280009, 0x00209157
_B_VALUE, _DIRECTION, _DIRECTIONALITY = 0x00189087, 0x00189089, 0x00189075
_PIXEL_REPRESENTATION, _MODALITY = 0x00280103, 0x00080060

_AGE = re.compile(r"^(\d{1,3})([DWMY])$")
_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}


def _binary(kind: str) -> _Read:
    return lambda elements, tag: elements.binary(tag, kind)


_READERS: dict[int, tuple[str, _Read]] = {
    **{tag: (name, ElementTable.code) for name, tag in _CODES.items()},
    **{tag: (name, ElementTable.text) for name, tag in _TEXTS.items()},
    **{tag: (name, ElementTable.decimal) for name, tag in _DECIMALS.items()},
    **{tag: (name, _binary(kind)) for name, (tag, kind) in _BINARIES.items()},
    0x00181065: ("frame_times", ElementTable.listing),
    **{
        tag: (name, _binary(kind) if kind else ElementTable.code)
        for tag, (name, kind) in _IN_GROUPS.items()
    },
}
_LAST = frozenset(_IN_GROUPS)
TEXT_TAGS = (_PATIENT_NAME, *_TEXTS.values())
"""Texts that a person wrote."""

ATTRIBUTE_TAGS = frozenset(
    (
        SPECIFIC_CHARACTER_SET,
        *_READERS,
        *PRIVATE_TAGS,
        *(_PATIENT_NAME, _PATIENT_AGE, _PADDING, _MODALITY_LUT, _RADIOPHARMACEUTICAL),
        *(_FRAME_INCREMENT, DIFFUSION_SEQUENCE, _B_VALUE, _DIRECTION, _DIRECTIONALITY),
    )
)
"""What `header_attributes` looks at."""


def table_facts(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return the facts that stand in elements of the table; without what is empty."""
    found: dict[str, AttributeValue] = {}
    for tag in elements.values:
        entry = _READERS.get(tag)
        if entry is None:
            continue
        name, read = entry
        value = read(elements, tag)
        if value is not None and value != "" and (tag in _LAST or name not in found):
            found[name] = value
    indices = elements.binaries(_DIMENSION_INDEX, "I")
    if indices:
        found["dimension_index"] = "\\".join(f"{index:.0f}" for index in indices)
    return found


def header_attributes(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return everything that the library keeps of a data set, by keyword in snake_case."""
    found = table_facts(elements)
    name, ideographic, phonetic = elements.person_name_groups(_PATIENT_NAME)
    more: dict[str, AttributeValue] = {
        "patient_name": name or ideographic or phonetic,
        "patient_name_ideographic": ideographic,
        "patient_name_phonetic": phonetic,
        "patient_age": _age_years(elements),
        "pixel_padding_value": _padding(elements),
        "modality_lut": "YES" if elements.raw(_MODALITY_LUT) else None,
        "frame_increment_pointer": "\\".join(f"{t:08X}" for t in elements.tags(_FRAME_INCREMENT)),
    }
    found.update((key, value) for key, value in more.items() if value is not None and value != "")
    if elements.code(_MODALITY) == "MR":
        found.update(diffusion_facts(elements))
        found.update(mosaic_facts(elements))
    if _RADIOPHARMACEUTICAL in elements:
        found.update(_injection(elements))
        found.update(pet_facts(elements))
    return found


def _injection(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return what a PET scan says of the tracer (PS3.3 C.8.9.2)."""
    items = elements.items(_RADIOPHARMACEUTICAL)
    first = items[0] if items else ElementTable()
    found: dict[str, AttributeValue] = {
        "radiopharmaceutical": first.text(0x00180031),
        "radiopharmaceutical_start_time": first.code(0x00181072),
        "radiopharmaceutical_start_datetime": first.code(0x00181078),
        "radionuclide_total_dose": first.decimal(0x00181074),
        "radionuclide_half_life": first.decimal(0x00181075),
        "radionuclide": first.first_item(0x00540300).text(0x00080104),
        "radiopharmaceutical_count": float(len(items)) if len(items) > 1 else None,
    }
    return {name: value for name, value in found.items() if value is not None and value != ""}


def image_components(
    image_type: tuple[str, ...], facts: Mapping[str, AttributeValue]
) -> dict[str, AttributeValue]:
    """Return `complex_image_component` and `image_component` as the image type tells them.

    Siemens, Philips and GE write M, P, R, I or whole words; derived maps have names of their own
    (ADC, FA, TRACEW, CBF ...): PS3.3 C.8.3.1.1.1 and the vendors' conformance statements.
    """
    found: dict[str, AttributeValue] = {}
    if "complex_image_component" not in facts:
        component = next((_COMPONENTS[part] for part in image_type[2:] if part in _COMPONENTS), "")
        if component:
            found["complex_image_component"] = component
    maps = [part for part in image_type[2:] if part in _MAPS]
    if maps:
        found["image_component"] = "\\".join(maps)
    return found


_COMPONENTS = {
    **dict.fromkeys(("M", "MAGNITUDE", "M_FFE", "M_SE", "M_IR", "M_PCA"), "MAGNITUDE"),
    **dict.fromkeys(("P", "PHASE", "PHASE MAP", "PHASE CONTRAST P", "VELOCITY"), "PHASE"),
    **dict.fromkeys(("R", "REAL", "R_FFE", "R_SE", "R_IR"), "REAL"),
    **dict.fromkeys(("I", "IMAGINARY", "I_FFE", "I_SE", "I_IR"), "IMAGINARY"),
}
_MAPS = frozenset(
    (
        *("ADC", "EADC", "FA", "TRACEW", "TRACE", "TENSOR", "COLFA", "EXP", "DIFFUSION"),
        *(
            "CBF",
            "CBV",
            "RCBF",
            "RCBV",
            "RMTT",
            "RELCBF",
            "RELCBV",
            "RELMTT",
            "MTT",
            "TTP",
            "TMAX",
            "GBP",
        ),
        *("T1 MAP", "T2 MAP", "T2_STAR", "R2", "R2_STAR", "FAT", "WATER", "FAT_FRACTION"),
        *("IN_PHASE", "OUT_PHASE", "OPP_PHASE", "W", "F", "IP", "OP", "SUB", "MIP", "MPR"),
        *("MEAN", "T_TEST", "MOSAIC", "LOCALIZER", "MIN IP", "VOLUME", "VPCT", "PERFUSION"),
    )
)


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


def _padding(elements: ElementTable) -> float | None:
    """Pixel Padding Value as a stored value; US or SS by Pixel Representation."""
    signed = elements.unsigned(_PIXEL_REPRESENTATION) == 1
    return elements.binary(_PADDING, "h" if signed else "H")
