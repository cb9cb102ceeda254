"""A bundle leaves only sealed, verified, and with anatomy released expressly."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.errors import InputError, UsageError
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.export_bundle import export_bundle
from carez_desktop.workflows.seal_bundle import seal_bundle
from tests.builders.bundles import make_bundle


def test_a_sealed_bundle_is_copied_with_its_statement(tmp_path: Path) -> None:
    context = open_context(tmp_path / "home")
    bundle = make_bundle(tmp_path).bundle
    with pytest.raises(InputError, match="unsigned"):
        export_bundle(context, bundle=bundle, out=tmp_path / "copy.h5", release_anatomy=True)
    seal_bundle(context, bundle=bundle)
    with pytest.raises(UsageError, match="anatomy"):
        export_bundle(context, bundle=bundle, out=tmp_path / "copy.h5")
    assert not (tmp_path / "copy.h5").exists()
    verdict = export_bundle(context, bundle=bundle, out=tmp_path / "copy.h5", release_anatomy=True)
    assert verdict.verdict == "valid"
    assert (tmp_path / "copy.h5").read_bytes() == bundle.read_bytes()
    assert (tmp_path / "copy.h5.intoto.jsonl").exists()
    with pytest.raises(UsageError, match="exists"):
        export_bundle(context, bundle=bundle, out=tmp_path / "copy.h5", release_anatomy=True)
    assert [line["action"] for line in context.audit_log.extract()].count("export_bundle") == 1
