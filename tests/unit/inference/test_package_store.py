"""Packages are refused, naming the file, for every way in which they can be wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from carez_desktop.domain.generation import PrivacyClass
from carez_desktop.errors import ModelError, UsageError
from carez_desktop.inference.package_store import (
    find_package,
    list_packages,
    load_manifest,
    load_package,
    read_package_file,
    version_key,
)
from tests.builders.generator_packages import reseal, write_diffusion_package
from tests.builders.onnx_graphs import (
    graph_with_branch,
    graph_with_node,
    graph_with_outside_weights,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_diffusion_package(tmp_path / "models" / "tiny-flow" / "1.0.0")


def edit_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text())
    raw.update(changes)
    path.write_text(json.dumps(raw))


def test_a_sound_package_loads_with_its_facts(folder: Path) -> None:
    package = load_package(folder)
    manifest = package.manifest
    assert (manifest.id, manifest.version, manifest.family) == ("tiny-flow", "1.0.0", "diffusion")
    assert (manifest.modality, manifest.units) == ("MR", "arbitrary")
    assert manifest.privacy_class is PrivacyClass.UNCONDITIONAL
    assert package.digest == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert read_package_file(package, "LICENSE") == (folder / "LICENSE").read_bytes()


def test_conditions_come_with_unit_and_range(folder: Path) -> None:
    (level,) = load_manifest(folder).conditions
    assert (level.name, level.kind, level.unit) == ("level_mm3", "number", "mm3")
    assert (level.minimum, level.maximum, level.default) == (100.0, 900.0, 500.0)
    manifest = load_manifest(folder)
    with pytest.raises(UsageError) as refused:
        manifest.resolve_conditions({"level_mm3": 2000})
    assert refused.value.subject == "level_mm3"


def test_exclusive_bounds_are_kept(folder: Path) -> None:
    schema = {
        "type": "object",
        "properties": {
            "dose_fraction": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "kernel": {"type": "string", "enum": ["soft", "sharp"], "default": "soft"},
        },
    }
    (folder / "conditioning.schema.json").write_text(json.dumps(schema))
    reseal(folder)
    manifest = load_manifest(folder)
    for value in (0, 1, 2, -1, "x", float("nan")):
        with pytest.raises(UsageError):
            manifest.resolve_conditions({"dose_fraction": value})
    assert manifest.resolve_conditions({"dose_fraction": 0.25}) == {
        "dose_fraction": 0.25,
        "kernel": "soft",
    }


@pytest.mark.parametrize("name", ["denoiser/model.onnx", "LICENSE", "conditioning.schema.json"])
def test_one_changed_bit_is_refused_naming_the_file(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModelError, match="does not match its hash") as refused:
        load_package(folder)
    assert refused.value.subject.endswith(name)
    assert "Install" in refused.value.hint


def test_a_file_changed_after_the_check_is_refused(folder: Path) -> None:
    package = load_package(folder)
    (folder / "LICENSE").write_text("other")
    with pytest.raises(ModelError, match="does not match its hash"):
        read_package_file(package, "LICENSE")
    with pytest.raises(ModelError, match="has no"):
        read_package_file(package, "../secret")


def test_missing_and_unlisted_files_are_refused(folder: Path) -> None:
    (folder / "denoiser" / "extra.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="not listed") as refused:
        load_package(folder)
    assert refused.value.subject.endswith("denoiser/extra.bin")
    (folder / "denoiser" / "extra.bin").unlink()
    (folder / "LICENSE").unlink()
    with pytest.raises(ModelError, match="missing") as refused:
        load_package(folder)
    assert refused.value.subject.endswith("LICENSE")


def test_links_are_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes((folder / "LICENSE").read_bytes())
    (folder / "LICENSE").unlink()
    (folder / "LICENSE").symlink_to(outside)
    with pytest.raises(ModelError, match="link"):
        load_package(folder)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "a/../b", "c:\\x", "", "./LICENSE"]
)
def test_paths_that_leave_the_package_are_refused(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    edit_manifest(folder, files={**files, name: "0" * 64})
    with pytest.raises(ModelError, match="no path inside"):
        load_package(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "one"}, "version"),
        ({"id": "../x"}, "id"),
        ({"privacy_class": "none"}, "privacy_class"),
        ({"minimum_memory_mib": 0}, "minimum_memory_mib"),
        ({"outputs": {"modality": "MR"}}, "outputs.units"),
        ({"files": {"LICENSE": "abc"}}, "SHA-256"),
    ],
)
def test_a_wrong_key_is_named(folder: Path, changes: dict[str, Any], words: str) -> None:
    edit_manifest(folder, **changes)
    with pytest.raises(ModelError, match=words):
        load_package(folder)


def test_text_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="no JSON"):
        load_package(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_package(folder)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (graph_with_node("Fancy", domain="com.example"), "com.example"),
        (graph_with_node("RandomNormalLike"), "random numbers"),
        (graph_with_branch(), "loop or a branch|random numbers"),
        (graph_with_outside_weights("../../weights.bin"), "outside its package"),
        (graph_with_outside_weights("/root/weights.bin"), "outside its package"),
        (graph_with_outside_weights("unlisted.bin"), "outside its package"),
        (b"not a graph at all", "no ONNX model"),
        (b"", "no ONNX model"),
        (b"\x3a\xff\xff\xff\x7f", "no ONNX model"),
    ],
)
def test_unsafe_graphs_are_refused(folder: Path, graph: bytes, words: str) -> None:
    (folder / "denoiser" / "model.onnx").write_bytes(graph)
    reseal(folder)
    with pytest.raises(ModelError, match=words) as refused:
        load_package(folder)
    assert refused.value.subject == "denoiser/model.onnx"


def test_schemas_that_reach_elsewhere_are_refused(folder: Path) -> None:
    path = folder / "conditioning.schema.json"
    for content, words in (
        ('{"properties": {"a": {"$ref": "https://example.org/x"}}}', "refers to"),
        ('{"properties": {"a": {"type": "array"}}}', "needs a type"),
        ('{"type": 5}', "no JSON Schema"),
    ):
        path.write_text(content)
        reseal(folder)
        with pytest.raises(ModelError, match=words):
            load_manifest(folder)


def test_the_newest_version_of_the_first_root_is_found(folder: Path, tmp_path: Path) -> None:
    first = folder.parents[1]
    second = tmp_path / "site"
    for version in ("1.10.0", "1.9.0", "1.10.0-rc1"):
        write_diffusion_package(second / "tiny-flow" / version, version=version)
    write_diffusion_package(second / "tiny-flow" / "1.0.0")
    roots = (first, second, tmp_path / "absent")
    versions = [listed.manifest.version for listed in list_packages(roots)]
    assert versions == ["1.10.0", "1.10.0-rc1", "1.9.0", "1.0.0"]
    assert find_package(roots, "tiny-flow").folder == second / "tiny-flow" / "1.10.0"
    assert find_package(roots, "tiny-flow", "1.0.0").folder == folder
    with pytest.raises(ModelError, match="no generator other") as refused:
        find_package(roots, "other")
    assert "tiny-flow 1.0.0" in refused.value.hint
    assert version_key("1.10.0") > version_key("1.10.0-rc1") > version_key("1.9.9")


def test_a_folder_that_belies_its_manifest_is_refused(tmp_path: Path) -> None:
    write_diffusion_package(tmp_path / "tiny-flow" / "2.0.0", version="1.0.0")
    with pytest.raises(ModelError, match="another name"):
        find_package((tmp_path,), "tiny-flow")
