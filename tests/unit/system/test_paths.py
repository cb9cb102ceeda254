"""Paths in a checkout, and folders that cannot be made."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from carez_desktop.errors import StorageError
from carez_desktop.system.paths import default_home, make_private_folder, models_root, resource_path


def test_resources_and_models_are_found() -> None:
    assert resource_path("theme.toml").is_file()
    assert models_root().is_dir()
    with pytest.raises(StorageError, match="lacks"):
        resource_path("no/such/thing")


def test_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAREZ_HOME", str(tmp_path / "site"))
    assert default_home() == tmp_path / "site"


def test_private_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    made = make_private_folder(tmp_path / "a")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        make_private_folder(tmp_path / "file" / "below")
    assert caught.value.hint
