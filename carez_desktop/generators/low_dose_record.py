"""What a low-dose case says of itself: attributes without identity, findings, provenance."""

from __future__ import annotations

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.volume import Volume
from carez_desktop.generators.photon_fit import PhotonFit

_KEPT_ATTRIBUTES = (
    "patient_age",
    "patient_sex",
    "manufacturer",
    "manufacturer_model_name",
    "kvp",
    "slice_thickness",
    "convolution_kernel",
    "body_part_examined",
)
_DOSE_ATTRIBUTES = ("exposure", "x_ray_tube_current", "ctdi_vol")
REFERENCES = (
    "doi:10.1088/0031-9155/54/7/002",
    "doi:10.1097/RCT.0b013e318258e891",
)


def positive_number(volume: Volume, name: str) -> float | None:
    """Return an attribute of a volume as a positive number, None where it is none."""
    try:
        value = float(volume.attributes.get(name, ""))
    except (TypeError, ValueError):
        return None
    return value if 0.0 < value < float("inf") else None


def low_dose_attributes(volume: Volume, fraction: float) -> dict[str, str]:
    """Keep acquisition facts without identity; dose facts are those of the lower dose."""
    kept = {k: volume.attributes[k] for k in _KEPT_ATTRIBUTES if volume.attributes.get(k)}
    for name in _DOSE_ATTRIBUTES:
        value = positive_number(volume, name)
        if value is not None:
            kept[name] = f"{value * fraction:.6g}"
    kept["series_description"] = f"SYNTHETIC low-dose CT, {fraction:.3g} of the dose"
    return kept


def finding_about(
    code: str, volume: Volume, text: str, severity: Severity = Severity.WARNING
) -> Finding:
    """Return a finding about a source volume."""
    return Finding(severity, code, volume.volume_id, text)


def fit_findings(fit: PhotonFit, volume: Volume) -> list[Finding]:
    """Say where the photon number or the filter is less certain than usual."""
    findings = []
    if fit.method == "default":
        findings.append(
            finding_about(
                "photon_fit_default",
                volume,
                f"Only {fit.candidates} usable regions of soft tissue: the photon number is a "
                "default for the exposure and may be wrong by a factor of seven",
            )
        )
    elif fit.relative_sd > 0.15:
        findings.append(
            finding_about(
                "photon_fit_uncertain",
                volume,
                f"The fitted photon number has a standard error of {fit.relative_sd:.0%}",
            )
        )
    if fit.filter_method == "limit_of_family":
        findings.append(
            finding_about(
                "filter_at_limit",
                volume,
                "The source's noise is smoother or sharper than any filter of the family",
            )
        )
    elif fit.filter_method == "kernel_table":
        findings.append(
            finding_about(
                "filter_from_kernel",
                volume,
                "The noise texture could not be measured: the filter follows the kernel's name",
            )
        )
    return findings


def slice_findings(volume: Volume, truncated: int, starved: float) -> list[Finding]:
    """Say what projection met.

    Args:
        volume: The source.
        truncated: Slices whose body the field of view cuts.
        starved: Largest share of a slice's rays that would count fewer than four photons.
    """
    findings = []
    if truncated:
        findings.append(
            finding_about(
                "truncated_field_of_view",
                volume,
                f"The field of view cuts the body in {truncated} of {volume.geometry.shape[0]} "
                "slices; it was continued to an ellipse before projection",
                Severity.INFO,
            )
        )
    if starved > 0.001:
        findings.append(
            finding_about(
                "photon_starvation",
                volume,
                f"Up to {starved:.1%} of a slice's rays would count fewer than four photons",
            )
        )
    return findings
