"""Write which library decodes which transfer syntax, from the code that does it.

python packaging/syntax_table.py docs/reference/transfer-syntaxes.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from carez_desktop.dicom.decoders import first_decoder, second_decoder
from carez_desktop.domain.transfer_syntaxes import TRANSFER_SYNTAXES

HEAD = """# Transfer syntaxes

Written by `packaging/syntax_table.py` from the code. *First* decodes; *then* is asked where the
first gives up on a stream. Everything but uncompressed pixels is decoded in child processes with
limits of time and memory: a stream that brings a decoder down costs its own file.

| transfer syntax | UID | first | then |
|---|---|---|---|
"""

TAIL = """
Pixels: 1 bit (packed, uncompressed or deflated), 8, 12 (packed), 16 and 32 bits, signed or not, any
High Bit; 32- and 64-bit floating point; MONOCHROME1 and 2, PALETTE COLOR (8 and 16 bits, segmented
too), RGB by pixel and by plane, YBR_FULL, YBR_FULL_422, YBR_PARTIAL_422, YBR_ICT, YBR_RCT. Colours
of 16 bits are shown with 8. Not read, and said so: RLE of 1-bit pixels (DICOM defines it for whole
bytes only), YBR_PARTIAL_420 and the video syntaxes it belongs to, CMYK, ARGB, HSV.

In a JPEG colour stream its own marks (Adobe, JFIF, components named R, G, B) say which colours it
holds; Photometric Interpretation counts where the stream is silent.
"""


def syntax_table() -> str:
    """Return the page."""
    lines = []
    for uid, syntax in TRANSFER_SYNTAXES.items():
        first = first_decoder(uid) or "not read"
        lines.append(f"| {syntax.name} | {uid} | {first} | {second_decoder(uid) or '-'} |\n")
    return HEAD + "".join(lines) + TAIL


def main(arguments: Sequence[str]) -> int:
    """Write the page to a file."""
    Path(arguments[0]).write_text(syntax_table(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
