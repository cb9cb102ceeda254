"""Settings: defaults, round trip, and clear words for a wrong file."""

from __future__ import annotations

from pathlib import Path

import pytest

from carez_desktop.errors import StorageError, UsageError
from carez_desktop.system.settings import Settings, load_settings, save_settings


def test_round_trip(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()
    settings = Settings(uid_root="1.2.826.0.1", device="cpu", threads=2, site_name="Site")
    save_settings(tmp_path, settings)
    assert load_settings(tmp_path) == settings


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("device = 'gpu'", "device"),
        ("unknown = 1", "unknown"),
        ("uid_root = '1.02.3'", "uid_root"),
        ("= nonsense", "TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(UsageError, match=word) as caught:
        load_settings(tmp_path)
    assert caught.value.subject.endswith("settings.toml")


def test_settings_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("version = 99")
    with pytest.raises(StorageError, match="99"):
        load_settings(tmp_path)
