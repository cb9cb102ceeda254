"""One small valid study file for every transfer syntax, kind of pixel and kind of object.

Each case is bytes in memory and the values that a reader has to give: the acceptance matrix of
loading, and the seeds of the fuzzer. What no encoder could be found for is named in
`encoded_pixels`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)

from tests.builders.encoded_pixels import (
    KINDS,
    PixelKind,
    pairs,
    pattern,
    put_pixels,
    shown,
    tolerance,
)

STUDY = "1.2.826.0.1.3680043.9.9999.1"
GREY_FRAMES = "1.2.840.10008.5.1.4.1.1.7.2"
COLOUR_FRAMES = "1.2.840.10008.5.1.4.1.1.7.4"
FRAME_OF_REFERENCE = f"{STUDY}.9"


@dataclass(frozen=True)
class OddCase:
    """One series (or one volume file) and what has to come out of it.

    Attributes:
        name: Unique; also the name of its folder.
        files: Content of each file by its name.
        series_uid: "" for a volume file, which has none.
        volumes: Modality values (slice, row, column[, 3]) of each volume in order of its set.
        tolerance: Largest difference of a value.
        object_class: Name of a SEG, SR and the like, which is listed and not stacked.
        patient_name: What the library has to say, where a character set is the point.
    """

    name: str
    files: dict[str, bytes]
    series_uid: str = ""
    volumes: tuple[npt.NDArray[Any], ...] = ()
    tolerance: float = 0.0
    object_class: str = ""
    patient_name: str = ""

    def write(self, folder: Path) -> list[Path]:
        """Write its files below `folder / name`."""
        target = folder / self.name
        target.mkdir(parents=True)
        paths = [target / name for name in self.files]
        for path, content in zip(paths, self.files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return paths


def uid_of(name: str) -> str:
    """Series UID of a case: made from its name, so that a case keeps it when others come."""
    return f"{STUDY}.{1_000_000_000 + zlib.crc32(name.encode())}"


def data_set(name: str, sop_class: str, modality: str, index: int = 0) -> Dataset:
    """What every image of the corpus has; the transfer syntax is still to come."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = sop_class
    uid = f"{uid_of(name)}.{index + 1}"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
    image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, uid_of(name)
    image.PatientID, image.PatientName = "CORPUS", "Corpus^Odd"
    image.PatientSex, image.PatientAge = "F", "061Y"
    image.StudyDate, image.StudyTime, image.StudyID = "20240131", "101500", "1"
    image.AccessionNumber, image.SeriesDescription = "A1", name
    image.SeriesNumber = 1
    image.Modality, image.InstanceNumber = modality, index + 1
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    return image


def place(image: Dataset, index: int, step_mm: float = 2.5) -> None:
    """Give an image a place: oblique, with pixels that are not square (PS3.3 C.7.6.2)."""
    angle = np.radians(20.0)
    down = np.array([0.0, np.cos(angle), np.sin(angle)])
    normal = np.cross([1.0, 0.0, 0.0], down)
    image.FrameOfReferenceUID = FRAME_OF_REFERENCE
    image.ImageOrientationPatient = [f"{part:.12f}"[:16] for part in (1.0, 0.0, 0.0, *down)]
    position = np.array([-10.0, 5.5, 30.0]) + normal * step_mm * index
    image.ImagePositionPatient = [f"{part:.10f}"[:16] for part in position]
    image.PixelSpacing = ["0.8", "0.6"]


def content_of(image: Dataset) -> bytes:
    """The file of a data set."""
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def series_case(name: str, images: Sequence[Dataset], **facts: Any) -> OddCase:
    """A case of one file for each image, under names that say nothing of their order."""
    order = np.random.default_rng(len(images)).permutation(len(images))
    files = {f"IM{order[i]:03d}": content_of(image) for i, image in enumerate(images)}
    return OddCase(name, files, uid_of(name), **facts)


def pixel_cases() -> Iterator[OddCase]:
    """One image of each kind in each syntax, at a place in the patient if it is grey."""
    for syntax, kind_name in pairs():
        kind = KINDS[kind_name]
        name = f"{syntax}-{kind_name}"
        image = _image(name, kind)
        cells = pattern(kind)
        put_pixels(image, [cells], syntax, kind)
        yield series_case(
            name, [image], volumes=(shown(cells, kind)[None],), tolerance=tolerance(syntax, kind)
        )


def _image(name: str, kind: PixelKind) -> Dataset:
    if kind.samples == 3 or kind.photometric == "PALETTE COLOR":
        return data_set(name, SecondaryCaptureImageStorage, "OT")
    if kind.photometric == "MONOCHROME1":
        return data_set(name, DigitalXRayImageStorageForPresentation, "DX")
    image = data_set(name, CTImageStorage, "CT")
    place(image, 0)
    return image


_FRAMED = {
    "implicit": ("basic",),
    "deflated": ("basic",),
    "big": ("basic",),
    "rle": ("basic", "extended", "none"),
    "jpeg8": ("basic", "extended", "none", "pieces"),
    "lossless70": ("basic", "none", "pieces"),
    "jpegls": ("basic", "extended", "none", "pieces"),
    "j2k": ("basic", "extended", "none", "pieces"),
    "htj2k": ("none", "pieces"),
}


def frame_cases() -> Iterator[OddCase]:
    """Multi-frame secondary captures without places, with every kind of offset table."""
    for syntax, tables in _FRAMED.items():
        for table in tables:
            yield _frames(syntax, table, "grey8", GREY_FRAMES)
    for syntax in ("explicit", "rle", "jpegls", "j2k"):
        yield _frames(syntax, "basic", "rgb", COLOUR_FRAMES)


def _frames(syntax: str, table: str, kind_name: str, sop_class: str) -> OddCase:
    kind, name = KINDS[kind_name], f"{syntax}-{kind_name}-frames-{table}"
    frames = [pattern(kind, (23, 39), seed) for seed in range(4)]
    image = data_set(name, sop_class, "OT")
    image.FrameTime = "40"
    image.FrameIncrementPointer = 0x00181063
    put_pixels(image, frames, syntax, kind, table)
    stack = np.stack([shown(frame, kind) for frame in frames])
    return series_case(name, [image], volumes=(stack,), tolerance=tolerance(syntax, kind))


def cell_cases() -> Iterator[OddCase]:
    """Cells that have no compressed form here: 1 and 32 bits, floats, odd high bits, tables."""
    rows, columns = np.mgrid[:24, :40]
    yield _native("signed32", 32, rows * 100_000 - columns * 70_000, "i4")
    yield _native("unsigned32", 32, rows * 100_000 + columns * 70_000, "u4")
    bits = ((rows + columns) % 3 == 0).astype("u1")
    image = _placed("bits1", 1, 1)
    image.PixelData = np.packbits(bits, bitorder="little").tobytes()
    yield series_case("bits1", [image], volumes=(bits[None],))
    shifted = (rows * 60 + columns * 31) % 4096
    image = _placed("high_bit_15", 16, 12)
    image.HighBit = 15
    image.PixelData = (shifted << 4).astype("<u2").tobytes()
    yield series_case("high_bit_15", [image], volumes=(shifted[None],))
    image = _placed("overlay_bits", 16, 12)
    image.PixelData = (shifted | 0x8000).astype("<u2").tobytes()
    yield series_case("overlay_bits", [image], volumes=(shifted[None],))
    yield from _float_cases(rows, columns)
    yield from _rescaled_cases(shifted)


def _native(name: str, bits: int, values: npt.NDArray[Any], dtype: str) -> OddCase:
    image = _placed(name, bits, bits)
    image.PixelRepresentation = int(dtype.startswith("i"))
    image.PixelData = values.astype(f"<{dtype}").tobytes()
    return series_case(name, [image], volumes=(values[None],))


def _float_cases(rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Iterator[OddCase]:
    values = rows * 0.37 - columns / 7
    for name, dtype, bits in (("float", "<f4", 32), ("double_float", "<f8", 64)):
        image = _placed(name, bits, bits)
        del image.BitsStored, image.HighBit, image.PixelRepresentation
        keyword = "FloatPixelData" if bits == 32 else "DoubleFloatPixelData"
        setattr(image, keyword, values.astype(dtype).tobytes())
        yield series_case(name, [image], volumes=(values[None],), tolerance=1e-5)


def _rescaled_cases(stored: npt.NDArray[Any]) -> Iterator[OddCase]:
    image = _placed("rescaled", 16, 12)
    image.RescaleSlope, image.RescaleIntercept = "0.25", "-100.5"
    image.PixelData = stored.astype("<u2").tobytes()
    yield series_case("rescaled", [image], volumes=(stored[None] * 0.25 - 100.5,), tolerance=1e-3)
    table = (np.arange(4096) // 2 + 7).astype("<u2")
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    item.LUTData = table.tobytes()
    item["LUTData"].VR = "OW"
    image = _placed("modality_table", 16, 12)
    image.ModalityLUTSequence = [item]
    image.PixelData = stored.astype("<u2").tobytes()
    yield series_case("modality_table", [image], volumes=(table[stored][None],))


def _placed(name: str, allocated: int, stored: int) -> Dataset:
    """An explicit little-endian grey image of 24 x 40 without its cells."""
    image = data_set(name, CTImageStorage, "CT")
    place(image, 0)
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.Rows, image.Columns, image.SamplesPerPixel = 24, 40, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = allocated, stored, stored - 1
    image.PixelRepresentation = 0
    return image


def bare_cases() -> Iterator[OddCase]:
    """Files without preamble: with file meta, and as a data set alone in both VR encodings."""
    for syntax in ("implicit", "explicit", "big"):
        for part in ("no-preamble", "bare"):
            if (syntax, part) == ("big", "bare"):
                continue  # which only its file meta could tell
            kind, name = KINDS["signed16"], f"{syntax}-{part}"
            image = _image(name, kind)
            cells = pattern(kind)
            put_pixels(image, [cells], syntax, kind)
            content = content_of(image)
            content = content[132:] if part == "no-preamble" else _after_meta(content)
            yield OddCase(name, {"IM0": content}, uid_of(name), (cells[None],))


def _after_meta(content: bytes) -> bytes:
    """Cut preamble and file meta off, whose length stands in its first element."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


_NAMES = {
    "latin1": ("ISO_IR 100", "Müller^Jörg"),
    "greek": ("ISO_IR 126", "Διονυσιος"),
    "cyrillic": ("ISO_IR 144", "Люкceмбypг"),  # noqa: RUF001
    "utf8": ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    "gb18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
}


def charset_cases() -> Iterator[OddCase]:
    """Patient names in the character sets of PS3.3 C.12.1.1.2."""
    kind = KINDS["grey8"]
    for key, (charset, person) in _NAMES.items():
        image = _image(f"charset-{key}", kind)
        image.SpecificCharacterSet = charset
        image.PatientName = person
        image.PatientID = f"CS-{key}"
        cells = pattern(kind)
        put_pixels(image, [cells], "explicit", kind)
        yield series_case(
            f"charset-{key}", [image], volumes=(cells[None],), patient_name=person.split("=")[0]
        )


@cache
def dicom_corpus() -> tuple[OddCase, ...]:
    """Every DICOM case."""
    from tests.builders.odd_objects import object_cases

    cases = (
        *pixel_cases(),
        *frame_cases(),
        *cell_cases(),
        *bare_cases(),
        *charset_cases(),
        *object_cases(),
    )
    assert len({case.name for case in cases}) == len(cases)
    assert len({case.series_uid for case in cases}) == len(cases)
    return cases
