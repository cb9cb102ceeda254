"""Headers of NIfTI-1 and NIfTI-2 files and pairs (nifti1.h and nifti2.h of the NIH).

The affine is chosen as nibabel does it: sform if its code is set, else qform, else the voxel sizes
around the centre. NIfTI is RAS; what leaves this module is LPS.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from carez_desktop.domain.finding import Severity
from carez_desktop.domain.geometry import is_within_reach
from carez_desktop.domain.patient_space import FloatArray
from carez_desktop.imaging.voxel_file import Remark, VoxelFile, inflated, unreadable

SYNTHETIC_MARK = "SYNTHETIC"
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_LARGEST_EXTENT = 1 << 31
_ENOUGH = 1024
"""More than the 540 bytes of the longer header."""

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_TYPES |= {1024: "i8", 1280: "u8"}
_COLOURS = {128: 3, 2304: 4}
_OTHER_TYPES = {
    1: "one bit a voxel",
    32: "complex numbers",
    1536: "128-bit numbers",
    1792: "complex numbers",
    2048: "complex numbers",
}
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metres", 3: "micrometres"}
_LABELS, _VECTOR = 1002, 1007
_VECTOR_INTENTS = {1004: "matrices", 1005: "matrices", 1006: "displacements", 1007: "vectors"}


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of either version that matter here, by the names of nifti1.h."""

    magic: bytes
    dim: Sequence[int]
    datatype: int
    pixdim: Sequence[float]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    xyzt_units: int
    descrip: bytes
    qform_code: int
    sform_code: int
    quatern: Sequence[float]
    qoffset: Sequence[float]
    srow: Sequence[float]
    intent_code: int


def read_nifti_header(path: Path) -> VoxelFile:
    """Read the header of a `.nii`, `.nii.gz` or `.hdr` file.

    Raises:
        UnreadableFileError: It is none, or its numbers make no sense.
    """
    is_packed = path.name.lower().endswith(".gz")
    try:
        with path.open("rb") as stream:
            content = _first_bytes(stream) if is_packed else stream.read(_ENOUGH)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    except (zlib.error, EOFError) as error:
        raise unreadable(path, f"it is no NIfTI file, or damaged ({error})") from error
    fields, order = _parse(path, content)
    data_file = _data_file(path, fields.magic)
    shape, points = _extents(path, fields.dim)
    affine, placed, remarks = _affine(path, fields, shape)
    is_planar = _is_planar_colour(fields, points)
    slope, intercept = (1.0, 0.0) if is_planar else _scale(path, fields)
    refusal = "" if is_planar else _refusal(fields)
    dtype = np.dtype(order + _TYPES.get(fields.datatype, "u1"))
    return VoxelFile(
        path=path,
        source_format="nifti",
        data_files=(data_file,),
        offset=_offset(path, fields.vox_offset, is_pair=data_file != path),
        encoding="gzip" if is_packed else "raw",
        dtype=dtype,
        shape=shape,
        points=1 if is_planar else points,
        samples=3 if is_planar else _COLOURS.get(fields.datatype, 1),
        planar=is_planar,
        slope=slope,
        intercept=intercept,
        affine=affine,
        is_placed=placed,
        is_label_map=fields.intent_code == _LABELS,
        refusal=refusal,
        remarks=remarks,
        is_synthetic=fields.descrip.decode("latin-1").startswith(SYNTHETIC_MARK),
    )


def _first_bytes(stream: BinaryIO) -> bytes:
    """Return the beginning of what a gzip stream holds, inflating hardly more."""
    content = b""
    for block in inflated(stream, _ENOUGH):
        content += block
        if len(content) >= _ENOUGH:
            break
    return content


def _parse(path: Path, content: bytes) -> tuple[_Fields, str]:
    """Return the fields and the byte order; the header's stated size tells both."""
    for order in ("<", ">"):
        if len(content) >= 348 and struct.unpack_from(order + "i", content)[0] == 348:
            return _first_version(path, content, order), order
        if len(content) >= 540 and struct.unpack_from(order + "i", content)[0] == 540:
            return _second_version(content, order), order
    raise unreadable(path, "it is no NIfTI file")


def _first_version(path: Path, content: bytes, order: str) -> _Fields:
    def at(kind: str, offset: int) -> Any:
        return struct.unpack_from(order + kind, content, offset)

    magic = content[344:348]
    if magic not in (b"n+1\0", b"ni1\0"):
        _refuse(path, "it is an Analyze file, which does not say which side is left; convert it")
    return _Fields(
        magic=magic,
        dim=at("8h", 40),
        datatype=at("h", 70)[0],
        pixdim=at("8f", 76),
        vox_offset=at("f", 108)[0],
        scl_slope=at("f", 112)[0],
        scl_inter=at("f", 116)[0],
        xyzt_units=content[123],
        descrip=content[148:228],
        qform_code=at("h", 252)[0],
        sform_code=at("h", 254)[0],
        quatern=at("3f", 256),
        qoffset=at("3f", 268),
        srow=at("12f", 280),
        intent_code=at("h", 68)[0],
    )


def _second_version(content: bytes, order: str) -> _Fields:
    def at(kind: str, offset: int) -> Any:
        return struct.unpack_from(order + kind, content, offset)

    return _Fields(
        magic=content[4:8],
        dim=at("8q", 16),
        datatype=at("h", 12)[0],
        pixdim=at("8d", 104),
        vox_offset=float(at("q", 168)[0]),
        scl_slope=at("d", 176)[0],
        scl_inter=at("d", 184)[0],
        xyzt_units=at("i", 500)[0] & 0xFF,
        descrip=content[240:320],
        qform_code=at("i", 344)[0],
        sform_code=at("i", 348)[0],
        quatern=at("3d", 352),
        qoffset=at("3d", 376),
        srow=at("12d", 400),
        intent_code=at("i", 504)[0],
    )


def _data_file(path: Path, magic: bytes) -> Path:
    """Return the file of the voxels: the `.img` beside a `.hdr`, else the file itself."""
    if magic[:3] not in (b"ni1", b"ni2"):
        if magic[:3] not in (b"n+1", b"n+2"):
            _refuse(path, "its mark is not that of NIfTI")
        return path
    for suffix in (".img", ".IMG"):
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    raise unreadable(path, "its voxels lie in a file .img beside it, which is missing")


def _extents(path: Path, dim: Sequence[int]) -> tuple[tuple[int, int, int], int]:
    """Return (slices, rows, columns) and how many volumes there are (dim[0] of nifti1.h)."""
    count = dim[0]
    extents = [int(extent) for extent in dim[1 : count + 1]] if 1 <= count <= 7 else []
    if not extents or any(not 0 < extent < _LARGEST_EXTENT for extent in extents):
        _refuse(path, f"its extents make no sense: {list(dim)}")
    columns, rows, slices, *others = [*extents, 1, 1][: max(3, len(extents))]
    return (slices, rows, columns), math.prod(others)


def _offset(path: Path, stated: float, *, is_pair: bool) -> int:
    if not math.isfinite(stated) or not 0 <= stated < 1 << 40:
        _refuse(path, f"its voxels cannot begin at byte {stated}")
    if is_pair or stated >= 348:
        return int(stated)
    return 352  # some writers leave 0 in a single file


def _scale(path: Path, fields: _Fields) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 or NaN means none (nifti1.h; as nibabel)."""
    slope, intercept = fields.scl_slope, fields.scl_inter
    if slope == 0.0 or not math.isfinite(slope) or fields.datatype in _COLOURS:
        return 1.0, 0.0
    if not math.isfinite(intercept):
        _refuse(path, "its intercept is not a number, although its slope is")
    return slope, intercept


def _is_planar_colour(fields: _Fields, points: int) -> bool:
    """Whether the file holds colours as ITK writes them: three vector components of bytes."""
    is_vector = fields.intent_code == _VECTOR and fields.dim[0] == 5 and fields.dim[5] == 3
    return is_vector and points == 3 and fields.datatype == 2


def _refusal(fields: _Fields) -> str:
    if fields.datatype not in _TYPES and fields.datatype not in _COLOURS:
        name = _OTHER_TYPES.get(fields.datatype, f"a type with the number {fields.datatype}")
        return f"Its voxels are {name}, which are not read"
    if fields.intent_code in _VECTOR_INTENTS:
        return f"Its voxels are {_VECTOR_INTENTS[fields.intent_code]}, not grey values"
    return ""


def _affine(
    path: Path, fields: _Fields, shape: tuple[int, int, int]
) -> tuple[FloatArray, bool, tuple[Remark, ...]]:
    """Return index (slice, row, column) -> LPS mm, whether it is stated, and what was odd."""
    remarks: list[Remark] = []
    sizes = [abs(size) if math.isfinite(size) and size else 1.0 for size in fields.pixdim[1:4]]
    if fields.sform_code > 0:
        ras = np.vstack([np.array(fields.srow, dtype=np.float64).reshape(3, 4), [0, 0, 0, 1]])
    elif fields.qform_code > 0:
        ras = _from_quaternion(path, fields, sizes)
    else:
        ras = np.diag([-sizes[0], sizes[1], sizes[2], 1.0])
        ras[:3, 3] = -ras[:3, :3] @ (np.array(shape[::-1]) - 1) / 2.0
        text = (
            "It does not say where it lies in the patient; columns are taken as right to left, "
            "rows as back to front, slices as feet to head"
        )
        remarks.append((Severity.WARNING, "no_position", text))
    unit = fields.xyzt_units & 0x07
    if unit in _UNIT_NAMES:
        ras[:3] *= _MILLIMETRES[unit]
        text = f"Its lengths are in {_UNIT_NAMES[unit]} and were turned into millimetres"
        remarks.append((Severity.INFO, "length_unit", text))
    if not is_within_reach(ras) or abs(np.linalg.det(ras[:3, :3])) < 1e-12:
        _refuse(path, "its place is not a finite number, or its axes lie in one plane")
    lps = (_RAS_TO_LPS @ ras)[:, [2, 1, 0, 3]]
    return (
        np.asarray(lps, dtype=np.float64),
        fields.sform_code > 0 or fields.qform_code > 0,
        (*remarks,),
    )


def _from_quaternion(path: Path, fields: _Fields, sizes: Sequence[float]) -> FloatArray:
    """Return the RAS affine of the qform (nifti1.h, METHOD 2)."""
    b, c, d = (float(part) for part in fields.quatern)
    rest = 1.0 - (b * b + c * c + d * d)
    if not math.isfinite(rest) or rest < -1e-5:
        _refuse(path, "its rotation is not one")
    a = math.sqrt(max(rest, 0.0))
    if rest < 1e-7:  # as nifti1_io: a turn by 180 degrees, with the rest normalised
        norm = math.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / norm, c / norm, d / norm
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    handed = -1.0 if fields.pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array([sizes[0], sizes[1], sizes[2] * handed])
    affine[:3, 3] = fields.qoffset
    return affine


def _refuse(path: Path, reason: str) -> NoReturn:
    raise unreadable(path, reason)
