"""Listing and verifying the packages of a site."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.errors import ModelError
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.list_generators import list_generators
from carez_desktop.workflows.verify_generators import verify_generators
from tests.builders.generator_packages import write_diffusion_package


@pytest.fixture
def context(tmp_path: Path) -> WorkflowContext:
    write_diffusion_package(tmp_path / "home" / "models" / "tiny-flow" / "1.0.0")
    return open_context(tmp_path / "home")


def test_a_package_of_the_site_is_listed_beside_the_products(context: WorkflowContext) -> None:
    found = {manifest.id: manifest for manifest in list_generators(context)}
    assert found["tiny-flow"].version == "1.0.0"


def test_one_package_or_all_are_verified(context: WorkflowContext) -> None:
    (package,) = verify_generators(context, generator_id="tiny-flow")
    assert package.manifest.id == "tiny-flow"
    assert len(package.digest) == 64
    assert context.audit_log.extract(1)[0]["action"] == "verify_generators"


def test_a_changed_package_is_not_valid_and_names_the_file(context: WorkflowContext) -> None:
    graph = context.home / "models" / "tiny-flow" / "1.0.0" / "denoiser" / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelError) as refused:
        verify_generators(context, generator_id="tiny-flow")
    assert refused.value.subject == str(graph)
    with pytest.raises(ModelError, match="no generator absent"):
        verify_generators(context, generator_id="absent")
