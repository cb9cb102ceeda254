"""Walk a hostile HDF5 file: every object is checked before anything of it is read.

Refused are external and soft links, external and virtual storage, unknown filters, references,
variable-length and compound types, aliases, and whatever would blow up: depth, counts, sizes,
ratios (references/evaluation: CVE-2025-2309, -2310, -2915 and others are reached through such
objects).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import h5py
from h5py import h5d, h5l, h5o, h5s, h5t, h5z

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.hdf5.object_names import is_safe_name

MAX_DEPTH = 8
MAX_OBJECTS = 200_000
MAX_ATTRIBUTES = 256
MAX_ATTRIBUTE_BYTES = 64 * 1024
MAX_CHUNK_BYTES = 64 << 20
MAX_TEXT_BYTES = 256 << 20
MAX_DATASET_BYTES = 16 << 30
MAX_TOTAL_BYTES = 256 << 30
FREE_EXPANSION_BYTES = 1 << 30
MAX_EXPANSION = 200
ALLOWED_FILTERS = {
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_DEFLATE: "deflate",
    h5z.FILTER_FLETCHER32: "fletcher32",
}
_TYPE_CLASSES = (h5t.INTEGER, h5t.FLOAT, h5t.STRING)


class RefusedObjectError(Exception):
    """An object that a bundle may not hold; only the walk sees it."""

    def __init__(self, code: str, subject: str, text: str) -> None:
        """Keep what becomes the finding."""
        super().__init__(text)
        self.finding = Finding(Severity.ERROR, code, subject, text)


@dataclass
class Quota:
    """How much the file may still unfold to."""

    remaining_bytes: int
    remaining_objects: int = MAX_OBJECTS
    seen: set[int] = field(default_factory=set)

    def take_object(self, path: str, address: int) -> None:
        """Count an object; an address met before is an alias."""
        self.remaining_objects -= 1
        if self.remaining_objects < 0:
            raise RefusedObjectError("too_many_objects", path, "The file holds too many objects")
        if address in self.seen:
            raise RefusedObjectError("alias", path, "The object has two names")
        self.seen.add(address)

    def take_bytes(self, path: str, count: int) -> None:
        """Count unfolded bytes."""
        self.remaining_bytes -= count
        if self.remaining_bytes < 0:
            raise RefusedObjectError("too_large", path, "The file would unfold to too many bytes")


def expansion_quota(file_size: int) -> Quota:
    """Return the quota of a file of this many bytes."""
    allowed = FREE_EXPANSION_BYTES + MAX_EXPANSION * file_size
    return Quota(remaining_bytes=min(allowed, MAX_TOTAL_BYTES))


Visitor = Callable[[str, Any], None]


def walk(file: h5py.File, visit: Visitor, refused: Callable[[Finding], None], quota: Quota) -> None:
    """Visit `/` and every group and dataset below it in the order of paths, each after its check.

    Args:
        file: Open for reading.
        visit: Called with the absolute path and the checked group or dataset.
        refused: Called for each object that is refused; it and what lies below it is not visited.
        quota: Shared by the whole walk.
    """
    root = file["/"]
    with _refusing("/", refused):
        quota.take_object("/", _address(root))
        check_attributes(root, "/")
        visit("/", root)
        _walk_group(root, "", 1, visit, refused, quota)


def _walk_group(
    group: h5py.Group,
    path: str,
    depth: int,
    visit: Visitor,
    refused: Callable[[Finding], None],
    quota: Quota,
) -> None:
    for name in _names(group):
        child_path = f"{path}/{_printable(name)}"
        with _refusing(child_path, refused):
            child = _open_checked(group, name, child_path, depth, quota)
            visit(child_path, child)
            if isinstance(child, h5py.Group):
                _walk_group(child, child_path, depth + 1, visit, refused, quota)


@contextmanager
def _refusing(path: str, refused: Callable[[Finding], None]) -> Iterator[None]:
    """Turn a refusal, and whatever HDF5 raises on a damaged object, into a finding."""
    try:
        yield
    except RefusedObjectError as refusal:
        refused(refusal.finding)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        text = f"It cannot be read, it is damaged: {_brief(error)}"
        refused(Finding(Severity.ERROR, "damaged", path, text))


def _names(group: h5py.Group) -> list[bytes]:
    names: list[bytes] = []
    group.id.links.iterate(names.append)
    return sorted(names)


def _open_checked(
    group: h5py.Group, name: bytes, path: str, depth: int, quota: Quota
) -> h5py.Group | h5py.Dataset:
    if depth > MAX_DEPTH:
        raise RefusedObjectError("too_deep", path, "Groups are nested too deeply")
    try:
        text = name.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not is_safe_name(text):
        raise RefusedObjectError("bad_name", path, "The name is not one that a bundle may hold")
    if group.id.links.get_info(name).type != h5l.TYPE_HARD:
        raise RefusedObjectError("link", path, "Soft and external links are not allowed")
    child = group[text]
    quota.take_object(path, _address(child))
    if isinstance(child, h5py.Dataset):
        check_dataset(child, path)
        quota.take_bytes(path, _unfolded_bytes(child))
    elif not isinstance(child, h5py.Group):
        raise RefusedObjectError("named_type", path, "Named datatypes are not allowed")
    check_attributes(child, path)
    return child


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Return a checked member of a group, for readers that go straight to it.

    Raises:
        KeyError: No such member. RefusedObjectError: It lies elsewhere, or is stored unsafely.
    """
    path = f"{group.name.rstrip('/')}/{_printable(name)}"
    content = name.encode()
    if not is_safe_name(name) or not group.id.links.exists(content):
        raise KeyError(f"there is no {path}")
    if group.id.links.get_info(content).type != h5l.TYPE_HARD:
        raise RefusedObjectError("link", path, "Soft and external links are not allowed")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        check_dataset(found, path)
    elif not isinstance(found, h5py.Group):
        raise RefusedObjectError("named_type", path, "Named datatypes are not allowed")
    check_attributes(found, path)
    return found


def check_dataset(dataset: h5py.Dataset, path: str) -> None:
    """Refuse a dataset that is stored elsewhere, in an unknown way, or too large.

    Raises:
        RefusedObjectError: Saying which rule it breaks.
    """
    _check_type(dataset.id.get_type(), path)
    plist = dataset.id.get_create_plist()
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        raise RefusedObjectError("virtual", path, "Virtual datasets are not allowed")
    if plist.get_external_count():
        raise RefusedObjectError("external_storage", path, "External storage is not allowed")
    for index in range(plist.get_nfilters()):
        if plist.get_filter(index)[0] not in ALLOWED_FILTERS:
            raise RefusedObjectError("filter", path, "The filter is not one that a bundle may use")
    space = dataset.id.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise RefusedObjectError("null_space", path, "An empty dataspace is not allowed")
    if space.get_simple_extent_dims() != space.get_simple_extent_dims(True):
        raise RefusedObjectError("resizable", path, "Resizable datasets are not allowed")
    size = _unfolded_bytes(dataset)
    limit = MAX_TEXT_BYTES if dataset.dtype.kind == "S" else MAX_DATASET_BYTES
    if size > limit:
        raise RefusedObjectError("too_large", path, "The dataset is too large")
    if layout == h5d.CHUNKED:
        _check_chunks(dataset, plist.get_chunk(), path)
    elif size and dataset.id.get_storage_size() < size:
        raise RefusedObjectError("not_allocated", path, "Its data was never written")


def _check_chunks(dataset: h5py.Dataset, chunks: tuple[int, ...], path: str) -> None:
    if math.prod(chunks) * dataset.dtype.itemsize > MAX_CHUNK_BYTES:
        raise RefusedObjectError("too_large", path, "A chunk is too large")
    pairs = zip(dataset.shape, chunks, strict=True)
    expected = math.prod(-(-extent // step) for extent, step in pairs)
    if dataset.id.get_num_chunks() != expected:
        raise RefusedObjectError("not_allocated", path, "Some of its chunks were never written")


def check_attributes(item: h5py.Group | h5py.Dataset, path: str) -> None:
    """Refuse attributes that are too many, too large or of another type than plain ones.

    Raises:
        RefusedObjectError: Naming the attribute as `path@name`.
    """
    if h5py.h5a.get_num_attrs(item.id) > MAX_ATTRIBUTES:
        raise RefusedObjectError("too_many_attributes", path, "It has too many attributes")
    for name in item.attrs:
        label = f"{path}@{_printable(str(name))}"
        if not is_safe_name(str(name)):
            raise RefusedObjectError("bad_name", label, "The name is not one a bundle may hold")
        attribute = item.attrs.get_id(name)
        _check_type(attribute.get_type(), label)
        if attribute.get_space().get_simple_extent_type() == h5s.NULL:
            raise RefusedObjectError("null_space", label, "An empty dataspace is not allowed")
        if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            raise RefusedObjectError("too_large", label, "The attribute is too large")


def _check_type(kind: h5t.TypeID, path: str) -> None:
    if kind.get_class() not in _TYPE_CLASSES:
        raise RefusedObjectError(
            "type", path, "Only integers, floating point numbers and texts are allowed"
        )
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        raise RefusedObjectError("type", path, "Variable-length texts are not allowed")
    if not h5t.py_create(kind.dtype, logical=True).equal(kind):
        raise RefusedObjectError("type", path, "The type is not a standard one")


def _unfolded_bytes(dataset: h5py.Dataset) -> int:
    voxels: int = math.prod(dataset.id.get_space().get_simple_extent_dims())
    return voxels * int(dataset.id.get_type().get_size())


def _address(item: h5py.Group | h5py.Dataset) -> int:
    return int(h5o.get_info(item.id).addr)


def _printable(name: bytes | str) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:128]


def _brief(error: BaseException) -> str:
    return str(error).strip("'\"").split("\n", 1)[0][:160]
