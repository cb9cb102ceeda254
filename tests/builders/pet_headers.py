"""Headers of PET slices whose uptake is known in closed form."""

from __future__ import annotations

from carez_desktop.domain.study import AttributeValue, InstanceHeader

HALF_LIFE = 6588.0
DOSE, WEIGHT = 3.7e8, 74.0
FULL = WEIGHT * 1000 / DOSE
FACTS: dict[str, AttributeValue] = {
    "units": "BQML",
    "decay_correction": "START",
    "corrected_image": "DECY\\ATTN\\SCAT",
    "patient_weight": WEIGHT,
    "radionuclide_total_dose": DOSE,
    "radionuclide_half_life": HALF_LIFE,
    "radiopharmaceutical_start_time": "080000.00",
    "series_date": "20200301",
    "series_time": "094948",
    "acquisition_date": "20200301",
    "acquisition_time": "094948",
}
"""One half-life of 109 minutes 48 seconds lies between injection and scan."""


def pet_header(**changes: AttributeValue) -> InstanceHeader:
    facts = {name: value for name, value in {**FACTS, **changes}.items() if value is not None}
    return InstanceHeader(
        path="a",
        file_size=1,
        modified_ns=1,
        sop_class_uid="",
        sop_instance_uid="1.2",
        series_instance_uid="1.3",
        study_instance_uid="1.4",
        frame_of_reference_uid="",
        modality="PT",
        transfer_syntax_uid="",
        rows=2,
        columns=2,
        number_of_frames=1,
        instance_number=1,
        image_position_patient=None,
        image_orientation_patient=None,
        pixel_spacing=None,
        image_type=(),
        has_pixels=True,
        attributes=facts,
    )
