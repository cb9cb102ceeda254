"""Text in the character sets of DICOM: documented names, pydicom, and Python's own codecs."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.charset import python_encoding

from carez_desktop.dicom.character_sets import CODECS, NAME_DELIMITERS, TextDecoder
from carez_desktop.dicom.header_reader import read_header
from carez_desktop.dicom.instance_header import WANTED_TAGS, to_instance_header

PATIENT_NAME, REQUESTED_PROCEDURE = 0x00100010, 0x00321064
NAMES = {
    "chrArab": ("قباني^لنزار", "", ""),
    "chrFren": ("Buc^Jérôme", "", ""),
    "chrFrenMulti": ("Buc^Jérôme", "", ""),
    "chrGerm": ("Äneas^Rüdiger", "", ""),
    "chrGreek": ("Διονυσιος", "", ""),
    "chrH31": ("Yamada^Tarou", "山田^太郎", "やまだ^たろう"),
    "chrH32": ("ﾔﾏﾀﾞ^ﾀﾛｳ", "山田^太郎", "やまだ^たろう"),
    "chrHbrw": ("שרון^דבורה", "", ""),
    "chrI2": ("Hong^Gildong", "洪^吉洞", "홍^길동"),
    "chrJapMulti": ("やまだ^たろう", "", ""),
    "chrJapMultiExplicitIR6": ("やまだ^たろう", "", ""),
    "chrRuss": ("Люкceмбypг", "", ""),  # noqa: RUF001 - as in the file
    "chrX1": ("Wang^XiaoDong", "王^小東", ""),
    "chrX2": ("Wang^XiaoDong", "王^小东", ""),
}
"""PS3.5 annexes H, I, J and the notes that come with the files."""


@pytest.mark.parametrize("name", NAMES)
def test_documented_names(studies: Path, name: str) -> None:
    path = studies / "charsets" / f"{name}.dcm"
    elements = read_header(path, WANTED_TAGS).elements
    assert elements.person_name_groups(PATIENT_NAME) == NAMES[name]
    assert not elements.decoder.was_guessed
    oracle = pydicom.dcmread(path, force=True).PatientName
    assert NAMES[name] == (oracle.alphabetic, oracle.ideographic, oracle.phonetic)


def test_groups_are_kept_apart_for_searching(studies: Path) -> None:
    path = studies / "charsets" / "chrH31.dcm"
    facts = to_instance_header(read_header(path, WANTED_TAGS)).attributes
    assert facts["patient_name"] == "Yamada^Tarou"
    assert facts["patient_name_ideographic"] == "山田^太郎"
    assert facts["patient_name_phonetic"] == "やまだ^たろう"


@pytest.mark.parametrize("name", ["chrSQEncoding", "chrSQEncoding1"])
def test_item_with_a_character_set_of_its_own(studies: Path, name: str) -> None:
    path = studies / "charsets" / f"{name}.dcm"
    (item,) = read_header(path, {REQUESTED_PROCEDURE, 0x00080005}).elements.items(
        REQUESTED_PROCEDURE
    )
    assert item.person_name_groups(PATIENT_NAME) == NAMES["chrH32"]


def test_terms_are_those_that_pydicom_knows() -> None:
    samples = {
        "ISO_IR 100": "éü",
        "ISO_IR 101": "łž",
        "ISO_IR 109": "ĝħ",
        "ISO_IR 110": "ķš",
        "ISO_IR 126": "αβ",
        "ISO_IR 127": "قب",
        "ISO_IR 138": "שד",
        "ISO_IR 144": "дж",
        "ISO_IR 148": "ğş",
        "ISO_IR 166": "กข",
        "ISO_IR 13": "ﾔﾏ",
        "ISO_IR 192": "王ü",
        "GB18030": "王𠀀",
        "GBK": "王小",
    }
    for term, text in samples.items():
        raw = text.encode(python_encoding[term])
        assert TextDecoder([term]).decode(raw) == text
    assert set(python_encoding) <= set(CODECS)


@pytest.mark.parametrize(
    ("term", "text", "escape", "codec"),
    [
        ("ISO 2022 IR 100", "Müller", b"\x1b-A", "latin_1"),
        ("ISO 2022 IR 126", "Διον", b"\x1b-F", "iso8859_7"),
        ("ISO 2022 IR 144", "Люк", b"\x1b-L", "iso8859_5"),
        ("ISO 2022 IR 149", "홍길동", b"\x1b$)C", "euc_kr"),
        ("ISO 2022 IR 58", "王小东", b"\x1b$)A", "gb2312"),
        ("ISO 2022 IR 13", "ﾔﾏ", b"\x1b)I", "shift_jis"),
    ],
)
def test_code_extension_ends_at_a_delimiter(
    term: str, text: str, escape: bytes, codec: str
) -> None:
    decoder = TextDecoder(["", term])
    raw = b"A^" + escape + text.encode(codec) + b"^B"
    assert decoder.decode(raw, NAME_DELIMITERS) == f"A^{text}^B"
    assert not decoder.was_guessed


def test_kanji_whose_second_byte_is_a_delimiter() -> None:
    """0x5E and 0x3D are half of characters in the two-byte Japanese set."""
    raw = b"\x1b$B=^\x1b(B^\x1b$B;3\x1b(B"
    first = raw[:5].decode("iso2022_jp")
    decoder = TextDecoder(["", "ISO 2022 IR 87"])
    assert decoder.decode(raw, NAME_DELIMITERS) == f"{first}^山"


def test_supplementary_kanji() -> None:
    raw = b"\x1b$(D" + "丂".encode("iso2022_jp_2")[4:6] + b"\x1b(B A"
    assert TextDecoder(["", "ISO 2022 IR 87", "ISO 2022 IR 159"]).decode(raw) == "丂 A"


def test_backslash_inside_a_chinese_character_is_no_separator() -> None:
    raw = "腬\\王".encode("gbk")
    assert raw.count(b"\\") == 2
    assert TextDecoder(["GBK"]).values(raw) == ("腬", "王")


@pytest.mark.parametrize("spelling", ["ISO_IR_100", "iso-ir 100", "ISO IR 100", "LATIN1"])
def test_misspelt_terms(spelling: str) -> None:
    decoder = TextDecoder([spelling])
    assert decoder.decode("Jérôme".encode("latin-1")) == "Jérôme"
    assert (decoder.was_guessed, decoder.unknown_terms) == (False, ())


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        ((), "Jérôme".encode(), "Jérôme"),
        ((), "Jérôme".encode("latin-1"), "Jérôme"),
        (("ISO_IR 192",), "Jérôme".encode("latin-1"), "Jérôme"),
        (("ISO_IR 999",), "Jérôme".encode(), "Jérôme"),
        ((), b"\x1b$B;3ED\x1b(B", "山田"),
        (("ISO 2022 IR 87",), "Jérôme".encode("latin-1"), "Jérôme"),
        (("ISO_IR 192",), b"a\x1b\x07\xff", "aÿ"),
    ],
)
def test_wrong_or_missing_character_set_is_guessed_and_said(
    terms: tuple[str, ...], raw: bytes, text: str
) -> None:
    decoder = TextDecoder(terms)
    assert decoder.decode(raw) == text
    assert decoder.was_guessed
    assert decoder.unknown_terms == tuple(term for term in terms if "999" in term)


def test_every_byte_string_gives_some_text() -> None:
    for terms in ((), ("ISO_IR 192",), ("GB18030",), ("", "ISO 2022 IR 87"), ("ISO_IR 13",)):
        decoder = TextDecoder(terms)
        for first in range(256):
            for rest in (b"", b"\x1b$", b"\x1b$B\x80", b"\xff\xfe"):
                assert isinstance(decoder.decode(bytes([first]) + rest, NAME_DELIMITERS), str)


def test_first_set_is_back_after_a_delimiter() -> None:
    """E9 is iota in the Greek set and e acute in Latin 1: PS3.5 6.1.2.5.3."""
    decoder = TextDecoder(["ISO 2022 IR 100", "ISO 2022 IR 126"])
    assert decoder.decode(b"\x1b-F\xe9^\xe9", NAME_DELIMITERS) == "\N{GREEK SMALL LETTER IOTA}^é"
    assert decoder.values(b"\x1b-F\xe9\\\xe9") == ("\N{GREEK SMALL LETTER IOTA}", "é")
