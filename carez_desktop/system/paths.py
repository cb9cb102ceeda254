"""Where things lie: resources and models in a checkout or a wheel, the home folder of a site."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from carez_desktop.errors import StorageError

_PACKAGE = Path(__file__).resolve().parent.parent
_WHEEL_DATA = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent


def data_root() -> Path:
    """Return the folder that holds `resources/` and `models/`.

    In a wheel that is `carez_desktop/_data`, in a checkout the folder above the package.

    Raises:
        StorageError: When neither is there, that is, the installation is damaged.
    """
    for candidate in (_WHEEL_DATA, _CHECKOUT):
        if (candidate / "resources").is_dir():
            return candidate
    raise StorageError(
        "The installation has no resources folder",
        subject=str(_PACKAGE),
        hint="Install Carez Desktop again",
    )


def resource_path(name: str) -> Path:
    """Return a file or folder below `resources/` by its relative name.

    Raises:
        StorageError: When the installation does not hold it.
    """
    path = data_root() / "resources" / name
    if not path.exists():
        raise StorageError(
            "The installation lacks a resource", subject=name, hint="Install Carez Desktop again"
        )
    return path


def models_root() -> Path:
    """Return the folder of the generator packages that come with the product."""
    return data_root() / "models"


def default_home() -> Path:
    """Return the site's home folder: `CAREZ_HOME`, or the platform's place for user data."""
    given = os.environ.get("CAREZ_HOME")
    if given:
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("carez-desktop", appauthor=False))


def make_private_folder(folder: Path) -> Path:
    """Create a folder that only its owner may enter, and return it.

    Raises:
        StorageError: When it cannot be created, naming the folder and the remedy.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"Cannot create the folder: {error.strerror or error}",
            subject=str(folder),
            hint="Choose a writable folder with --home, or free space on its disk",
        ) from error
    return folder
