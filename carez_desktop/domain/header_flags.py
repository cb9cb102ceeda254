"""What was odd in the headers of a pile of instances, in words.

Readers of headers note codes in the attribute `header_flags`; one finding speaks for all
instances that have the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from carez_desktop.domain.finding import Finding, Severity, counted
from carez_desktop.domain.study import InstanceHeader

_WORDS: dict[str, tuple[Severity, str]] = {
    "no_meta": (
        Severity.INFO,
        "{files} without file meta information: the encoding was worked out from the first bytes",
    ),
    "wrong_meta": (
        Severity.WARNING,
        "{files} in another encoding than the file meta says: read as the first bytes are",
    ),
    "header_cut": (
        Severity.WARNING,
        "{files} with a header that breaks off: what stands before was read",
    ),
    "charset_guessed": (
        Severity.WARNING,
        "{files} with text that does not fit the named character set: names are a best guess",
    ),
    "charset_unknown": (
        Severity.WARNING,
        "{files} with a character set that nobody defined (0008,0005): names are a best guess",
    ),
    "text_cut": (
        Severity.WARNING,
        "{files} with a text of more than 10 240 bytes: only its beginning was read",
    ),
    "spacing_at_detector": (
        Severity.WARNING,
        "Spacing at the detector: lengths in the patient come out too large{magnification}",
    ),
    "us_regions_differ": (
        Severity.WARNING,
        "The ultrasound regions differ in scale: no lengths are measured",
    ),
    "frames_miscounted": (
        Severity.WARNING,
        "{files} with another Number of Frames than frames described: the described ones are shown",
    ),
    "spacing_from_thickness": (
        Severity.WARNING,
        "Spacing Between Slices is missing: the slice thickness was taken",
    ),
    "tomogram_without_place": (
        Severity.WARNING,
        "The tomogram does not say where its slices lie: it is shown as a sequence of images",
    ),
}
"""Code -> severity and sentence; a code that is not listed is told to nobody (`no_preamble`)."""

_SOURCES = {
    "imager_pixel_spacing": "Imager Pixel Spacing (at the detector)",
    "nominal_scanned_pixel_spacing": "Nominal Scanned Pixel Spacing (of the film)",
    "us_region": "the ultrasound region calibration",
}


def flag_findings(headers: Sequence[InstanceHeader], subject: str) -> tuple[Finding, ...]:
    """Return one finding for each odd thing that the headers of a pile carry.

    Args:
        headers: With the attributes `header_flags`, `spacing_source`, `estimated_magnification`.
        subject: Volume that the findings are about.
    """
    files: Counter[str] = Counter()
    for path, codes in {h.path: str(h.attributes.get("header_flags", "")) for h in headers}.items():
        files.update(set(codes.split()) if path else ())
    findings = []
    for code, (severity, words) in _WORDS.items():
        if files[code]:
            text = words.format(
                files=counted(files[code], "file"), magnification=_magnification(headers)
            )
            findings.append(Finding(severity, code, subject, text))
    sources = {str(header.attributes.get("spacing_source", "")) for header in headers}
    for source in sorted(sources & _SOURCES.keys()):
        text = f"There is no Pixel Spacing: {_SOURCES[source]} was taken"
        findings.append(Finding(Severity.INFO, "spacing_source", subject, text))
    return tuple(findings)


def _magnification(headers: Sequence[InstanceHeader]) -> str:
    factors = [header.attributes.get("estimated_magnification") for header in headers]
    numbers = sorted({factor for factor in factors if isinstance(factor, float) and factor > 1.0})
    return f", by about {numbers[-1]:.3g} in the middle of the patient" if numbers else ""
