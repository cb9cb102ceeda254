"""Files that are made to hurt: bombs, lies about size, bottomless nesting, paths that lead out."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, SecondaryCaptureImageStorage

from tests.builders.encoded_pixels import KINDS, SYNTAXES, pattern, put_pixels
from tests.builders.odd_corpus import content_of, data_set, place

Files = dict[str, bytes]
_MEBI = 1 << 20
_ITEM, _ITEM_END = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
_SEQUENCE, _END = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\xdd\xe0\0\0\0\0"


def _image(name: str, syntax: str = "explicit", kind: str = "grey12") -> Dataset:
    image = data_set(f"attack-{name}", CTImageStorage, "CT")
    place(image, 0)
    put_pixels(image, [pattern(KINDS[kind])], syntax, KINDS[kind])
    return image


def _before_pixels(content: bytes, inserted: bytes) -> bytes:
    """Put bytes in front of Pixel Data of an explicit little-endian file."""
    at = content.rindex(b"\xe0\x7f\x10\x00O")
    return content[:at] + inserted + content[at:]


def deep_sequences() -> Files:
    """Ten thousand sequences within one another, closed and cut off."""
    content = content_of(_image("deep"))
    deep = _SEQUENCE + (_ITEM + _SEQUENCE) * 10_000
    closed = deep + (_END + _ITEM_END) * 10_000 + _END
    return {"closed": _before_pixels(content, closed), "open": _before_pixels(content, deep)}


def deep_functional_groups() -> Files:
    """The same where readers look: in the per-frame functional groups."""
    content = content_of(_image("groups"))
    groups = b"\x00\x52\x30\x92SQ\0\0\xff\xff\xff\xff"
    deep = groups + (_ITEM + _SEQUENCE) * 10_000 + (_END + _ITEM_END) * 10_000 + _END
    return {"deep": _before_pixels(content, deep)}


def a_million_items() -> Files:
    """A million empty frames in the functional groups of a file of one."""
    image = data_set("attack-items", EnhancedCTImageStorage, "CT")
    put_pixels(image, [pattern(KINDS["grey12"])], "explicit", KINDS["grey12"])
    image.NumberOfFrames = 1_000_000
    items = (b"\xfe\xff\x00\xe0\0\0\0\0") * 1_000_000
    groups = b"\x00\x52\x30\x92SQ\0\0" + struct.pack("<I", len(items)) + items
    return {"items": _before_pixels(content_of(image), groups)}


def a_hundred_thousand_elements() -> Files:
    """Elements of a private group without end."""
    parts = [
        struct.pack("<HH2sH", 0x0029 + 2 * (n >> 15), 0x1000 + (n & 0x7FFF), b"LO", 2) + b"ab"
        for n in range(100_000)
    ]
    content = content_of(_image("elements"))
    at = content.index(b"\x28\x00\x02\x00US")
    return {"elements": content[:at] + b"".join(parts) + content[at:]}


def long_texts() -> Files:
    """Texts of sixteen megabytes where a name, a description and a position belong."""
    image = _image("texts")
    long = "A^" * (8 * _MEBI)
    image.add_new(0x00081030, "UT", long)
    image.add_new(0x00100010, "UT", long)
    image.add_new(0x00200032, "UT", "1\\" * (8 * _MEBI))
    return {"texts": content_of(image)}


def inflated() -> Files:
    """Four gibibytes of zeros in a deflated file of four megabytes."""
    image = _image("inflated", "deflated")
    content = content_of(image)
    start = 144 + int.from_bytes(content[140:144], "little")  # behind the file meta
    body = zlib.decompress(content[start:], -15)
    head = body + b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0xFFFFFFF0)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start_of_bomb = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return {"bomb": content[:start] + start_of_bomb + _deflated_zeros(4096)}


def _deflated_zeros(mebibytes: int) -> bytes:
    """A raw deflate stream of zeros: one block of 16 MiB, which stands there again and again."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(16 * _MEBI)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return block * (mebibytes // 16) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def claimed_sizes() -> Files:
    """Small files that claim all the rows, columns and frames there can be."""
    files = {}
    for name, rows, columns, frames in (
        ("wide", 65535, 65535, 1),
        ("long", 24, 40, 2**31 - 1),
        ("both", 65535, 65535, 2**31 - 1),
    ):
        for syntax in ("explicit", "jpegls", "rle"):
            image = _image(f"{name}-{syntax}", syntax)
            image.Rows, image.Columns, image.NumberOfFrames = rows, columns, frames
            files[f"{name}-{syntax}"] = content_of(image)
    return files


def streams_that_swell() -> Files:
    """Streams whose own headers claim 60 000 x 60 000, as their files do."""
    files = {}
    for syntax in ("jpeg8", "lossless70", "jpegls", "j2k", "htj2k"):
        image = _image(f"swell-{syntax}", syntax, "grey8")
        image.Rows = image.Columns = 60_000
        value = image.PixelData
        if syntax in ("j2k", "htj2k"):
            at = value.index(b"\xff\x51") + 6
            claimed = struct.pack(">II", 60_000, 60_000)
            changed = value[:at] + claimed + value[at + 8 : at + 16] + claimed + value[at + 24 :]
        else:
            marker = {"jpeg8": b"\xff\xc0", "lossless70": b"\xff\xc3", "jpegls": b"\xff\xf7"}
            at = value.index(marker[syntax]) + 5
            changed = value[:at] + struct.pack(">HH", 60_000, 60_000) + value[at + 4 :]
        image.PixelData = changed
        files[syntax] = content_of(image)
    return files


def a_million_fragments() -> Files:
    """Empty fragments, and an offset table of which no entry is true."""
    image = _image("fragments", "jpegls")
    stream = image.PixelData
    empty = b"\xfe\xff\x00\xe0\0\0\0\0"
    table = struct.pack("<I", 0xFFFFFFF0) * 100_000
    frames = data_set("attack-offsets", SecondaryCaptureImageStorage, "OT")
    put_pixels(frames, [pattern(KINDS["grey8"])] * 3, "jpegls", KINDS["grey8"])
    value = frames.PixelData
    frames.PixelData = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(table)) + table + value[20:]
    image.PixelData = stream[:8] + empty * 1_000_000 + stream[8:]
    return {"empty": content_of(image), "offsets": content_of(frames)}


def odd_palettes() -> Files:
    """Palettes whose descriptors say other than their data."""
    files = {}
    for name, descriptor in (
        ("none", [0, 0, 16]),
        ("much", [65535, 65535, 16]),
        ("bits", [256, 0, 255]),
        ("short", [256]),
    ):
        image = data_set(f"attack-palette-{name}", SecondaryCaptureImageStorage, "OT")
        put_pixels(image, [pattern(KINDS["palette"])], "explicit", KINDS["palette"])
        image.RedPaletteColorLookupTableDescriptor = descriptor
        files[name] = content_of(image)
    return files


def odd_geometry() -> Files:
    """Places that no arithmetic likes: all equal, not finite, huge, of no length."""
    files = {}
    for name, position, cosines in (
        ("nan", "nan\\nan\\nan", "1\\0\\0\\0\\1\\0"),
        ("huge", "1e308\\-1e308\\1e308", "1\\0\\0\\0\\1\\0"),
        ("zero", "0\\0\\0", "0\\0\\0\\0\\0\\0"),
        ("same", "0\\0\\0", "1\\0\\0\\1\\0\\0"),
        ("inf", "0\\0\\0", "inf\\0\\0\\0\\1\\0"),
    ):
        for index in range(3):
            image = data_set(f"attack-place-{name}", CTImageStorage, "CT", index)
            put_pixels(image, [pattern(KINDS["grey12"])], "explicit", KINDS["grey12"])
            image.FrameOfReferenceUID = "1.2.3"
            image.add_new(0x00200032, "UT", position)
            image.add_new(0x00200037, "UT", cosines)
            image.add_new(0x00280030, "UT", ("1e-300\\1e300", "0\\0", "nan\\1")[index])
            files[f"{name}{index}"] = content_of(image)
    return files


def volume_files() -> Files:
    """NIfTI and NRRD that claim more than a machine has, or swell as they are unpacked."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 32767, 32767, 32767, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    huge = bytes(header)
    struct.pack_into("<8h", header, 40, 3, 64, 64, 64, 1, 1, 1, 1)
    gzip_head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = squeeze.compress(bytes(header)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    bomb = gzip_head + start + _deflated_zeros(4096) + bytes(8)
    fields = (
        b"NRRD0004\ntype: double\ndimension: 3\nencoding: %s\nendian: little\n"
        b"sizes: %s\nspace: left-posterior-superior\n"
        b"space directions: (1,0,0) (0,1,0) (0,0,1)\n%s\n"
    )
    out = fields % (b"raw", b"4 4 4", b"data file: ../../../../../../etc/passwd\n")
    return {
        "huge.nii": huge,
        "huge.nii.gz": gzip.compress(huge),
        "bomb.nii.gz": bomb,
        "huge.nrrd": fields % (b"raw", b"99999 99999 99999", b""),
        "bomb.nrrd": fields % (b"gzip", b"64 64 64", b"") + bomb,
        "out.nhdr": out,
        "absolute.nhdr": out.replace(b"../../../../../../etc", b"/etc"),
        "lines.nrrd": b"NRRD0004\n" + b"key:=value\n" * 500_000,
    }


def archives() -> Files:
    """ZIP files that swell, lead out of their folder, or hold themselves."""
    image = content_of(_image("zipped"))
    bomb, out, many, nested = (io.BytesIO() for _ in range(4))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(2):
            with archive.open(f"zeros{number}.dcm", "w") as member:
                for _ in range(16):
                    member.write(bytes(16 * _MEBI))
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("../../escaped.dcm", "/tmp/escaped.dcm", "..\\..\\escaped.dcm", "C:/x.dcm"):
            archive.writestr(name, image)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number}", b"")
    content = image
    for depth in range(12):
        nested = io.BytesIO()
        with zipfile.ZipFile(nested, "w") as archive:
            archive.writestr(f"{depth}.zip" if depth else "image.dcm", content)
        content = nested.getvalue()
    return {
        "bomb.zip": bomb.getvalue(),
        "out.zip": out.getvalue(),
        "many.zip": many.getvalue(),
        "nested.zip": nested.getvalue(),
    }


def odd_directories() -> Files:
    """A DICOMDIR whose records lead out of its folder, and to themselves."""
    directory = Dataset()
    records = []
    for parts in (["..", "..", "etc", "passwd"], ["", "etc", "passwd"], ["DICOMDIR"], ["A" * 400]):
        record = Dataset()
        record.OffsetOfTheNextDirectoryRecord = 0
        record.RecordInUseFlag = 0xFFFF
        record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = parts
        records.append(record)
    directory = data_set("attack-directory", "1.2.840.10008.1.3.10", "OT")
    directory.file_meta.TransferSyntaxUID = SYNTAXES["explicit"]
    directory.FileSetID = "X"
    directory.DirectoryRecordSequence = Sequence(records)
    return {"DICOMDIR": content_of(directory)}


def odd_numbers() -> Files:
    """Values of the right length and of no sense in each number that pixels depend on."""
    files = {}
    for keyword, value in (
        ("BitsAllocated", 0),
        ("BitsAllocated", 65535),
        ("BitsStored", 0),
        ("HighBit", 65535),
        ("SamplesPerPixel", 0),
        ("SamplesPerPixel", 65535),
        ("PixelRepresentation", 7),
        ("PlanarConfiguration", 9),
        ("NumberOfFrames", -5),
        ("NumberOfFrames", 0),
        ("RescaleSlope", "1e308"),
        ("RescaleSlope", "0"),
        ("RescaleIntercept", "-1e308"),
        ("PixelPaddingValue", 65535),
    ):
        image = _image(f"number-{keyword}-{value}")
        setattr(image, keyword, value)
        files[f"{keyword}{value}"] = content_of(image)
    return files


ATTACKS: tuple[Callable[[], Files], ...] = (
    deep_sequences,
    deep_functional_groups,
    a_million_items,
    a_hundred_thousand_elements,
    long_texts,
    inflated,
    claimed_sizes,
    streams_that_swell,
    a_million_fragments,
    odd_palettes,
    odd_geometry,
    odd_numbers,
    volume_files,
    archives,
    odd_directories,
)
