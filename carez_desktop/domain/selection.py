"""Conditions by which volumes are chosen: `modality=CT`, `slice_thickness<=2`, `label.x!=none`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.errors import UsageError

_CONDITION = re.compile(r"^\s*([A-Za-z][\w.]*)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*$")
_RECORD_FIELDS = (
    "volume_id",
    "series_instance_uid",
    "study_instance_uid",
    "patient_id",
    "modality",
    "description",
    "orientation",
    "source_format",
    "frame_of_reference_uid",
)
_HINT = "e.g. modality=CT, kvp>=100, description~lung, label.disease=nodule, stratum.dose=low"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a volume.

    Attributes:
        name: A field of the record, a DICOM keyword in snake_case, `slices`, `rows`, `columns`,
            `kind`, `label.NAME`, or `stratum.AXIS`.
        operator: `=`, `!=`, `<`, `<=`, `>`, `>=`, or `~` (contains).
        value: Text or number; compared without regard to case.
    """

    name: str
    operator: str
    value: str

    def holds_for(self, record: VolumeRecord, strata: Mapping[str, str]) -> bool:
        """Whether a volume meets it; a volume that lacks the value only meets `!=`.

        Args:
            record: The volume.
            strata: Axis name -> stratum of the volume, for `stratum.AXIS`.
        """
        found = _value_of(self.name, record, strata)
        if found is None or found == "":
            return self.operator == "!="
        if self.operator == "~":
            return self.value.casefold() in str(found).casefold()
        left, right = _number(found), _number(self.value)
        if left is not None and right is not None:
            order = (left > right) - (left < right)
        elif self.operator in ("=", "!="):
            order = int(str(found).casefold() != self.value.casefold())
        else:
            return False
        return {
            "=": order == 0,
            "!=": order != 0,
            "<": order < 0,
            "<=": order <= 0,
            ">": order > 0,
            ">=": order >= 0,
        }[self.operator]


def parse_condition(text: str) -> Condition:
    """Read a condition as it is typed.

    Raises:
        UsageError: For what is none; a number is needed after `<` and `>`.
    """
    match = _CONDITION.match(text)
    if match is None:
        raise UsageError("This is no condition on a volume", subject=text, hint=_HINT)
    condition = Condition(*match.groups())
    if condition.operator[0] in "<>" and _number(condition.value) is None:
        raise UsageError(f"{condition.operator} needs a number", subject=text, hint=_HINT)
    return condition


def check_names(conditions: Iterable[Condition], records: Iterable[VolumeRecord]) -> None:
    """Refuse a condition on something that no volume has: most likely a slip of the pen.

    Raises:
        UsageError: Naming the condition and what there is.
    """
    attributes: set[str] = set()
    labels: set[str] = set()
    for record in records:
        attributes |= record.attributes.keys()
        labels |= record.labels.keys()
    known = {*_RECORD_FIELDS, "kind", "slices", "rows", "columns", *attributes}
    for condition in conditions:
        prefix, _, rest = condition.name.partition(".")
        if condition.name in known or prefix == "stratum" or (prefix == "label" and rest in labels):
            continue
        raise UsageError(f"No volume has {condition.name}", subject=condition.name, hint=_HINT)


def _value_of(
    name: str, record: VolumeRecord, strata: Mapping[str, str]
) -> str | float | int | None:
    prefix, _, rest = name.partition(".")
    if prefix == "label":
        return record.labels.get(rest)
    if prefix == "stratum":
        return strata.get(rest)
    if name in ("slices", "rows", "columns"):
        return record.shape[("slices", "rows", "columns").index(name)]
    if name == "kind":
        return record.kind.value
    if name in _RECORD_FIELDS:
        return str(getattr(record, name))
    return record.attributes.get(name)


def _number(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
