from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carez_desktop.dicom.archive_names import UniqueNames, plain_name


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../../b",
        "a/..",
        "/etc/passwd",
        "\\windows\\a",
        "..\\a",
        "C:\\a",
        "c:a",
        "//server/share/a",
        "",
        "./",
    ],
)
def test_names_that_lead_elsewhere_are_none(name: str) -> None:
    assert plain_name(name) is None


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a/b.dcm", "a/b.dcm"),
        ("a\\b.dcm", "a/b.dcm"),
        ("./a//b.dcm", "a/b.dcm"),
        ("a<b>|c?.dcm", "a_b__c_.dcm"),
        ("con.dcm", "_con.dcm"),
        ("LPT1/nul", "_LPT1/_nul"),
        ("trailing. . /a", "trailing/a"),
        ("...a/b", "...a/b"),
        ("b\u00e4r/\u753b\u50cf.nii.gz", "b\u00e4r/\u753b\u50cf.nii.gz"),
    ],
)
def test_names_that_are_kept(name: str, plain: str) -> None:
    assert plain_name(name) == PurePosixPath(plain)


def test_long_and_deep_names_keep_their_ending() -> None:
    long = plain_name("x" * 300 + ".nii.gz")
    assert long is not None
    assert long.name.endswith(".nii.gz")
    assert plain_name("x" * 301 + ".nii.gz") != long
    deep = plain_name("/".join(["d"] * 300) + "/a.dcm")
    assert deep is not None
    assert len(deep.parts) <= 16
    wide = plain_name("/".join(["w" * 90] * 10) + "/a.dcm")
    assert wide is not None
    assert len(str(wide)) < 400
    assert wide.name == "a.dcm"


@given(st.lists(st.text(max_size=150), max_size=12))
def test_any_name_stays_below_on_every_system_and_none_comes_twice(names: list[str]) -> None:
    unique = UniqueNames()
    given_out = []
    for name in names:
        plain = plain_name(name)
        if plain is None:
            continue
        final = unique.unique(plain)
        given_out.append(str(final).casefold())
        assert not final.is_absolute()
        assert ".." not in final.parts
        windows = PureWindowsPath(str(final))
        assert not windows.drive
        assert not windows.root
        assert not windows.is_reserved()
        assert all(len(part.encode()) <= 120 for part in final.parts)
        assert not any(ord(sign) < 32 for sign in str(final))
    assert len(set(given_out)) == len(given_out)


def test_a_file_is_never_a_folder_too() -> None:
    unique = UniqueNames()
    names = [unique.unique(PurePosixPath(name)) for name in ("A", "a/b", "c/d", "C", "a/B")]
    paths = {str(name).casefold() for name in names}
    assert len(paths) == 5
    folders = {str(parent).casefold() for name in names for parent in name.parents}
    assert not folders & paths
