"""What vendors keep in private elements: diffusion, the start of a PET scan, mosaics.

A private element counts only with its creator (PS3.5 7.8.1): the block that it lies in is the one
that the creator reserved. Tags as dcm2niix reads them (nii_dicom.cpp) and the vendors' conformance
statements name them.
"""

from __future__ import annotations

import re
import struct

from carez_desktop.dicom.elements import ElementTable
from carez_desktop.domain.study import AttributeValue

_BLOCKS = range(0x10, 0x14)
_SIEMENS, _GE, _PHILIPS, _UIH = "SIEMENS MR HEADER", "GEMS", "Philips Imaging", "Image Private"
_ELEMENTS = {
    0x0009: (0x0D,),  # GEMS_PETD_01: PET scan start
    0x0019: (0x0A, 0x0C, 0x0E, 0xBB, 0xBC, 0xBD),  # SIEMENS MR HEADER; GEMS_ACQU_01
    0x0043: (0x39,),  # GEMS_PARM_01
    0x0065: (0x09, 0x37),  # Image Private Header (United Imaging)
    0x2001: (0x03,),  # Philips Imaging DD 001
    0x2005: (0xB0, 0xB1, 0xB2),  # Philips MR Imaging DD 001
    0x7053: (0x00, 0x09),  # Philips PET Private Group
}
PRIVATE_TAGS = frozenset(
    tag
    for group, elements in _ELEMENTS.items()
    for block in _BLOCKS
    for tag in (group << 16 | block, *(group << 16 | block << 8 | part for part in elements))
)
DIFFUSION_SEQUENCE = 0x00189117
_B_VALUE, _DIRECTION, _DIRECTIONALITY = 0x00189087, 0x00189089, 0x00189075
_DIRECTION_SEQUENCE = 0x00189076
_SEQUENCE_NAME = 0x00180024
_SEQUENCE_B_VALUE = re.compile(r"_b(\d+)t?")
_HIGHEST_B = 1e5
_ZERO_B = 1e-6


def private_tag(elements: ElementTable, group: int, creator: str, part: int) -> int | None:
    """Return the tag of a private element; None where it or its creator is absent.

    Args:
        elements: A data set.
        group: Odd group number.
        creator: Beginning of the creator's name.
        part: Low byte of the element number.
    """
    for block in _BLOCKS:
        tag = group << 16 | block << 8 | part
        if tag in elements.values and elements.code(group << 16 | block).startswith(creator):
            return tag
    return None


def diffusion_facts(elements: ElementTable) -> dict[str, AttributeValue]:
    r"""Return `b_value` (s/mm^2) and `diffusion_direction` (`x\y\z`, four decimals).

    The standard's elements first (also in an MR Diffusion Sequence), then Siemens, Philips, GE
    (first value modulo 1e9 on newer systems) and United Imaging, last the b of Siemens sequence
    names (`*ep_b400t`). Directions of GE are in its image axes, all others in the patient's:
    enough to tell images apart, not to fit tensors.
    """
    item = elements.first_item(DIFFUSION_SEQUENCE)
    source = item if _B_VALUE in item else elements
    found: dict[str, AttributeValue] = {}
    b_value = source.binary(_B_VALUE, "d")
    if b_value is None:
        b_value = _private_b_value(elements)
    if b_value is None:
        match = _SEQUENCE_B_VALUE.search(elements.code(_SEQUENCE_NAME))
        b_value = float(match[1]) if match else None
    if b_value is not None and 0 <= b_value < _HIGHEST_B:
        found["b_value"] = b_value
    direction = source.first_item(_DIRECTION_SEQUENCE).binaries(_DIRECTION, "d")
    direction = direction or source.binaries(_DIRECTION, "d") or _private_direction(elements)
    if len(direction) == 3 and max(map(abs, direction)) > _ZERO_B:
        found["diffusion_direction"] = vector_text(direction)
    if directionality := source.code(_DIRECTIONALITY):
        found["diffusion_directionality"] = directionality
    return found


def vector_text(vector: tuple[float, ...]) -> str:
    """Return components with four decimals between backslashes."""
    return "\\".join(f"{component + 0.0:.4f}".replace("-0.0000", "0.0000") for component in vector)


def _private_b_value(elements: ElementTable) -> float | None:
    for group, creator, part in (
        (0x0019, _SIEMENS, 0x0C),
        (0x2001, _PHILIPS, 0x03),
        (0x0043, _GE, 0x39),
        (0x0065, _UIH, 0x09),
    ):
        tag = private_tag(elements, group, creator, part)
        if tag is None:
            continue
        value = _number(elements, tag, "f" if group == 0x2001 else "d")
        if value is not None:
            return value % 1e9 if group == 0x0043 else value
    return None


def _private_direction(elements: ElementTable) -> tuple[float, ...]:
    for group, creator, parts in (
        (0x0019, _SIEMENS, (0x0E,)),
        (0x2005, "Philips MR", (0xB0, 0xB1, 0xB2)),
        (0x0019, _GE, (0xBB, 0xBC, 0xBD)),
        (0x0065, _UIH, (0x37,)),
    ):
        tags = [private_tag(elements, group, creator, part) for part in parts]
        present = [tag for tag in tags if tag is not None]
        if len(present) != len(parts):
            continue
        if len(parts) == 1:
            return elements.binaries(present[0], "d")
        numbers = [_number(elements, tag, "f") for tag in present]
        return tuple(number for number in numbers if number is not None)
    return ()


def _number(elements: ElementTable, tag: int, kind: str) -> float | None:
    """Return the first number of a private element written as text, or in binary.

    Private elements in implicit files have no VR: a value that is as long as one binary number,
    and no text of a number, is binary.
    """
    text = elements.decimal(tag)
    if text is not None:
        return text
    if len(elements.raw(tag)) in (struct.calcsize(kind), 3 * struct.calcsize(kind)):
        return elements.binary(tag, kind)
    return None


def pet_facts(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return `ge_scan_datetime`, `philips_suv_factor` and `philips_bqml_factor` where given."""
    found: dict[str, AttributeValue] = {}
    started = private_tag(elements, 0x0009, "GEMS_PETD_01", 0x0D)
    if started is not None:
        found["ge_scan_datetime"] = elements.code(started)
    for name, part in (("philips_suv_factor", 0x00), ("philips_bqml_factor", 0x09)):
        tag = private_tag(elements, 0x7053, "Philips PET", part)
        number = None if tag is None else elements.decimal(tag)
        if number is not None:
            found[name] = number
    return found


def mosaic_facts(elements: ElementTable) -> dict[str, AttributeValue]:
    """Return `mosaic_images`: how many slices a Siemens mosaic shows as tiles."""
    tag = private_tag(elements, 0x0019, _SIEMENS, 0x0A)
    number = None if tag is None else _number(elements, tag, "H")
    return {} if number is None else {"mosaic_images": number}
