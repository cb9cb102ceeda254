"""Flags of headers become findings in words."""

from __future__ import annotations

from dataclasses import replace

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.header_flags import flag_findings
from carez_desktop.domain.study import AttributeValue
from tests.builders.pet_headers import pet_header


def test_one_finding_for_each_code_counts_files_not_frames() -> None:
    frames = [
        replace(pet_header(header_flags=flags), path=path, frame_index=index)
        for index, (path, flags) in enumerate(
            [("a", "wrong_meta no_preamble"), ("a", "wrong_meta no_preamble"), ("b", "wrong_meta")]
        )
    ]
    (finding,) = flag_findings(frames, "1.2")
    assert (finding.code, finding.subject, finding.severity) == (
        "wrong_meta",
        "1.2",
        Severity.WARNING,
    )
    assert finding.text.startswith("2 files in another encoding")


def test_spacing_at_the_detector_tells_the_magnification() -> None:
    facts: dict[str, AttributeValue] = {
        "header_flags": "spacing_at_detector",
        "estimated_magnification": 1.25,
    }
    found = flag_findings([pet_header(**facts, spacing_source="imager_pixel_spacing")], "1.2")
    assert [finding.code for finding in found] == ["spacing_at_detector", "spacing_source"]
    assert "by about 1.25" in found[0].text
    assert "Imager Pixel Spacing" in found[1].text


def test_nothing_odd_gives_nothing() -> None:
    assert flag_findings([pet_header()], "1.2") == ()
