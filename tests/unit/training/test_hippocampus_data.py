"""Cropping, normalising, grouping and splitting; the real set where it is unpacked."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name everyone uses

from carez_desktop.errors import InputError, UnreadableFileError
from carez_desktop.training.hippocampus_data import (
    BOX,
    DIRECTION_LPS,
    MARGIN,
    HippocampusVolume,
    centred,
    crop_box,
    near_duplicate_groups,
    normalise,
    read_folder,
    read_volume,
    split_groups,
)

FULL = tuple(size + 2 * MARGIN for size in BOX)


def _example(number: int, image: np.ndarray) -> HippocampusVolume:
    return HippocampusVolume(
        name=f"hippocampus_{number:03d}",
        image=image.astype(np.float32),
        labels=np.zeros(FULL, np.uint8),
        valid=np.ones(FULL, bool),
        anterior_volume_mm3=1.0,
        posterior_volume_mm3=1.0,
        dtype="float32",
        sha256="",
        sha256_float32="",
    )


def _write_pair(folder, spacing=(1.0, 1.0, 1.0)):
    random = np.random.default_rng(4)
    voxels = random.integers(0, 255, (30, 50, 35)).astype(np.uint8)
    labels = np.zeros(voxels.shape, np.uint8)
    labels[10:20, 15:25, 12:20] = 1
    labels[10:20, 25:40, 12:20] = 2
    paths = []
    for kind, array in (("images", voxels), ("labels", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(array)
        image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        image.SetSpacing(spacing)
        paths.append(folder / kind / "hippocampus_001.nii.gz")
        sitk.WriteImage(image, str(paths[-1]))
    return voxels, paths


def test_normalise_maps_the_percentiles_to_zero_and_one():
    values = normalise(np.linspace(100.0, 1.7e6, 1001).reshape(7, 11, 13))
    assert (values.min(), values.max()) == (0.0, 1.0)
    assert np.median(values) == pytest.approx(0.5, abs=1e-3)


def test_normalise_accepts_a_constant_volume():
    assert np.isfinite(normalise(np.full((2, 3, 4), 7.0))).all()


def test_crop_centres_the_labels_and_marks_what_the_source_has():
    array = np.arange(30 * 60 * 40, dtype=np.float32).reshape(30, 60, 40)
    labels = np.zeros(array.shape, np.uint8)
    labels[15, 30, 20] = 1
    box, valid = crop_box(array, labels)
    assert box.shape == valid.shape == FULL
    assert centred(box).shape == BOX
    assert box[FULL[0] // 2, FULL[1] // 2, FULL[2] // 2] == array[15, 30, 20]
    assert valid[:, 20, 20].sum() == 30
    assert valid[FULL[0] // 2].all()


def test_partners_and_near_duplicates_share_a_group():
    random = np.random.default_rng(5)
    base = random.normal(size=FULL)
    images = [random.normal(size=FULL) for _ in range(4)]
    volumes = [
        _example(1, images[0]),
        _example(2, images[1]),
        _example(7, base),
        _example(9, images[2]),
        _example(30, base + 0.3 * images[3]),
    ]
    groups = near_duplicate_groups(volumes)
    assert groups[0] == groups[1]
    assert groups[2] == groups[4]
    assert len(set(groups)) == 3


def test_split_keeps_groups_whole_and_the_unseen_large_enough():
    groups = [index // 3 for index in range(217)]
    splits = split_groups(groups, seed=1)
    assert splits.count("unseen") >= 40
    assert splits.count("validation") >= 16
    for group in set(groups):
        assert len({s for s, g in zip(splits, groups, strict=True) if g == group}) == 1


def test_split_repeats_with_its_seed():
    groups = list(range(100))
    assert split_groups(groups, seed=3) == split_groups(groups, seed=3)
    assert split_groups(groups, seed=3) != split_groups(groups, seed=4)


def test_a_volume_is_read_with_its_digest_and_label_volumes(tmp_path):
    voxels, paths = _write_pair(tmp_path)
    volume = read_volume(*paths)
    assert volume.sha256 == hashlib.sha256(voxels.tobytes()).hexdigest()
    assert volume.sha256_float32 == hashlib.sha256(voxels.astype("<f4").tobytes()).hexdigest()
    assert (volume.anterior_volume_mm3, volume.posterior_volume_mm3) == (800.0, 1200.0)
    assert (volume.labels == 1).sum() == 800
    assert volume.image.shape == FULL


def test_another_spacing_is_refused_with_the_file_named(tmp_path):
    _, paths = _write_pair(tmp_path, spacing=(1.0, 1.2, 1.0))
    with pytest.raises(UnreadableFileError, match="hippocampus_001"):
        read_volume(*paths)


def test_a_broken_file_is_named(tmp_path):
    _, paths = _write_pair(tmp_path)
    paths[0].write_bytes(b"no NIfTI")
    with pytest.raises(UnreadableFileError, match="hippocampus_001"):
        read_volume(*paths)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="images"):
        read_folder(tmp_path)


def test_direction_is_a_rotation():
    matrix = np.array(DIRECTION_LPS)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3))
    # (slice, row, column) is the reverse of (x, y, z), which turns a right-handed frame's sign.
    assert np.linalg.det(matrix[:, ::-1]) == pytest.approx(1.0)


def test_real_labels_fit_into_the_box(studies):
    folder = studies / "hippocampus_train"
    names = sorted((folder / "images").glob("*.nii.gz"))[::20]
    for image in names:
        volume = read_volume(image, folder / "labels" / image.name)
        inside = centred(volume.labels)
        assert (inside == 1).sum() == volume.anterior_volume_mm3
        assert (inside == 2).sum() == volume.posterior_volume_mm3
