"""Seal, verify, evaluate, inspect and regenerate; the stand-alone verifier must agree."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prov.model import ProvDocument

from carez_desktop.domain.bundle import RegenerationOutcome, SealVerdict
from carez_desktop.domain.codec import array_digest
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import InputError, ModelError, UsageError
from carez_desktop.hdf5.reader import read_header, read_parts
from carez_desktop.system.keys import (
    load_or_create_signing_key,
    public_bytes,
    site_secret,
    source_digest,
)
from carez_desktop.system.signing import TrustStore
from carez_desktop.workflows import regenerate_cases as regenerate_module
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.inspect_bundle import inspect_bundle
from carez_desktop.workflows.record_evaluation import record_evaluation
from carez_desktop.workflows.regenerate_cases import compare, regenerate_cases
from carez_desktop.workflows.seal_bundle import seal_bundle
from carez_desktop.workflows.verify_bundle import verify_bundle
from tests.builders.bundles import (
    COVERAGE,
    SOURCE_UID,
    evaluation,
    header,
    make_bundle,
    make_case,
    oblique_geometry,
    provenance,
    voxels_of,
)

STAND_ALONE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "verify_bundle.py"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> WorkflowContext:
    made = open_context(tmp_path_factory.mktemp("home"))
    return replace(made, clock=lambda: datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))


@pytest.fixture(scope="module")
def sealed_once(context: WorkflowContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = make_bundle(tmp_path_factory.mktemp("sealed")).bundle
    return seal_bundle(context, bundle=bundle).bundle


@pytest.fixture
def sealed(sealed_once: Path, tmp_path: Path) -> Path:
    shutil.copy(sealed_once.with_name("set.h5.intoto.jsonl"), tmp_path)
    return Path(shutil.copy(sealed_once, tmp_path / "set.h5"))


def _stand_alone(bundle: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(STAND_ALONE), str(bundle), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.split()[0]


def _own_key(context: WorkflowContext) -> str:
    return public_bytes(load_or_create_signing_key(context.home)).hex()


def test_draft_then_evaluated_then_sealed(context: WorkflowContext, tmp_path: Path):
    draft = make_bundle(tmp_path)
    assert verify_bundle(context, bundle=draft.bundle).verdict is SealVerdict.UNSIGNED
    evaluated = record_evaluation(context, bundle=draft.bundle, evaluation=evaluation())
    first = read_header(draft.bundle)
    assert (first.state, first.revision, first.previous_root) == ("evaluated", 2, draft.root)
    out = tmp_path / "sealed.h5"
    sealed = seal_bundle(context, bundle=draft.bundle, out=out)
    second = read_header(out)
    assert (second.state, second.revision, second.previous_root) == ("sealed", 3, evaluated.root)
    assert second.bundle_uuid == first.bundle_uuid
    verdict = verify_bundle(context, bundle=out)
    assert (verdict.verdict, verdict.findings) == (SealVerdict.VALID, ())
    assert (verdict.root, verdict.keyid) == (sealed.root, sealed.keyid)
    assert verify_bundle(context, bundle=draft.bundle).verdict is SealVerdict.UNSIGNED
    with pytest.raises(UsageError, match="exists"):
        seal_bundle(context, bundle=draft.bundle, out=out)
    activities = read_parts(out)["provenance"]["activity"]
    assert {"carez:evaluation-2", "carez:sealing-3"} <= activities.keys()
    actions = [line["action"] for line in context.audit_log.entries()]
    assert {"seal_bundle", "record_evaluation", "verify_bundle"} <= set(actions)
    assert context.audit_log.verify() == ()


def test_the_audit_extract_goes_along(context: WorkflowContext, tmp_path: Path):
    fresh = open_context(tmp_path / "home")
    fixed = replace(fresh, clock=context.clock)
    fixed.audit_log.append("generate_cohort", cases=2)
    extract = fixed.audit_log.extract()
    bundle = make_bundle(tmp_path).bundle
    seal_bundle(fixed, bundle=bundle, out=tmp_path / "a.h5")
    assert read_parts(tmp_path / "a.h5")["audit"] == extract


def test_the_stand_alone_verifier_agrees_on_good_bundles(
    context: WorkflowContext, sealed: Path, tmp_path: Path
):
    key = _own_key(context)
    assert _stand_alone(sealed, "--key", key) == (0, "valid")
    assert _stand_alone(sealed) == (0, "untrusted")
    assert _stand_alone(sealed, "--key", "0" * 64) == (1, "untrusted")
    draft = make_bundle(tmp_path / "draft").bundle
    assert _stand_alone(draft) == (0, "unsigned")
    assert len(STAND_ALONE.read_text().splitlines()) <= 200


def test_another_site_does_not_trust_the_key_until_it_is_told(sealed: Path, tmp_path: Path):
    other = open_context(tmp_path / "other")
    verdict = verify_bundle(other, bundle=sealed)
    assert verdict.verdict is SealVerdict.UNTRUSTED
    with h5py.File(sealed, "r") as file:
        public = file[f"signatures/{verdict.keyid}"].attrs["public_key"].decode()
    TrustStore(other.home).add(bytes.fromhex(public))
    assert verify_bundle(other, bundle=sealed).verdict is SealVerdict.VALID


def _flip_chunk(path: Path, name: str) -> None:
    with h5py.File(path, "r") as file:
        chunk = file[name].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(content)


def _edit(path: Path, change) -> None:
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        change(file)


def _sign_other(file: h5py.File) -> None:
    """Replace the signature by a good one of a stranger over another root."""
    from carez_desktop.domain.bundle import ROOT_DIGEST_NAME
    from carez_desktop.hdf5.plain_storage import write_attributes, write_json
    from carez_desktop.system.keys import key_id
    from carez_desktop.system.signing import sign, statement_for

    stranger = Ed25519PrivateKey.generate()
    public = public_bytes(stranger)
    name = next(iter(file["signatures"]))
    old = json.loads(base64.b64decode(json.loads(file[f"signatures/{name}"][()])["payload"]))
    del file[f"signatures/{name}"]
    statement = statement_for("x", {ROOT_DIGEST_NAME: "0" * 64}, "urn:x", old["predicate"])
    write_json(file["signatures"], key_id(public), sign(statement, stranger))
    write_attributes(file[f"signatures/{key_id(public)}"], {"public_key": public.hex()})


def _empty_signatures(file: h5py.File) -> None:
    del file["signatures"]
    file.create_group("signatures")


def _spoil_signature(file: h5py.File) -> None:
    data = file["signatures"][next(iter(file["signatures"]))]
    envelope = json.loads(data[()])
    envelope["payload"] = base64.b64encode(
        base64.b64decode(envelope["payload"]).replace(b'"revision":2', b'"revision":3')
    ).decode()
    data[()] = json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()


IMAGE = "cases/case-0001/image"
LABEL = "cases/case-0002/labels/nodule"


@pytest.mark.parametrize(
    ("tamper", "subject"),
    [
        (lambda path: _flip_chunk(path, IMAGE), f"/{IMAGE}"),
        (
            lambda path: _flip_chunk(path, "cases/case-0002/labels/nodule"),
            "/cases/case-0002/labels",
        ),
        (lambda path: _edit(path, lambda f: f[IMAGE].attrs.modify("units", b"XX")), "@units"),
        (lambda path: _edit(path, lambda f: f["cases"].create_group("more")), "/cases/more"),
        (lambda path: _edit(path, lambda f: f["cases"].pop("case-0001")), "/cases/case-0001"),
        (lambda path: _edit(path, lambda f: f.pop("signatures")), "/signatures"),
        (lambda path: _edit(path, lambda f: f["signatures"].create_group("x")), "/signatures/x"),
        (lambda path: _edit(path, _empty_signatures), "/signatures"),
        (lambda path: _edit(path, _spoil_signature), "/signatures/"),
        (lambda path: _edit(path, _sign_other), "/signatures/"),
        (
            lambda path: _edit(path, lambda f: f.__setitem__("cards/x", h5py.SoftLink("/"))),
            "/cards/x",
        ),
    ],
    ids=[
        "pixel",
        "label",
        "attribute",
        "added",
        "dropped",
        "signature dropped",
        "hidden",
        "signatures emptied",
        "signed content",
        "other root",
        "link",
    ],
)
def test_tampering_is_invalid_for_both_verifiers(
    context: WorkflowContext, sealed: Path, tamper, subject: str
):
    tamper(sealed)
    verdict = verify_bundle(context, bundle=sealed)
    assert verdict.verdict is SealVerdict.INVALID
    assert verdict.keyid == ""
    assert any(subject in finding.subject for finding in verdict.findings)
    assert _stand_alone(sealed, "--key", _own_key(context)) == (1, "invalid")


def test_a_rewritten_manifest_does_not_help(context: WorkflowContext, sealed: Path):
    """Whoever edits content and manifest consistently is left without a signature."""
    from carez_desktop.hdf5.manifest import build_manifest, write_manifest

    with h5py.File(sealed, "r+", libver=("v110", "v110")) as file:
        del file["manifest"]
        file["cards"].attrs["note"] = 1
        write_manifest(file, build_manifest(file, sealed.stat().st_size))
    verdict = verify_bundle(context, bundle=sealed)
    assert verdict.verdict is SealVerdict.INVALID
    assert verdict.findings[0].code == "bad_signature"
    assert _stand_alone(sealed) == (1, "invalid")


@pytest.mark.parametrize("content", [b"", b"text"])
def test_what_is_no_bundle_is_an_input_error(
    context: WorkflowContext, tmp_path: Path, content: bytes
):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    for workflow in (verify_bundle, inspect_bundle, seal_bundle, regenerate_cases):
        with pytest.raises(InputError):
            workflow(context, bundle=path)


def test_a_tampered_bundle_is_not_sealed(context: WorkflowContext, tmp_path: Path):
    bundle = make_bundle(tmp_path).bundle
    _flip_chunk(bundle, IMAGE)
    with pytest.raises(InputError, match="not intact"):
        seal_bundle(context, bundle=bundle)
    assert read_header(bundle).revision == 1


def test_the_detached_statement_covers_the_whole_file(context: WorkflowContext, sealed: Path):
    assert verify_bundle(context, bundle=sealed).findings == ()
    shutil.copy(sealed.with_name("set.h5.intoto.jsonl"), sealed.with_name("kept"))
    record_evaluation(context, bundle=sealed, evaluation=evaluation())
    verdict = verify_bundle(context, bundle=sealed)
    assert verdict.verdict is SealVerdict.UNSIGNED
    assert [finding.code for finding in verdict.findings] == ["detached_statement_stale"]


def test_provenance_is_prov_json(sealed: Path):
    document = ProvDocument.deserialize(
        content=json.dumps(read_parts(sealed)["provenance"]), format="json"
    )
    records = [type(record).__name__ for record in document.get_records()]
    assert records.count("ProvGeneration") == 2
    assert records.count("ProvDerivation") == 2
    assert "ProvMembership" in records


def test_inspection_lists_and_advises(context: WorkflowContext, tmp_path: Path):
    facts = inspect_bundle(context, bundle=make_bundle(tmp_path).bundle)
    assert [case["case_id"] for case in facts["cases"]] == ["case-0001", "case-0002"]
    codes = {finding.code for finding in facts["findings"]}
    assert codes == {"not_sealed", "not_evaluated", "shows_anatomy"}
    assert facts["cards"] == ["model_card_low-dose-ct"]
    assert len(facts["root"]) == 64


class _Library:
    def __init__(self, *volume_ids: str) -> None:
        self.ids = volume_ids

    def volumes(self, search: str = "") -> tuple[SimpleNamespace, ...]:
        return tuple(SimpleNamespace(volume_id=name) for name in self.ids)


@pytest.fixture
def site(context: WorkflowContext, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A site whose library, packages and generator are stand-ins that the tests can spoil."""
    source = make_case(SOURCE_UID).volume
    source = replace(source, volume_id=SOURCE_UID, kind=VolumeKind.REAL)
    made = SimpleNamespace(
        library=_Library("1.2.3", SOURCE_UID),
        source=source,
        package=make_case().package,
        offset=0,
        digest=source_digest(site_secret(context.home), SOURCE_UID, array_digest(source.array)),
    )

    def generate(package, request, *, source, device, progress, cancel):
        assert source.volume_id == SOURCE_UID
        case = make_case(request.case_id, seed=request.seed)
        array = case.volume.array + np.int16(made.offset)
        return replace(case, volume=case.volume.with_array(array), package=package)

    def package(roots, generator_id, version):
        if made.package is None:
            raise ModelError("There is no such generator")
        return made.package

    monkeypatch.setitem(context.__dict__, "library", made.library)
    monkeypatch.setattr("carez_desktop.inference.package_store.find_package", package)
    monkeypatch.setattr("carez_desktop.generators.catalogue.family_function", lambda _: generate)
    monkeypatch.setattr(
        regenerate_module._Bench, "_load", lambda self, volume_id, cancel: made.source
    )
    return made


@pytest.fixture
def bundle(site: SimpleNamespace, tmp_path: Path) -> Path:
    from carez_desktop.hdf5.assembly import assemble_bundle
    from carez_desktop.hdf5.case_staging import stage_case

    staged = [
        stage_case(tmp_path, make_case(name), source_digest=site.digest, coverage_cell={})
        for name in ("case-0001", "case-0002")
    ]
    out = tmp_path / "set.h5"
    assemble_bundle(
        staged,
        out,
        header=header(),
        coverage=COVERAGE,
        provenance=provenance(staged),
        cards={},
    )
    return out


def _outcomes(context: WorkflowContext, bundle: Path) -> list[str]:
    return [case.outcome.value for case in regenerate_cases(context, bundle=bundle)]


def test_an_equal_site_regenerates_identical_cases(
    context: WorkflowContext, site: SimpleNamespace, bundle: Path
):
    cases = regenerate_cases(context, bundle=bundle)
    assert [case.case_id for case in cases] == ["case-0001", "case-0002"]
    assert {case.outcome for case in cases} == {RegenerationOutcome.IDENTICAL}
    assert cases[0].max_difference == 0.0


def test_a_changed_result_is_different_unless_the_package_allows_it(
    context: WorkflowContext, site: SimpleNamespace, bundle: Path
):
    site.offset = 1
    assert _outcomes(context, bundle) == ["different"] * 2
    raw = {"regeneration_tolerance": 1.0}
    site.package = replace(site.package, manifest=replace(site.package.manifest, raw=raw))
    assert _outcomes(context, bundle) == ["within_tolerance"] * 2
    site.offset = 2
    cases = regenerate_cases(context, bundle=bundle)
    assert (cases[0].outcome, cases[0].max_difference) == ("different", 2.0)


def test_what_is_missing_is_named(context: WorkflowContext, site: SimpleNamespace, bundle: Path):
    site.library.ids = ("1.2.3",)
    assert _outcomes(context, bundle) == ["source_missing"] * 2
    site.library.ids = (SOURCE_UID,)
    site.source = site.source.with_array(site.source.array + np.int16(1))
    assert _outcomes(context, bundle) == ["source_missing"] * 2
    site.package = replace(site.package, digest="f" * 64)
    assert _outcomes(context, bundle) == ["package_missing"] * 2
    site.package = None
    assert _outcomes(context, bundle) == ["package_missing"] * 2


def test_labels_count_in_the_comparison():
    case = make_case()
    array, label = voxels_of("case-0001", 3, (5, 12, 14))
    changed = replace(case.labels[0], array=1 - label)
    same = compare("case-0001", case, array, case.labels, 5.0)
    assert same.outcome is RegenerationOutcome.IDENTICAL
    assert compare("case-0001", case, array, (changed,), 5.0).outcome == "different"
    assert compare("case-0001", case, array, (), 5.0).outcome == "different"
    assert case.volume.geometry.is_close_to(oblique_geometry((5, 12, 14)))
