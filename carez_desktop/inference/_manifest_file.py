"""The files of a generator package as they stand on disk, turned into domain records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from carez_desktop.domain.generation import ConditionSpec, GeneratorManifest, PrivacyClass
from carez_desktop.errors import ModelError

_SEMVER = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"
_NAME = r"^[a-z][a-z0-9_-]*$"
_REPAIR = "Install the package again, or correct the file (docs/reference/model-package.md)"
_TYPES = ("number", "integer", "string", "boolean")


class _OutputsFile(BaseModel):
    model_config = ConfigDict(extra="allow")

    modality: str = Field(min_length=1)
    units: str = Field(min_length=1)
    value_range: tuple[float, float] | None = None


class _ManifestFile(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str = Field(pattern=_NAME)
    version: str = Field(pattern=_SEMVER)
    family: str = Field(pattern=_NAME)
    title: str = ""
    summary: str = ""
    outputs: _OutputsFile
    source_modality: str = ""
    privacy_class: PrivacyClass
    license: str = Field(min_length=1)
    intended_use: str = Field(min_length=1)
    minimum_memory_mib: int = Field(ge=1)
    files: dict[str, str]

    @field_validator("files")
    @classmethod
    def _check_digests(cls, files: dict[str, str]) -> dict[str, str]:
        for path, digest in files.items():
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError(f"{path} has no SHA-256 in lower-case hex")
        return files


def read_manifest(content: bytes, *, subject: str) -> tuple[dict[str, Any], _ManifestFile]:
    """Parse `manifest.json` and check its keys.

    Raises:
        ModelError: Not JSON, or a key that is missing or wrong; names the key.
    """
    raw = read_json_object(content, subject=subject)
    try:
        return raw, _ManifestFile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"The manifest's key {place} is not valid: {first['msg']}",
            subject=subject,
            hint=_REPAIR,
        ) from None


def to_domain(
    raw: Mapping[str, Any], parsed: _ManifestFile, conditions: tuple[ConditionSpec, ...]
) -> GeneratorManifest:
    """Join a parsed manifest and its conditions to the domain's record."""
    return GeneratorManifest(
        id=parsed.id,
        version=parsed.version,
        family=parsed.family,
        title=parsed.title or parsed.id,
        summary=parsed.summary,
        modality=parsed.outputs.modality,
        units=parsed.outputs.units,
        source_modality=parsed.source_modality,
        privacy_class=parsed.privacy_class,
        license=parsed.license,
        intended_use=parsed.intended_use,
        minimum_memory_mib=parsed.minimum_memory_mib,
        conditions=conditions,
        files=dict(parsed.files),
        raw=dict(raw),
    )


def read_conditions(content: bytes, *, subject: str) -> tuple[ConditionSpec, ...]:
    """Parse `conditioning.schema.json` (JSON Schema 2020-12, one flat object).

    Raises:
        ModelError: Not a JSON Schema, a reference elsewhere, or a condition of another kind.
    """
    from jsonschema import Draft202012Validator, SchemaError

    schema = read_json_object(content, subject=subject)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ModelError(
            f"This is no JSON Schema: {error.message}", subject=subject, hint=_REPAIR
        ) from None
    if b'"$ref"' in content or b'"$dynamicRef"' in content:
        raise ModelError("The schema refers to another schema", subject=subject, hint=_REPAIR)
    properties = schema.get("properties", {})
    return tuple(_condition(name, entry, subject=subject) for name, entry in properties.items())


def _condition(name: str, entry: Any, *, subject: str) -> ConditionSpec:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind not in _TYPES:
        raise ModelError(
            f"The condition {name} needs a type of {', '.join(_TYPES)}",
            subject=subject,
            hint=_REPAIR,
        )
    low, open_low = _bound(entry, "minimum", "exclusiveMinimum")
    high, open_high = _bound(entry, "maximum", "exclusiveMaximum")
    spec = ConditionSpec(
        name=name,
        title=str(entry.get("title", name.replace("_", " "))),
        kind=kind,
        unit=str(entry.get("unit", entry.get("x-unit", ""))),
        minimum=low,
        maximum=high,
        exclusive_minimum=open_low,
        exclusive_maximum=open_high,
        default=entry.get("default"),
        choices=tuple(str(choice) for choice in entry.get("enum", ())),
        description=str(entry.get("description", "")),
    )
    if spec.default is not None:
        spec.check(spec.default)
    return spec


def _bound(entry: Mapping[str, Any], closed: str, exclusive: str) -> tuple[float | None, bool]:
    if exclusive in entry:
        return float(entry[exclusive]), True
    return (float(entry[closed]), False) if closed in entry else (None, False)


def read_json_object(content: bytes, *, subject: str) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        ModelError: Not UTF-8, not JSON, or not an object.
    """
    try:
        raw = json.loads(content.decode("utf-8"))
    except ValueError:
        raise ModelError("This file is no JSON", subject=subject, hint=_REPAIR) from None
    if not isinstance(raw, dict):
        raise ModelError("This file is no JSON object", subject=subject, hint=_REPAIR)
    return raw
