"""Any edited, removed, inserted or reordered line is found."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from carez_desktop.errors import StorageError
from carez_desktop.system.audit_log import GENESIS, AuditLog, verify_extract


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit")
    for number in range(5):
        log.append("import_studies", volumes=number, digest="ab" * 32)
    return log


def _rewrite(log: AuditLog, change) -> None:
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join(change(lines)) + "\n")


def test_an_untouched_log_verifies(log: AuditLog):
    assert log.verify() == ()
    assert log.head() == log.entries()[-1]["digest"]
    assert AuditLog(log.path.parent).verify() == ()


def test_a_new_log_is_empty_and_valid(tmp_path: Path):
    log = AuditLog(tmp_path / "audit")
    assert log.head() == GENESIS
    assert log.verify() == ()
    assert log.extract() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], lines[1].replace('"volumes": 1', '"volumes": 9'), *lines[2:]],
        lambda lines: [lines[0], lines[1].replace("import_studies", "delete"), *lines[2:]],
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0], *lines],
        lambda lines: lines[1:],
        lambda lines: lines[:-1],
        lambda lines: [*lines[:-1], lines[-1][:-9]],
    ],
    ids=["edited", "action", "removed", "swapped", "doubled", "first", "last", "torn"],
)
def test_every_tampering_is_found(log: AuditLog, change):
    _rewrite(log, change)
    findings = log.verify()
    assert findings
    assert {finding.code for finding in findings} == {"audit_chain_broken"}


def test_an_extract_is_a_chain_without_who_and_facts(log: AuditLog):
    extract = log.extract(3)
    assert len(extract) == 3
    assert verify_extract(extract)
    text = json.dumps(extract)
    assert "volumes" not in text
    assert "who" not in text
    extract[1]["action"] = "other"
    assert not verify_extract(extract)


def test_a_fact_that_names_a_patient_is_refused(log: AuditLog):
    with pytest.raises(ValueError, match="patient_name"):
        log.append("import_studies", patient_name="DOE^JANE")


def test_a_line_after_a_torn_one_starts_anew(log: AuditLog):
    with log.path.open("ab") as stream:
        stream.write(b'{"sequence": 5, "utc": "20')
    log.append("seal_bundle", root="0" * 64)
    findings = log.verify()
    assert [finding.subject for finding in findings] == ["line 6"]
    assert log.entries()[-1]["action"] == "seal_bundle"


def _append_some(folder: Path) -> None:
    log = AuditLog(folder)
    for number in range(10):
        log.append("measure", number=number)


def test_two_processes_keep_one_chain(tmp_path: Path):
    spawn = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    children = [spawn.Process(target=_append_some, args=(tmp_path / "audit",)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    log = AuditLog(tmp_path / "audit")
    assert len(log.entries()) == 20
    assert log.verify() == ()


def test_a_log_that_cannot_be_written_names_the_folder(log: AuditLog):
    log.path.unlink()
    log.path.mkdir()
    with pytest.raises(StorageError) as caught:
        log.append("import_studies")
    assert caught.value.subject == str(log.path.parent)
    assert caught.value.hint
