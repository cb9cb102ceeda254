"""What one file is: images, an object that refers to images, something unreadable, or no DICOM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from carez_desktop.dicom.directory_file import is_directory_file
from carez_desktop.dicom.header_reader import DicomHeader, read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, frame_headers
from carez_desktop.dicom.referenced_objects import object_name, read_referenced_object
from carez_desktop.domain.study import InstanceHeader, ReferencedObject, UnreadableFile
from carez_desktop.errors import UnreadableFileError

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_SOP_CLASS, _SOP_INSTANCE, _SERIES = 0x00080016, 0x00080018, 0x0020000E


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file gives to an import; nothing of it for a file of another kind.

    Attributes:
        headers: One for an image, one for each frame that has a place of its own.
        object: SEG, RTSTRUCT, SR, PR, KO and the like.
        unreadable: Why a file that should be an image is none.
    """

    headers: tuple[InstanceHeader, ...] = ()
    object: ReferencedObject | None = None
    unreadable: UnreadableFile | None = None


def look_into(path: Path) -> FileContent:
    """Read the header of a file, whatever its name; pixels are not read, nothing is changed."""
    try:
        header = read_header(path, WANTED_TAGS)
        return _content(header)
    except UnreadableFileError as error:
        not_dicom = error.what.startswith("The file is not DICOM")
        if not_dicom and not path.name.lower().endswith(DICOM_SUFFIXES):
            return FileContent()
        return FileContent(unreadable=UnreadableFile(str(path), error.what))


def _content(header: DicomHeader) -> FileContent:
    elements = header.elements
    sop_class = elements.code(_SOP_CLASS)
    if object_name(sop_class, header.elements.code(0x00080060)):
        return FileContent(object=read_referenced_object(header))
    reason = _truncation(header)
    if header.pixels is None and "header_cut" in header.flags:
        reason = "The file is truncated: its header breaks off before the pixels"
    if not elements.code(_SOP_INSTANCE) and header.pixels is None:
        if is_directory_file(header.path):
            return FileContent()
        reason = "The file has neither a SOP Instance UID nor pixels"
    if reason:
        lost = UnreadableFile(str(header.path), reason, elements.code(_SERIES))
        return FileContent(unreadable=lost)
    return FileContent(headers=frame_headers(header))


def _truncation(header: DicomHeader) -> str:
    """Say by how much the pixels of a file are cut off; "" where they are complete."""
    pixels = header.pixels
    if pixels is None or pixels.length is None:
        return ""
    missing = pixels.offset + pixels.length - header.data_size
    if missing <= 0:
        return ""
    return f"The file is truncated: {missing} of {pixels.length} bytes of pixel data are missing"
