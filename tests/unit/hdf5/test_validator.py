"""One bit, one attribute, one object: whatever is changed is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from carez_desktop.errors import ChildCrashError, InputError, NotFoundError
from carez_desktop.hdf5 import object_walk
from carez_desktop.hdf5.validator import examine_bundle, examine_file
from carez_desktop.system.limited_process import run_limited
from tests.builders.bundles import make_bundle

IMAGE = "/cases/case-0001/image"
LABEL = "/cases/case-0002/labels/nodule"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("intact"), shape=(6, 40, 50)).bundle


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(intact, tmp_path / "set.h5"))


def _errors(path: Path) -> dict[str, str]:
    found = examine_file(str(path))["findings"]
    return {item["subject"]: item["code"] for item in found if item["severity"] == "error"}


def _flip(path: Path, offset: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


def test_an_intact_bundle_has_no_findings(bundle: Path):
    examined = examine_bundle(bundle)
    assert examined.is_intact
    assert examined.findings == ()
    assert len(examined.root) == 64
    assert examined.header["state"] == "draft"
    with h5py.File(bundle, "r") as file:
        assert file["manifest"].attrs["merkle_root"].decode() == examined.root
        assert file["manifest"].attrs["entries"] == examined.entries


@pytest.mark.parametrize("path", [IMAGE, LABEL])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_a_chunk_is_found(bundle: Path, path: str, bit: int):
    with h5py.File(bundle, "r") as file:
        chunk = file[path].id.get_chunk_info(0)
    _flip(bundle, chunk.byte_offset + chunk.size // 2, bit)
    assert path in _errors(bundle)


def test_a_flipped_bit_in_every_part_of_the_file_is_found(bundle: Path):
    """Bytes that the manifest does not cover (unused space) are the only ones that may differ."""
    content = bundle.read_bytes()
    intact = examine_file(str(bundle))
    rng = np.random.default_rng(11)
    for offset in sorted(rng.choice(len(content), 25, replace=False)):
        changed = bytearray(content)
        changed[offset] ^= 1 << int(rng.integers(8))
        bundle.write_bytes(changed)
        try:
            examined = examine_file(str(bundle))
        except InputError:
            continue
        if not examined["findings"]:
            assert examined["root"] == intact["root"]


def test_a_flipped_bit_in_a_text_is_found(bundle: Path):
    at = bundle.read_bytes().index(b"Research use only.\n")
    _flip(bundle, at + 3)
    assert _errors(bundle)["/cards/model_card_low-dose-ct"] == "changed_object"


@pytest.mark.parametrize("text", [b"Carez Desktop tests", b"image_conditioned", b"2026-01-02T03"])
def test_a_flipped_bit_in_an_attribute_is_found(bundle: Path, text: bytes):
    content = bundle.read_bytes()
    at, hits = content.find(text), 0
    while at >= 0:
        _flip(bundle, at + 2)
        hits += 1
        assert _errors(bundle), f"offset {at}"
        bundle.write_bytes(content)
        at = content.find(text, at + 1)
    assert hits


def _set_voxel(file: h5py.File) -> None:
    file[IMAGE][2, 3, 4] += 1


def _set_label(file: h5py.File) -> None:
    file[LABEL][0, 0, 0] ^= 1


def _set_spacing(file: h5py.File) -> None:
    file[IMAGE].attrs.modify("spacing_mm", np.array([2.5, 0.7, 0.8]))


def _add_dataset(file: h5py.File) -> None:
    file.create_dataset("/cases/case-0001/extra", data=np.zeros(3))


def _add_group(file: h5py.File) -> None:
    file.create_group("/coverage/extra")


def _add_attribute(file: h5py.File) -> None:
    file["/cases"].attrs["note"] = 1


def _drop_dataset(file: h5py.File) -> None:
    del file[LABEL]


def _drop_case(file: h5py.File) -> None:
    del file["/cases/case-0002"]


def _drop_attribute(file: h5py.File) -> None:
    del file[IMAGE].attrs["privacy_class"]


def _move(file: h5py.File) -> None:
    file.move("/cases/case-0002", "/cases/case-0003")


def _hide_in_manifest(file: h5py.File) -> None:
    file["/manifest"].create_dataset("hidden", data=np.zeros(3))


def _hide_in_signatures(file: h5py.File) -> None:
    file.create_group("/signatures").create_dataset("hidden", data=np.zeros(3))


def _edit_root(file: h5py.File) -> None:
    file["/manifest"].attrs.modify("merkle_root", np.bytes_("0" * 64))


def _drop_manifest(file: h5py.File) -> None:
    del file["/manifest"]


def _recompress(file: h5py.File) -> None:
    data, facts = file[LABEL][()], dict(file[LABEL].attrs)
    del file[LABEL]
    file.create_dataset(LABEL, data=data).attrs.update(facts)


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (_set_voxel, IMAGE),
        (_set_label, LABEL),
        (_set_spacing, f"{IMAGE}@spacing_mm"),
        (_add_dataset, "/cases/case-0001/extra"),
        (_add_group, "/coverage/extra"),
        (_add_attribute, "/cases@note"),
        (_drop_dataset, LABEL),
        (_drop_case, "/cases/case-0002"),
        (_drop_attribute, f"{IMAGE}@privacy_class"),
        (_move, "/cases/case-0003"),
        (_hide_in_manifest, "/manifest"),
        (_hide_in_signatures, "/signatures/hidden"),
        (_edit_root, "/manifest@merkle_root"),
        (_drop_manifest, "/manifest/lines"),
        (_recompress, LABEL),
    ],
)
def test_an_edit_names_its_object(bundle: Path, change: Callable[[h5py.File], None], subject: str):
    with h5py.File(bundle, "r+", libver=("v110", "v110")) as file:
        change(file)
    assert subject in _errors(bundle)


def _external_link(file: h5py.File) -> None:
    file["/cards/evil"] = h5py.ExternalLink("/etc/hostname", "/x")


def _soft_link(file: h5py.File) -> None:
    file["/cards/evil"] = h5py.SoftLink("/cases")


def _alias(file: h5py.File) -> None:
    file["/cards/evil"] = file["/cases"]


def _external_storage(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    file.create_virtual_dataset("/cards/evil", layout)


def _unknown_filter(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data=np.zeros(100), compression="lzf")


def _reference(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data=file["/cases"].ref, dtype=h5py.ref_dtype)


def _variable_length(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data="text", dtype=h5py.string_dtype())


def _compound(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data=np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]))


def _bomb(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", (1 << 40,), "u1", chunks=(1 << 20,), compression="gzip")


def _huge_chunk(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", (1 << 28,), "u1", chunks=(1 << 28,), compression="gzip")


def _never_written(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", (100, 100), "u1", chunks=(10, 10))


def _resizable(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data=np.zeros(4), maxshape=(None,))


def _deep(file: h5py.File) -> None:
    file.create_group("/cards/evil/" + "/".join("abcdefghijk"))


def _named_type(file: h5py.File) -> None:
    file["/cards/evil"] = np.dtype("i4")


def _null(file: h5py.File) -> None:
    file.create_dataset("/cards/evil", data=h5py.Empty("f4"))


def _bad_name(file: h5py.File) -> None:
    file.create_group("/cards/evil@x y")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_external_link, "link"),
        (_soft_link, "link"),
        (_alias, "alias"),
        (_external_storage, "external_storage"),
        (_virtual, "virtual"),
        (_unknown_filter, "filter"),
        (_reference, "type"),
        (_variable_length, "type"),
        (_compound, "type"),
        (_bomb, "too_large"),
        (_huge_chunk, "too_large"),
        (_never_written, "not_allocated"),
        (_resizable, "resizable"),
        (_deep, "too_deep"),
        (_named_type, "named_type"),
        (_null, "null_space"),
        (_bad_name, "bad_name"),
    ],
)
def test_hostile_objects_are_refused_before_they_are_read(
    bundle: Path, change: Callable[[h5py.File], None], code: str
):
    with h5py.File(bundle, "r+", libver=("v110", "v110")) as file:
        change(file)
    errors = _errors(bundle)
    # A second name of /cases is met first, as /cards comes before /cases.
    assert code in [
        kind for subject, kind in errors.items() if "evil" in subject or code == "alias"
    ]


def test_a_small_file_that_unfolds_to_very_much_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(object_walk, "FREE_EXPANSION_BYTES", 0)
    monkeypatch.setattr(object_walk, "MAX_EXPANSION", 1)
    with h5py.File(bundle, "r+", libver=("v110", "v110")) as file:
        file.create_dataset("/cards/evil", data=np.zeros((64, 1 << 20), "u1"), compression="gzip")
    assert _errors(bundle)["/cards/evil"] == "too_large"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_another_format_is_an_input_error(tmp_path: Path, content: bytes):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        examine_bundle(path)
    assert caught.value.subject == str(path)
    assert caught.value.hint


def test_a_truncated_bundle_is_an_input_error(bundle: Path):
    content = bundle.read_bytes()
    for share in (0.3, 0.99):
        bundle.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match="truncated"):
            examine_file(str(bundle))


def test_another_hdf5_file_is_an_input_error(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="Not a Carez bundle"):
        examine_bundle(tmp_path / "a.h5")
    with pytest.raises(NotFoundError):
        examine_bundle(tmp_path / "none.h5")


def test_the_child_is_limited(tmp_path: Path):
    here = "tests.unit.hdf5.test_validator"
    with pytest.raises(ChildCrashError, match=r"memory|died"):
        run_limited(f"{here}:eat_memory", {}, memory_mib=3000, timeout_s=60)
    with pytest.raises(ChildCrashError, match="longer"):
        run_limited(f"{here}:loop", {}, memory_mib=3000, timeout_s=3)
    with pytest.raises(ChildCrashError, match="died"):
        run_limited(f"{here}:crash", {}, memory_mib=3000, timeout_s=60)
    target = tmp_path / "x"
    answer = run_limited(f"{here}:write", {"path": str(target)}, memory_mib=3000, timeout_s=60)
    assert answer == "refused"


def eat_memory() -> int:
    return len(bytearray(8 << 30))


def loop() -> None:
    while True:
        pass


def crash() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def write(path: str) -> str:
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        Path(path).write_bytes(b"x" * 10)
    except OSError:
        return "refused"
    return "written"
