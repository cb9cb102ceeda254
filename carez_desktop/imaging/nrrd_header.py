"""Headers of NRRD files, attached (`.nrrd`) and detached (`.nhdr`), as teem's format page has them.

Axes are stated fastest first; ours run slowest first. What leaves this module is LPS millimetres.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.geometry import is_within_reach
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.imaging.nifti_header import SYNTHETIC_MARK
from carez_desktop.imaging.voxel_file import Remark, VoxelFile, unreadable

_LARGEST_HEADER = 1 << 20
_MOST_FILES = 20_000
_SYNTHETIC_KEY = "SyntheticData"
_DESCRIPTION_KEYS = ("descrip", "ITK_FileNotes", "content")
_TYPE_NAMES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_TYPES = {name: code for code, names in _TYPE_NAMES.items() for name in names.split(", ")}
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_ENCODINGS |= {"text": "text", "txt": "text", "ascii": "text", "hex": "hex"}
_SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)
_COLOUR_KINDS = {"rgb-color": 3, "3-color": 3, "rgba-color": 4, "4-color": 4}
_SCALAR_KINDS = {"", "???", "none", "domain", "space", "time", "list", "stub", "scalar", "point"}
_LENGTHS = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 0.001, "\u00b5m": 0.001, "\u03bcm": 0.001}
_SEGMENT = re.compile(r"^Segment\d+_ID$")
"""What 3D Slicer writes into `.seg.nrrd` files for each segment."""
_PATTERN = re.compile(r"^(.*%(?:0?\d{0,2})d\S*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+\d+)?$")


@dataclass(slots=True)
class _Fields:
    """Field and key values by name, data files of a LIST, and where the header ends."""

    path: Path
    fields: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    end: int = 0

    @property
    def is_bytes(self) -> bool:
        """Whether the stored values are unsigned bytes."""
        return _TYPES.get(self.fields.get("type", "").lower()) == "u1"

    def words(self, name: str, count: int) -> list[str]:
        """Return the words of a per-axis field; empty where it is absent."""
        words = self.fields.get(name, "").split()
        if words and len(words) != count:
            _refuse(self.path, f"its {name} are {len(words)}, its axes {count}")
        return words

    def integer(self, name: str, default: int = 0) -> int:
        """Return a field that is a whole number."""
        text = self.fields.get(name, str(default))
        if not re.fullmatch(r"[+-]?\d{1,15}", text):
            _refuse(self.path, f"its {name} is no whole number: {text[:40]}")
        return int(text)


def read_nrrd_header(path: Path) -> VoxelFile:
    """Read the header of a `.nrrd` or `.nhdr` file.

    Raises:
        UnreadableFileError: It is none, its numbers make no sense, or its voxels would be read
            from outside its folder.
    """
    parsed = _parse(path)
    dimension = parsed.integer("dimension")
    sizes = [int(word) if word.isdigit() else 0 for word in parsed.words("sizes", dimension)]
    if not 1 <= dimension <= 16 or not sizes or any(not 0 < size < 1 << 31 for size in sizes):
        _refuse(path, "its sizes make no sense")
    stored = parsed.fields.get("type", "").lower()
    encoding = _ENCODINGS.get(parsed.fields.get("encoding", "raw").lower(), "")
    if stored not in _TYPES or not encoding:
        what = f"values of type {stored[:40]!r}" if stored not in _TYPES else "its encoding"
        _refuse(path, f"{what} cannot be read")
    dtype = np.dtype(_order(parsed, encoding, _TYPES[stored]) + _TYPES[stored])
    grid = _Grid(parsed, sizes)
    files = _data_files(parsed)
    byte_skip = parsed.integer("byte skip")
    header = VoxelFile(
        path=path,
        source_format="nrrd",
        data_files=files,
        start=parsed.end if files == (path,) else 0,
        offset=max(byte_skip, 0),
        encoding=encoding,
        skipped_lines=min(max(parsed.integer("line skip"), 0), 10_000),
        dtype=dtype,
        shape=grid.shape,
        points=grid.points,
        interleaved=grid.interleaved,
        samples=grid.samples,
        affine=grid.affine,
        is_placed=grid.is_placed,
        is_label_map=any(_SEGMENT.match(key) for key in parsed.keys),
        refusal=grid.refusal,
        remarks=tuple(grid.remarks),
        modality=parsed.keys.get("Modality", "")[:16],
        is_synthetic=_is_marked(parsed),
    )
    return _with_data_at_the_end(header) if byte_skip == -1 else header


def _parse(path: Path) -> _Fields:
    """Read the lines up to the empty one; fields are folded to lower case, keys are not."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_HEADER)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    if not re.match(rb"NRRD000\d\r?\n", content):
        _refuse(path, "it does not begin as a NRRD file")
    parsed = _Fields(path)
    at = content.index(b"\n") + 1
    while at < len(content):
        stop = content.find(b"\n", at)
        line, at = (content[at:stop], stop + 1) if stop >= 0 else (content[at:], len(content))
        text = line.decode("utf-8", "replace").rstrip("\r")
        if not text:
            break
        if "data file" in parsed.fields and parsed.fields["data file"].startswith("LIST"):
            parsed.listed.append(text.strip())
        elif not text.startswith("#"):
            _take_line(parsed, text)
    parsed.end = at
    return parsed


def _take_line(parsed: _Fields, text: str) -> None:
    name, mark, value = text.partition(":=")
    if mark:
        parsed.keys[name.strip()] = value
        return
    name, mark, value = text.partition(":")
    if not mark:
        _refuse(parsed.path, f"a line of its header is neither field nor key: {text[:60]!r}")
    name = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}.get(
        name.strip().lower(), name.strip().lower()
    )
    parsed.fields[name] = value.strip()


class _Grid:
    """Which axis is which, and where they lie."""

    def __init__(self, parsed: _Fields, sizes: Sequence[int]) -> None:
        self.remarks: list[Remark] = []
        self.refusal = ""
        self.points, self.samples, self.interleaved = 1, 1, False
        self._parsed = parsed
        kinds = [kind.lower() for kind in parsed.words("kinds", len(sizes))] or [""] * len(sizes)
        vectors = _directions(parsed, len(sizes))
        spatial = _spatial_axes(sizes, kinds, vectors)
        self.shape = (1, 1, 1)
        self.affine: FloatArray = np.eye(4)
        self.is_placed = False
        if len(spatial) != 3:
            self.refusal = f"It has {len(spatial)} dimensions in space, not 3"
            return
        column, row, depth = (sizes[axis] for axis in spatial)
        self.shape = (depth, row, column)
        self._judge_others(sizes, kinds, spatial)
        self._place(spatial, vectors, sizes)

    def _judge_others(
        self, sizes: Sequence[int], kinds: Sequence[str], spatial: Sequence[int]
    ) -> None:
        """Say what the axes that are not space hold: colours, or further volumes."""
        others = [axis for axis in range(len(sizes)) if axis not in spatial and sizes[axis] > 1]
        if not others:
            return
        kind = kinds[others[0]]
        count = math.prod(sizes[axis] for axis in others)
        if kind in ("vector", "3-vector") and count == 3 and self._parsed.is_bytes:
            kind = "rgb-color"  # as ITK writes colours
        if kind in _COLOUR_KINDS and others == [0] and count == _COLOUR_KINDS[kind]:
            self.samples = count
            if not self._parsed.is_bytes:
                self.refusal = "Its colours have other than 8 bits"
        elif kind not in _SCALAR_KINDS:
            self.refusal = f"Its voxels are values of kind {kind[:40]}, not grey values"
        elif others == list(range(3, 3 + len(others))) or len(sizes) == 3 + len(others) == 4:
            self.points = count
            self.interleaved = others == [0]
            if others[0] in (1, 2):
                self.refusal = "Its volumes lie interleaved in a way that is not read"
        else:
            self.refusal = f"It has {len(sizes)} dimensions in an order that is not read"

    def _place(
        self,
        spatial: Sequence[int],
        vectors: Sequence[Sequence[float] | None],
        sizes: Sequence[int],
    ) -> None:
        """Fill the affine from directions and origin, or from spacings alone."""
        parsed = self._parsed
        space = parsed.fields.get("space", "").lower().removesuffix("-time").removesuffix("t")
        signs = _SPACES.get(space)
        unit = self._unit_mm(spatial, len(sizes))
        columns = [vectors[axis] for axis in reversed(spatial)]
        if any(vector is None for vector in columns):
            spacings = parsed.words("spacings", len(sizes)) or ["1"] * len(sizes)
            steps = [_number(parsed.path, spacings[axis]) for axis in reversed(spatial)]
            steps = [abs(step) if step and math.isfinite(step) else 1.0 for step in steps]
            self.affine[:3, :3] = np.fliplr(np.diag(steps[::-1])) * unit
        else:
            self.affine[:3, :3] = np.array(columns, dtype=np.float64).T[:3] * unit
        origin = _vectors(parsed.path, parsed.fields.get("space origin", ""))
        if origin and origin[0] is not None and len(origin[0]) >= 3:
            self.affine[:3, 3] = np.array(origin[0][:3]) * unit
        self.is_placed = signs is not None and None not in columns
        if self.is_placed:
            self.affine[:3] *= np.array(signs, dtype=np.float64)[:, None]
        else:
            text = (
                "It does not say where it lies in the patient (no anatomical space); its axes are "
                "shown as left, back and up"
            )
            self.remarks.append((Severity.WARNING, "no_position", text))
        if not is_within_reach(self.affine) or abs(np.linalg.det(self.affine[:3, :3])) < 1e-12:
            _refuse(
                parsed.path,
                "its place is not a finite number, or its axes lie in one plane",
            )

    def _unit_mm(self, spatial: Sequence[int], count: int) -> float:
        """Return millimetres per unit of length; what is not said is millimetres."""
        parsed = self._parsed
        units = re.findall(r'"([^"]*)"', parsed.fields.get("space units", ""))
        if not units:
            axes = re.findall(r'"([^"]*)"', parsed.fields.get("units", ""))
            units = [axes[axis] for axis in spatial] if len(axes) == count else []
        named = {unit.strip().lower() for unit in units[:3] if unit.strip()}
        if len(named) != 1 or (unit := named.pop()) not in _LENGTHS:
            if named:
                text = f"Its lengths are in units that are not known: {', '.join(sorted(named))}"
                self.remarks.append((Severity.WARNING, "length_unit", f"{text}; taken as mm"))
            return 1.0
        if unit != "mm":
            text = f"Its lengths are in {unit} and were turned into millimetres"
            self.remarks.append((Severity.INFO, "length_unit", text))
        return _LENGTHS[unit]


def _spatial_axes(
    sizes: Sequence[int], kinds: Sequence[str], vectors: Sequence[Sequence[float] | None]
) -> list[int]:
    """Return the axes that lie in space, fastest first."""
    axes = range(len(sizes))
    if any(vector is not None for vector in vectors):
        return [axis for axis in axes if (vector := vectors[axis]) is not None and any(vector[:3])]
    if any(kind in ("domain", "space") for kind in kinds):
        return [axis for axis in axes if kinds[axis] in ("domain", "space")]
    return [axis for axis in axes if kinds[axis] in ("", "???", "none")][:3]


def _directions(parsed: _Fields, count: int) -> list[list[float] | None]:
    text = parsed.fields.get("space directions", "")
    unknown: list[list[float] | None] = [None] * count
    vectors = _vectors(parsed.path, text) if text else unknown
    lengths = {len(vector) for vector in vectors if vector is not None}
    if len(vectors) != count or lengths not in ({3}, {4}, set()):
        if parsed.fields.get("space dimension", "3") == "3":
            _refuse(parsed.path, "its space directions do not fit its axes")
        return unknown
    return vectors


def _vectors(path: Path, text: str) -> list[list[float] | None]:
    """Parse `(1,0,0) none (0,1,0)`."""
    vectors: list[list[float] | None] = []
    for match in _VECTOR.finditer(text[:4096]):
        inner = match.group(1)
        is_none = inner is None
        vectors.append(None if is_none else [_number(path, part) for part in inner.split(",")])
    return vectors


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        _refuse(path, f"{text[:40]!r} is no number")


def _order(parsed: _Fields, encoding: str, code: str) -> str:
    """Return `<` or `>`; text and single bytes need none."""
    if encoding == "text" or code[1] == "1":
        return "<"
    order = parsed.fields.get("endian", "").lower()
    if order not in ("little", "big"):
        _refuse(parsed.path, "it does not state the order of its bytes (endian)")
    return "<" if order == "little" else ">"


def _data_files(parsed: _Fields) -> tuple[Path, ...]:
    """Return the files of the voxels, all of which lie in the folder of the header."""
    stated = parsed.fields.get("data file")
    if stated is None:
        return (parsed.path,)
    names = parsed.listed if stated.startswith("LIST") else [stated]
    if pattern := _PATTERN.match(stated):
        names = _numbered(parsed.path, *pattern.groups())
    if not names or len(names) > _MOST_FILES:
        _refuse(parsed.path, f"its voxels lie in {len(names)} files")
    folder = os.path.realpath(parsed.path.parent)
    files = []
    for name in names:
        place = parsed.path.parent / name
        real = os.path.realpath(place) if "\0" not in name else ""
        if Path(name).is_absolute() or os.path.commonpath((folder, real or "/")) != folder:
            _refuse(parsed.path, f"its voxels would be read from outside its folder ({name[:80]})")
        if not place.is_file():
            _refuse(parsed.path, f"its voxels lie in {name[:80]}, which is missing")
        files.append(place)
    return tuple(files)


def _numbered(path: Path, form: str, first: str, last: str, step: str) -> list[str]:
    """Return the names of `slice%03d.raw 1 120 1`."""
    numbers = range(int(first), int(last) + (1 if int(step) > 0 else -1), int(step) or 1)
    if len(numbers) > _MOST_FILES:
        _refuse(path, f"its voxels lie in {len(numbers)} files")
    before, form, after = re.split(r"(%0?\d{0,2}d)", form, maxsplit=1)
    return [f"{before}{form % number}{after}" for number in numbers]


def _with_data_at_the_end(header: VoxelFile) -> VoxelFile:
    """Apply a byte skip of -1: raw voxels are the last bytes of the file."""
    if header.encoding != "raw" or len(header.data_files) != 1:
        _refuse(header.path, "a byte skip of -1 needs raw voxels in one file")
    start = header.data_files[0].stat().st_size - header.needed_bytes
    if start < 0:
        _refuse(header.path, f"it is cut off: {-start} bytes of voxels are missing")
    return replace(header, start=start, offset=0, skipped_lines=0)


def _is_marked(parsed: _Fields) -> bool:
    """Whether a file carries one of our marks of a synthetic volume."""
    if parsed.keys.get(_SYNTHETIC_KEY, "").strip() == "YES":
        return True
    values = {**parsed.keys, "content": parsed.fields.get("content", "").strip('"')}
    return any(values.get(key, "").startswith(SYNTHETIC_MARK) for key in _DESCRIPTION_KEYS)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise unreadable(path, reason)
