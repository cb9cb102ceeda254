"""Generator packages on disk: found, and checked to the last byte before anything uses them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from carez_desktop.domain.generation import GeneratorManifest, GeneratorPackage
from carez_desktop.errors import ModelError
from carez_desktop.inference import _manifest_file
from carez_desktop.inference.onnx_graph_facts import read_graph_facts, refuse_unsafe_graph

MANIFEST = "manifest.json"
CONDITIONS = "conditioning.schema.json"
_REINSTALL = "Install the package again from its source"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """A package whose manifest can be read; its files are not checked yet."""

    manifest: GeneratorManifest
    folder: Path


def load_manifest(folder: Path) -> GeneratorManifest:
    """Read a package's manifest and conditions without checking the other files.

    The schema of the conditions is checked against its hash, since the manifest's record
    rests on it.

    Raises:
        ModelError: The manifest or the schema is missing, invalid or changed.
    """
    raw, parsed = _manifest_file.read_manifest(
        _read(folder, MANIFEST), subject=str(folder / MANIFEST)
    )
    expected = parsed.files.get(CONDITIONS)
    if expected is None:
        raise ModelError(
            f"The manifest does not list {CONDITIONS}",
            subject=str(folder / MANIFEST),
            hint=_REINSTALL,
        )
    _check_names(folder, parsed.files)
    schema = _read(folder, CONDITIONS)
    _compare(folder / CONDITIONS, hashlib.sha256(schema).hexdigest(), expected)
    conditions = _manifest_file.read_conditions(schema, subject=str(folder / CONDITIONS))
    return _manifest_file.to_domain(raw, parsed, conditions)


def load_package(folder: Path) -> GeneratorPackage:
    """Check every file of a package and return it.

    Refused are: a file that is changed, missing or not listed; a link; a path that leaves the
    folder; a graph with control flow, random numbers, unknown operators or outside weights.

    Raises:
        ModelError: Naming the file that does not match, and the remedy.
    """
    manifest = load_manifest(folder)
    _refuse_unlisted(folder, manifest.files)
    for name, expected in manifest.files.items():
        _compare(folder / name, _file_digest(folder / name), expected)
    listed = frozenset(manifest.files)
    for name in sorted(listed):
        if name.endswith(".onnx"):
            facts = read_graph_facts(_read(folder, name), subject=name)
            refuse_unsafe_graph(facts, subject=name, listed=listed)
    digest = hashlib.sha256(_read(folder, MANIFEST)).hexdigest()
    return GeneratorPackage(manifest=manifest, folder=folder, digest=digest)


def package_folders(roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return every `<root>/<id>/<version>/` that holds a manifest, in the order of the roots."""
    found: list[Path] = []
    for root in roots:
        if root.is_dir():
            found += sorted(path.parent for path in root.glob(f"*/*/{MANIFEST}"))
    return tuple(found)


def list_packages(roots: Sequence[Path]) -> tuple[ListedPackage, ...]:
    """Return the packages whose manifests can be read, by id, newest version first.

    Of equal ids and versions the first root wins. A package that cannot be read is left out
    here; `package_folders` with `load_package` says what is wrong with it.
    """
    kept: dict[tuple[str, str], ListedPackage] = {}
    for folder in package_folders(roots):
        try:
            manifest = load_manifest(folder)
        except ModelError:
            continue
        kept.setdefault((manifest.id, manifest.version), ListedPackage(manifest, folder))
    newest_first = sorted(
        kept.values(), key=lambda listed: version_key(listed.manifest.version), reverse=True
    )
    return tuple(sorted(newest_first, key=lambda listed: listed.manifest.id))


def find_package(
    roots: Sequence[Path], generator_id: str, version: str | None = None
) -> GeneratorPackage:
    """Find a package by id, of the given or the newest version, and check it.

    Raises:
        ModelError: No such package, or one that does not pass its checks.
    """
    folders = [
        folder
        for folder in package_folders(roots)
        if folder.parent.name == generator_id and version in (None, folder.name)
    ]
    if not folders:
        known = sorted({f"{f.parent.name} {f.name}" for f in package_folders(roots)})
        wanted = f"{generator_id} {version}" if version else generator_id
        raise ModelError(
            f"There is no generator {wanted}",
            subject=generator_id,
            hint="Installed: " + (", ".join(known) or "none"),
        )
    # max keeps the first of equals, so that the first root wins.
    folder = max(folders, key=lambda path: version_key(path.name))
    package = load_package(folder)
    named = (package.manifest.id, package.manifest.version)
    if named != (folder.parent.name, folder.name):
        raise ModelError(
            f"The manifest says {' '.join(named)}, its folder another name",
            subject=str(folder),
            hint=_REINSTALL,
        )
    return package


def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return a key that orders semantic versions; a pre-release comes before its release."""
    core, _, pre_release = version.partition("-")
    numbers = tuple(int(part) for part in re.findall(r"\d+", core))
    return numbers, not pre_release, pre_release


def read_package_json(package: GeneratorPackage, name: str) -> dict[str, object]:
    """Read one JSON file of a checked package, and check its hash once more.

    Raises:
        ModelError: Not listed, changed since, or no JSON object.
    """
    return _manifest_file.read_json_object(
        read_package_file(package, name), subject=str(package.folder / name)
    )


def read_package_file(package: GeneratorPackage, name: str) -> bytes:
    """Return the bytes of one file of a package, only if they still have the listed hash.

    Raises:
        ModelError: Not listed, or changed since it was checked.
    """
    expected = package.manifest.files.get(name)
    if expected is None:
        raise ModelError(f"The package has no {name}", subject=str(package.folder), hint=_REINSTALL)
    content = _read(package.folder, name)
    _compare(package.folder / name, hashlib.sha256(content).hexdigest(), expected)
    return content


def _check_names(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        plain = path.as_posix() == name and not path.is_absolute() and path.parts != ()
        if not plain or ".." in path.parts or "\\" in name or ":" in name or name == MANIFEST:
            raise ModelError(
                f"The manifest lists {name!r}, which is no path inside the package",
                subject=str(folder / MANIFEST),
                hint=_REINSTALL,
            )


def _refuse_unlisted(folder: Path, listed: Iterable[str]) -> None:
    """Refuse links anywhere in the folder, missing files and files that are not listed."""
    allowed = {*listed, MANIFEST}
    present: set[str] = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelError(
                "A package holds plain files only, this is a link or a device",
                subject=str(path),
                hint=_REINSTALL,
            )
        if path.is_file():
            present.add(name)
    for name in sorted(present - allowed):
        raise ModelError(
            "This file is not listed in the package's manifest",
            subject=str(folder / name),
            hint=f"Remove it, or {_REINSTALL[0].lower()}{_REINSTALL[1:]}",
        )
    for name in sorted(allowed - present):
        raise ModelError(
            "This file of the package is missing", subject=str(folder / name), hint=_REINSTALL
        )


def _compare(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise ModelError(
            f"The file does not match its hash: {found[:12]}..., the manifest says "
            f"{expected[:12]}...",
            subject=str(path),
            hint=f"{_REINSTALL}; nothing of it was used",
        )


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from None
    return digest.hexdigest()


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"The package's file cannot be read: {error.strerror or error}",
        subject=str(path),
        hint=_REINSTALL,
    )
