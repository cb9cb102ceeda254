"""What stays of a series that gets other instances: headers, ids of volumes, origin."""

from __future__ import annotations

from dataclasses import replace

from carez_desktop.domain.finding import Finding, Severity
from carez_desktop.domain.series_update import keep_origin, keep_volume_ids, merge_headers
from carez_desktop.domain.study import InstanceHeader, VolumeRecord
from carez_desktop.domain.volume import VolumeKind


def header(path: str, uid: str, z: float = 0.0, **changes: object) -> InstanceHeader:
    made = InstanceHeader(
        *(path, 100, 1, "1.2.840.10008.5.1.4.1.1.2", uid, "1.2", "1.1", "1.3", "CT", "1.2.1"),
        *(5, 6, 1, int(z), (0.0, 0.0, z), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0), ("A",), True),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def record(volume_id: str, paths: tuple[str, ...], **changes: object) -> VolumeRecord:
    made = VolumeRecord(
        *(volume_id, "1.2", "1.1", "P", "CT", "", (len(paths), 5, 6), (1.0, 1.0, 1.0), "SPL"),
        *(VolumeKind.REAL, "dicom", paths),
        findings=(Finding(Severity.INFO, "odd", volume_id, "Odd"),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def paths(merged: tuple[InstanceHeader, ...]) -> list[str]:
    return sorted(item.path for item in merged)


def test_fresh_headers_join_and_replace() -> None:
    known = [header("/a", "1", 0), header("/b", "2", 1), header("/c", "3", 2)]
    fresh = [header("/b", "2", 1, file_size=7), header("/d", "4", 3)]
    merged = merge_headers(known, fresh, dropped=["/c"])
    assert paths(merged.headers) == ["/a", "/b", "/d"]
    assert {item.file_size for item in merged.headers if item.path == "/b"} == {7}
    assert merged.replaced == ()


def test_an_absent_file_stays_until_another_stands_for_it() -> None:
    known = [header("/a", "1", 0), header("/b", "2", 1), header("/c", "3", 2)]
    moved = header("/new/a", "1", 0)
    exported_again = header("/new/b", "22", 1)
    merged = merge_headers(known, [moved, exported_again], absent=["/a", "/b", "/c"])
    assert paths(merged.headers) == ["/c", "/new/a", "/new/b"]
    assert merged.replaced == ("/a", "/b")
    # Of files that are there, both stay: stacking says which is a duplicate.
    assert paths(merge_headers(known, [moved]).headers) == ["/a", "/b", "/c", "/new/a"]


def test_images_without_place_are_not_taken_for_each_other() -> None:
    known = [header("/a", "1", image_position_patient=None, instance_number=None)]
    fresh = [header("/b", "2", image_position_patient=None, instance_number=None)]
    assert paths(merge_headers(known, fresh, absent=["/a"]).headers) == ["/a", "/b"]


def uids(*names: str) -> dict[str, str]:
    return {f"/{name}": f"1.2.{name}" for name in names}


def test_volumes_keep_the_id_of_most_of_their_slices() -> None:
    known = [record("1.2", ("/a", "/b", "/c"))]
    now = [record("1.2:1", ("/d",)), record("1.2:2", ("/a", "/b", "/c"))]
    kept = keep_volume_ids(now, known, instances=uids(*"abcd"), known_instances=uids(*"abc"))
    assert [item.volume_id for item in kept] == ["1.2:1", "1.2"]
    assert [item.findings[0].subject for item in kept] == ["1.2:1", "1.2"]


def test_ids_are_never_given_twice_or_to_another() -> None:
    known = [record("1.2:1", ("/a", "/b")), record("1.2:2", ("/c",))]
    # A new pile sorts first, and the two known ones are numbered otherwise now.
    now = [record("1.2:1", ("/d",)), record("1.2:2", ("/a", "/b")), record("1.2:3", ("/c",))]
    kept = keep_volume_ids(now, known, instances=uids(*"abcd"), known_instances=uids(*"abc"))
    assert [item.volume_id for item in kept] == ["1.2:3", "1.2:1", "1.2:2"]
    joined = [record("1.2", ("/a", "/b", "/c", "/d"))]
    kept = keep_volume_ids(joined, known, instances=uids(*"abcd"), known_instances=uids(*"abc"))
    assert [item.volume_id for item in kept] == ["1.2:1"]


def test_a_moved_file_is_the_same_slice() -> None:
    known = [record("1.2:1", ("/a",)), record("1.2:2", ("/b",))]
    now = [record("1.2:1", ("/n/b",)), record("1.2:2", ("/n/a",))]
    kept = keep_volume_ids(
        now, known, instances={"/n/a": "1", "/n/b": "2"}, known_instances={"/a": "1", "/b": "2"}
    )
    assert [item.volume_id for item in kept] == ["1.2:2", "1.2:1"]


def test_frames_of_one_file_are_slices_of_their_own() -> None:
    known = [
        record("1.2:1", ("/a", "/a"), frame_indices=(0, 1)),
        record("1.2:2", ("/a", "/a"), frame_indices=(2, 3)),
    ]
    now = [
        record("1.2:1", ("/a", "/a"), frame_indices=(2, 3)),
        record("1.2:2", ("/a", "/a"), frame_indices=(0, 1)),
    ]
    kept = keep_volume_ids(now, known, instances=uids("a"), known_instances=uids("a"))
    assert [item.volume_id for item in kept] == ["1.2:2", "1.2:1"]


def test_what_the_pixels_told_stays() -> None:
    caught = Finding(Severity.WARNING, "synthetic_by_pixels", "1.2", "Generated here")
    known = [record("1.2", ("/a",), kind=VolumeKind.SYNTHETIC, findings=(caught,))]
    (now,) = keep_origin([record("1.2:5", ("/a", "/b"))], known)
    assert now.kind is VolumeKind.SYNTHETIC
    assert now.findings[-1] == replace(caught, subject="1.2:5")
    (real,) = keep_origin([record("1.2", ("/a",))], [record("1.2", ("/a",))])
    assert real.kind is VolumeKind.REAL
