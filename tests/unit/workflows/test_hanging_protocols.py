"""Hanging protocols as files: the product's, the site's, and what is wrong with one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from carez_desktop.domain.hanging import HangingVolume, hangings_for
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import NotFoundError, UsageError
from carez_desktop.system.paths import resource_path
from carez_desktop.workflows._hanging_file import read_hanging_file
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.copy_hanging_protocol import copy_hanging_protocol
from carez_desktop.workflows.list_hanging_protocols import list_hanging_protocols
from carez_desktop.workspace.layouts import layout_of

_SMALL = """
version = 1
id = "small"
title = "Small"
layout = "1x2"
[[roles]]
name = "a"
[[panes]]
role = "a"
"""


def test_every_protocol_of_the_product_is_sound_and_its_layout_exists(tmp_path: Path) -> None:
    listed = list_hanging_protocols(open_context(tmp_path))
    assert listed.findings == ()
    assert len(listed.protocols) == len(list(resource_path("hanging").glob("[!_]*.toml"))) >= 15
    for protocol in listed.protocols:
        assert Path(protocol.source).stem == protocol.id
        assert len(protocol.panes) <= len(layout_of(protocol.layout).cells)


def test_the_explanation_names_every_field(tmp_path: Path) -> None:
    text = (resource_path("hanging") / "_fields.toml").read_text()
    copy = tmp_path / "fields.toml"
    copy.write_text(text.replace('second = ""', 'second = "ct"'))
    read_hanging_file(copy)
    plain = tomllib.loads(text)
    from carez_desktop.workflows import _hanging_file

    assert set(plain) == set(_hanging_file._ProtocolFile.model_fields)
    assert set(plain["roles"][0]) == set(_hanging_file._RoleFile.model_fields)
    assert set(plain["panes"][0]) == set(_hanging_file._PaneFile.model_fields)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ([("CT", "HEAD", True, "real", "1")], "ct-head"),
        ([("CT", "", True, "real", "1")], "three-planes"),
        ([("US", "", False, "real", "1")], "one-image"),
        ([("MR", "LSPINE", True, "real", "1")], "mr-spine"),
        ([("CT", "", True, "real", "1"), ("PT", "", True, "real", "1")], "pet-ct"),
        ([("PT", "", True, "real", "1"), ("CT", "", True, "real", "1")], "pet-ct"),
        ([("CT", "", True, "real", "2"), ("CT", "", True, "real", "1")], "ct-prior"),
        ([("CT", "", True, "real", "1"), ("CT", "", True, "synthetic", "")], "real-synthetic"),
        ([("CT", "", True, "synthetic", ""), ("CT", "", True, "real", "1")], "real-synthetic"),
        (
            [("CT", "", True, "real", "2"), ("CT", "", True, "synthetic", ""),
             ("CT", "", True, "real", "1")],
            "real-synthetic-prior",
        ),
        ([("MR", "", True, "real", "1"), ("CT", "", True, "real", "1")], "two-volumes"),
        ([("DX", "", False, "real", "1"), ("DX", "", False, "real", "1")], "radiograph-pair"),
        ([("US", "", False, "real", "1"), ("OT", "", False, "real", "1")], "two-images"),
    ],
)  # fmt: skip
def test_what_hangs_how(offered: list[tuple], expected: str, tmp_path: Path) -> None:
    volumes = [
        HangingVolume(
            str(number), modality, VolumeKind(kind), has_planes=has_planes, body_part=part,
            patient_id="P", study_uid=study, date=f"2020010{study}" if study else "",
        )
        for number, (modality, part, has_planes, kind, study) in enumerate(offered)
    ]  # fmt: skip
    protocols = list_hanging_protocols(open_context(tmp_path)).protocols
    assert hangings_for(protocols, volumes)[0].protocol.id == expected


def test_a_copy_is_edited_and_replaces_the_original(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    copy = copy_hanging_protocol(context, protocol_id="ct-head")
    assert copy.parent == tmp_path / "hanging"
    assert (tmp_path / "hanging" / "_fields.toml").is_file()
    copy.write_text(copy.read_text().replace('"CT head: brain"', '"Our heads"'))
    assert copy_hanging_protocol(context, protocol_id="ct-head") == copy
    listed = {item.id: item for item in list_hanging_protocols(context).protocols}
    assert (listed["ct-head"].title, listed["ct-head"].source) == ("Our heads", str(copy))
    with pytest.raises(NotFoundError, match="no hanging protocol"):
        copy_hanging_protocol(context, protocol_id="other")


def test_a_wrong_file_of_the_site_is_told_and_the_original_stays(tmp_path: Path) -> None:
    context = open_context(tmp_path)
    copy = copy_hanging_protocol(context, protocol_id="ct-head")
    copy.write_text(copy.read_text().replace('layout = "1+2"', 'layout = "7x9"'))
    listed = list_hanging_protocols(context)
    assert [finding.subject for finding in listed.findings] == ["ct-head.toml"]
    assert "7x9" in listed.findings[0].text
    original = next(item for item in listed.protocols if item.id == "ct-head")
    assert original.source != str(copy)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('layout = "1x2"', 'layout = "6x1"', "layout"),
        ('layout = "1x2"', 'layout = "1x2"\nlayouts = 3', "layouts"),
        ('role = "a"', 'role = "b"', "'b'"),
        ('role = "a"', 'role = "a"\nmode = "difference"', "second role"),
        ('role = "a"', 'role = "a"\nmode = "sparkle"', "mode"),
        ('role = "a"', 'role = "a"\n[[panes]]\n[[panes]]', "2 panes, not 3"),
        ('name = "a"', 'name = "a"\noptional = true', "never optional"),
        ('name = "a"', 'name = "a"\n[[roles]]\nname = "a"', "one name"),
        ("version = 1", "version = 2", "version"),
        ("version = 1", "version = ", "Invalid"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(_SMALL)
    assert read_hanging_file(path).id == "small"
    path.write_text(_SMALL.replace(old, new))
    with pytest.raises(UsageError, match=word) as caught:
        read_hanging_file(path)
    assert caught.value.subject == str(path)
    assert "_fields.toml" in caught.value.hint
