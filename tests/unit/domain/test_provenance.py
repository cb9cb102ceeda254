"""The `prov` package is the oracle: it must accept what we build."""

from __future__ import annotations

import json

from prov.model import ProvDocument

from carez_desktop.domain.provenance import CaseOrigin, describe_generation, with_activity

UUID = "6f0f6c1e-9a37-4c68-9d5b-0d6c4e1f2a3b"


def _document() -> dict:
    cases = [
        CaseOrigin(
            f"case-{k}", "d" * 64, "g", "1.0.0", "c" * 64, k, "hmac-sha256:a:b", {"dose": 0.5}
        )
        for k in (1, 2)
    ]
    return describe_generation(
        UUID,
        "tests",
        [*cases, CaseOrigin("case-3", "e" * 64, "h", "2.0.0", "b" * 64, 3)],
        started_utc="2026-01-02T03:04:05+00:00",
        ended_utc="2026-01-02T03:05:05+00:00",
        environment={"libraries": {"numpy": "2"}, "cpu_count": 2},
    )


def _parse(document: dict) -> ProvDocument:
    return ProvDocument.deserialize(content=json.dumps(document), format="json")


def test_prov_reads_it_and_writes_the_same_again():
    parsed = _parse(_document())
    again = ProvDocument.deserialize(content=parsed.serialize(format="json"), format="json")
    assert parsed == again
    kinds = [type(record).__name__ for record in parsed.get_records()]
    assert kinds.count("ProvGeneration") == 3
    assert kinds.count("ProvDerivation") == 2
    # One package for two cases is used once.
    assert kinds.count("ProvUsage") == 2


def test_a_later_activity_leaves_the_first_document_alone():
    document = _document()
    before = json.dumps(document)
    later = with_activity(
        document, "sealing-2", ended_utc="2026-01-03T00:00:00+00:00", used_root="f" * 64, kind="x"
    )
    assert json.dumps(document) == before
    kinds = [type(record).__name__ for record in _parse(later).get_records()]
    assert kinds.count("ProvActivity") == 2
    assert kinds.count("ProvUsage") == 3
