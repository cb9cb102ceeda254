"""The site's settings: a versioned TOML file in the home folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from carez_desktop.domain.codec import to_plain
from carez_desktop.errors import StorageError, UsageError

SETTINGS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site can set.

    Attributes:
        uid_root: The site's own DICOM UID root; empty means `2.25.` UIDs, kept in the library.
        device: `auto`, `cpu` or `cuda`, for generation.
        threads: Threads of one computation; 0 means all cores.
        site_name: Appears as the producer of bundles; never a person.
    """

    version: int = SETTINGS_VERSION
    uid_root: str = ""
    device: str = "auto"
    threads: int = 0
    site_name: str = ""


def load_settings(home: Path) -> Settings:
    """Read `settings.toml` of a home folder; defaults where there is none.

    Raises:
        UsageError: For a file that is not TOML or has a wrong value, naming the field.
        StorageError: For settings of a newer version, or a file that cannot be read.
    """
    path = home / "settings.toml"
    if not path.exists():
        return Settings()
    # Building its model takes a twentieth of a second, which a home without settings need not wait.
    from pydantic import ValidationError

    from carez_desktop.system._settings_file import SettingsFile

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        parsed = SettingsFile.model_validate(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The settings are not valid TOML: {error}", subject=str(path), hint="Mend or delete it"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"Setting {field}: {first['msg']}", subject=str(path), hint="Mend this line"
        ) from error
    except OSError as error:
        raise StorageError(
            f"The settings cannot be read: {error.strerror}",
            subject=str(path),
            hint="Check the permissions",
        ) from error
    if parsed.version > SETTINGS_VERSION:
        raise StorageError(
            f"The settings are of version {parsed.version}, newer than this program",
            subject=str(path),
            hint="Update Carez Desktop, or use another --home",
        )
    return Settings(**parsed.model_dump())


def save_settings(home: Path, settings: Settings) -> None:
    """Write `settings.toml`, replacing the old one atomically.

    Raises:
        StorageError: When the home folder cannot be written.
    """
    path = home / "settings.toml"
    part = path.with_suffix(".part")
    try:
        part.write_text(tomli_w.dumps(to_plain(settings)), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(
            f"The settings cannot be written: {error.strerror}",
            subject=str(path),
            hint="Check that the home folder is writable and its disk not full",
        ) from error
