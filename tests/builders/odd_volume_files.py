"""Small NIfTI and NRRD files in their variants, and the archives that studies come in."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from tests.builders.odd_corpus import OddCase, dicom_corpus

SHAPE = (3, 4, 5)
"""(slice, row, column); NIfTI and NRRD state it the other way round."""


def volume_values(dtype: str = "i2", points: int = 0) -> npt.NDArray[Any]:
    """(slice, row, column) values; with points in time a first axis of them."""
    shape = (points, *SHAPE) if points else SHAPE
    return (np.arange(np.prod(shape)).reshape(shape) * 3 % 251).astype(dtype)


@cache
def volume_file_corpus() -> tuple[OddCase, ...]:
    """Every NIfTI and NRRD case."""
    return (*_nifti_cases(), *_nrrd_cases())


def _orthogonal() -> npt.NDArray[np.float64]:
    """RAS affine of an oblique grid without shear."""
    turn = np.deg2rad(15)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine = np.diag([0.6, 0.8, 2.5, 1.0])
    affine[:2, :2] = turned @ np.diag([-0.6, 0.8])
    affine[:3, 3] = (10, -20, 30)
    return affine


def _nifti(
    values: npt.NDArray[Any],
    *,
    kind: Any = nibabel.Nifti1Image,
    endian: str = "<",
    scale: tuple[float, float] = (1.0, 0.0),
    codes: tuple[int, int] = (1, 1),
) -> bytes:
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(values.dtype)
    image = kind(values.T, None, header)
    image.set_sform(_orthogonal(), code=codes[0])
    image.set_qform(_orthogonal(), code=codes[1])
    image.header.set_slope_inter(*scale)
    content = image.to_bytes()
    if scale != (1.0, 0.0):  # nibabel divides what it writes by the slope; the cells stay here
        cells = values.astype(values.dtype.newbyteorder(endian)).tobytes()
        slope = struct.pack(f"{endian}ff", *scale)
        content = content[:112] + slope + content[120:352] + cells
    return content


def _nifti_cases() -> Iterator[OddCase]:
    for dtype in ("u1", "i2", "u2", "i4", "f4", "f8"):
        values = volume_values(dtype)
        yield OddCase(f"nii-{dtype}", {"v.nii": _nifti(values)}, volumes=(values,))
    values = volume_values()
    yield OddCase("nii-gz", {"v.nii.gz": gzip.compress(_nifti(values))}, volumes=(values,))
    yield OddCase("nii-big", {"v.nii": _nifti(values, endian=">")}, volumes=(values,))
    second = _nifti(values, kind=nibabel.Nifti2Image)
    yield OddCase("nii-2", {"v.nii": second}, volumes=(values,))
    scaled = _nifti(values, scale=(0.5, -7.0))
    yield OddCase("nii-scaled", {"v.nii": scaled}, volumes=(values * 0.5 - 7,), tolerance=1e-4)
    for label, codes in (("sform", (2, 0)), ("qform", (0, 1)), ("neither", (0, 0))):
        content = _nifti(values, codes=codes)
        yield OddCase(f"nii-{label}", {"v.nii": content}, volumes=(values,))
    four = volume_values(points=2)
    yield OddCase("nii-4d", {"v.nii": _nifti(four)}, volumes=tuple(four))


def _nrrd(values: npt.NDArray[Any], **fields: str) -> bytes:
    """An attached NRRD; a field with an empty text is left out."""
    types = {"i2": "short", "u1": "uchar", "f4": "float", "f8": "double"}
    stated = {
        "type": types[values.dtype.str[1:]],
        "dimension": str(values.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, reversed(values.shape))),
        "space directions": "(0.6,0,0) (0,0.8,0) (0,0,2.5)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(10,-20,30)",
        **{key.replace("_", " "): text for key, text in fields.items()},
    }
    lines = ["NRRD0005", *(f"{key}: {text}" for key, text in stated.items() if text), "", ""]
    encoding, order = stated["encoding"], ">" if stated["endian"] == "big" else "<"
    cells = values.astype(values.dtype.newbyteorder(order)).tobytes()
    if encoding == "gzip":
        cells = gzip.compress(cells)
    elif encoding == "bzip2":
        cells = bz2.compress(cells)
    elif encoding == "ascii":
        cells = "\n".join(map(str, values.ravel())).encode()
    elif encoding == "hex":
        cells = cells.hex().encode()
    return "\n".join(lines).encode() + (b"" if "data file" in stated else cells)


def _nrrd_cases() -> Iterator[OddCase]:
    for dtype in ("u1", "i2", "f4", "f8"):
        values = volume_values(dtype)
        yield OddCase(f"nrrd-{dtype}", {"v.nrrd": _nrrd(values)}, volumes=(values,))
    values = volume_values()
    for encoding in ("gzip", "bzip2", "ascii", "hex"):
        content = _nrrd(values, encoding=encoding)
        yield OddCase(f"nrrd-{encoding}", {"v.nrrd": content}, volumes=(values,))
    yield OddCase("nrrd-big", {"v.nrrd": _nrrd(values, endian="big")}, volumes=(values,))
    ras = _nrrd(values, space="right-anterior-superior")
    yield OddCase("nrrd-ras", {"v.nrrd": ras}, volumes=(values,))
    header = _nrrd(values, data_file="v.raw")
    yield OddCase("nrrd-detached", {"v.nhdr": header, "v.raw": values.tobytes()}, volumes=(values,))
    four = volume_values(points=2)
    times = _nrrd(
        four,
        space_directions="(0.6,0,0) (0,0.8,0) (0,0,2.5) none",
        kinds="domain domain domain list",
    )
    yield OddCase("nrrd-4d", {"v.nrrd": times}, volumes=tuple(four))


@cache
def archive_corpus() -> dict[str, dict[str, bytes]]:
    """Folders of one archive each: a ZIP of studies, and a DICOMDIR with its files."""
    ct = next(case for case in dicom_corpus() if case.name == "kind-ct")
    stored, squeezed = io.BytesIO(), io.BytesIO()
    for buffer, method in ((stored, zipfile.ZIP_STORED), (squeezed, zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in ct.files.items():
                archive.writestr(f"study/{name}", content)
            archive.writestr("read me.txt", "nothing to see " * 50)
    return {
        "zip-stored": {"studies.zip": stored.getvalue()},
        "zip-deflated": {"studies.zip": squeezed.getvalue()},
        "dicomdir": _file_set(ct),
    }


def _file_set(case: OddCase) -> dict[str, bytes]:
    from pydicom.fileset import FileSet

    with tempfile.TemporaryDirectory() as folder:
        fileset = FileSet()
        for path in case.write(Path(folder)):
            fileset.add(path)
        root = Path(folder) / "set"
        fileset.write(root)
        fileset._stage["t"].cleanup()  # which it leaves behind with a warning
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
