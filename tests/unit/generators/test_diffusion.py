"""Oracle: the exact transport m + s n, decoded here by hand; repeats are bit-identical."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carez_desktop.domain.codec import canonical_json
from carez_desktop.domain.generation import GenerationRequest, GeneratorPackage, PrivacyClass
from carez_desktop.domain.volume import Volume, VolumeKind
from carez_desktop.errors import (
    CancelledError,
    DeviceError,
    InputError,
    ModelError,
    UsageError,
)
from carez_desktop.generators.catalogue import family_function
from carez_desktop.generators.diffusion import DiffusionFamily, generate_case
from carez_desktop.generators.golden_check import GOLDEN, check_golden
from carez_desktop.inference.haar import haar3d_inverse
from carez_desktop.inference.latent_layout import decode_latent, read_layout
from carez_desktop.inference.noise import gaussian_noise
from carez_desktop.inference.package_store import load_package
from carez_desktop.progress import NEVER, SILENT, CancellationFlag
from tests.builders.generator_packages import reseal, write_diffusion_package
from tests.builders.onnx_graphs import convolution_graph

MEAN, SPREAD = 0.5, 0.25


@pytest.fixture(scope="module")
def family() -> Iterator[DiffusionFamily]:
    family = DiffusionFamily(threads=1)
    yield family
    family.close()


def package_at(folder: Path, **options: Any) -> GeneratorPackage:
    return load_package(write_diffusion_package(folder / "tiny-flow" / "1.0.0", **options))


def request_for(level: Any = 600, case_id: str = "case-0001", seed: int = 7) -> GenerationRequest:
    return GenerationRequest("tiny-flow", "1.0.0", case_id, seed, {"level_mm3": level})


def exact_decoded(case_id: str, level: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Transport the noise exactly and undo the package's scaling."""
    noise = gaussian_noise(7, case_id, "latent", (24, 3, 4, 5)).astype(np.float64)
    latent = MEAN + (level - 500.0) / 200.0 + SPREAD * noise
    std = 0.5 + 0.05 * np.arange(24)
    mean = 0.1 * (np.arange(24) % 3)
    scaled = latent * std[:, None, None, None] + mean[:, None, None, None]
    return haar3d_inverse(scaled).astype(np.float64)


def test_a_case_is_the_exact_transport_of_its_noise(
    family: DiffusionFamily, tmp_path: Path
) -> None:
    case = family(package_at(tmp_path, sampler="heun", steps=200), request_for())
    decoded = exact_decoded("case-0001", 600.0)
    image = np.clip((decoded[0] + 1.0) / 2.0, 0.0, 1.0) * 1000.0
    np.testing.assert_allclose(case.volume.array, image, atol=0.6)
    votes = decoded[1:]
    sure = np.abs(votes).min(axis=0) > 0.01
    sure &= np.abs(votes[0] - votes[1]) > 0.01
    labels = np.where(votes.max(axis=0) > 0, votes.argmax(axis=0) + 1, 0)
    assert np.array_equal(case.labels[0].array[sure], labels[sure])
    assert sure.mean() > 0.9


def test_a_case_says_what_it_is(family: DiffusionFamily, tmp_path: Path) -> None:
    package = package_at(tmp_path)
    case = family(package, request_for())
    volume = case.volume
    assert (volume.kind, volume.modality, volume.units) == (
        VolumeKind.SYNTHETIC,
        "MR",
        "arbitrary",
    )
    assert volume.array.dtype == np.float32
    assert volume.geometry.shape == (6, 8, 10)
    assert volume.geometry.spacing_mm == pytest.approx((2.0, 1.5, 0.75))
    assert volume.geometry.origin_lps == (-10.0, 4.0, 7.5)
    np.testing.assert_allclose(volume.geometry.direction_lps[:, 0], [0.0, 0.6, 0.8])
    assert "SYNTHETIC" in volume.attributes["series_description"]
    assert case.privacy_class is PrivacyClass.UNCONDITIONAL
    assert case.labels[0].name == "parts"
    assert case.labels[0].segments[2] == ("T-P", "99CAREZ", "Posterior part")
    details = case.details
    assert details["timesteps"] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert (details["sampler"], details["evaluations"]) == ("euler", 4)
    assert details["environment"]["provider"] == "CPUExecutionProvider"
    voxel = 2.0 * 1.5 * 0.75
    assert details["label_volumes_mm3"]["anterior"] == pytest.approx(
        np.count_nonzero(case.labels[0].array == 1) * voxel
    )
    assert json.loads(canonical_json(details)) == details
    assert case.seconds > 0


def test_repeats_are_bit_identical_and_cases_differ(tmp_path: Path) -> None:
    graph = convolution_graph(channels=24, context=2)
    package = package_at(tmp_path, graph=graph, sampler="heun", guidance_scale=2.0)
    first = generate_case(package, request_for())
    again = generate_case(package, request_for())
    assert np.array_equal(first.volume.array, again.volume.array)
    assert np.array_equal(first.labels[0].array, again.labels[0].array)
    assert first.details == again.details
    warm = DiffusionFamily()
    other = warm(package, request_for(case_id="case-0002"))
    assert np.array_equal(warm(package, request_for()).volume.array, first.volume.array)
    warm.close()
    assert not np.array_equal(other.volume.array, first.volume.array)


def test_conditions_act_and_are_checked(family: DiffusionFamily, tmp_path: Path) -> None:
    package = package_at(tmp_path)
    # Equal coefficients in all eight bands meet in the first voxel of each block.
    low = family(package, request_for(100)).volume.array[::2, ::2, ::2].mean()
    high = family(package, request_for("900")).volume.array[::2, ::2, ::2].mean()
    assert high > low + 100
    for value in (99, 901, "much", float("nan")):
        with pytest.raises(UsageError) as refused:
            family(package, request_for(value))
        assert refused.value.subject == "level_mm3"
    with pytest.raises(UsageError, match="no condition named"):
        family(package, replace(request_for(), conditions={"age": 3}))


def test_a_source_is_refused(family: DiffusionFamily, tmp_path: Path) -> None:
    package = package_at(tmp_path)
    source: Volume = family(package, request_for()).volume
    with pytest.raises(InputError, match="takes no source"):
        family(package, request_for(), source=source)


def test_memory_and_device_are_refused_before_anything_runs(
    family: DiffusionFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = package_at(tmp_path, minimum_memory_mib=1 << 30)
    with pytest.raises(DeviceError, match=r"needs 1073741824 MiB"):
        family(package, request_for())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(DeviceError) as refused:
        family(package, request_for(), device="cuda")
    assert refused.value.subject == "device"


def test_cancel_stops_it(family: DiffusionFamily, tmp_path: Path) -> None:
    flag = CancellationFlag()

    class Stop:
        def report(self, fraction: float, message: str = "") -> None:
            flag.cancel()

    package = package_at(tmp_path, steps=4000)
    with pytest.raises(CancelledError):
        family(package, request_for(), progress=Stop(), cancel=flag)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    layout = read_layout(package_at(tmp_path))
    latent = np.zeros((24, 3, 4, 5), dtype=np.float32)
    latent[3, 1, 1, 1] = np.nan
    with pytest.raises(ModelError, match="not numbers"):
        decode_latent(layout, latent)


def test_clipped_flat_and_unlabelled_cases_are_said_aloud(
    family: DiffusionFamily, tmp_path: Path
) -> None:
    folder = write_diffusion_package(tmp_path / "tiny-flow" / "1.0.0", steps=50)
    path = folder / "normalisation.json"
    content = json.loads(path.read_text())
    content["latent"] = {"mean": [-40.0] + [0.0] * 7 + [-9.0] * 16, "std": [0.1] * 24}
    path.write_text(json.dumps(content))
    reseal(folder)
    case = family(load_package(folder), request_for())
    assert {finding.code for finding in case.findings} >= {"values_clipped", "flat_image"}
    assert case.volume.array.min() == 0.0


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("normalisation.json", {"latent": {"mean": [0.0], "std": [1.0]}}, "each channel"),
        ("normalisation.json", {"image": {"channel_range": [1, 1]}}, "is empty"),
        (
            "manifest.json",
            {"latent": {"channels": 24, "shape": [3, 4, 4], "codec": "haar3d"}},
            "twice",
        ),
        (
            "manifest.json",
            {"latent": {"channels": 8, "shape": [3, 4, 5], "codec": "haar3d"}},
            "decoded",
        ),
        (
            "manifest.json",
            {"latent": {"channels": 24, "shape": [3, 4, 5], "codec": "vae"}},
            "codec",
        ),
        ("manifest.json", {"channels": None}, "cannot be read"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(
    tmp_path: Path, file: str, change: dict[str, Any], words: str
) -> None:
    folder = write_diffusion_package(tmp_path / "tiny-flow" / "1.0.0")
    content = json.loads((folder / file).read_text())
    content.update(change)
    (folder / file).write_text(json.dumps(content))
    reseal(folder)
    with pytest.raises(ModelError, match=words):
        read_layout(load_package(folder))


def test_the_catalogue_finds_families_by_name(tmp_path: Path) -> None:
    maker = family_function("diffusion")
    case = maker(
        package_at(tmp_path),
        request_for(),
        source=None,
        device="cpu",
        progress=SILENT,
        cancel=NEVER,
    )
    assert case.request.case_id == "case-0001"
    with pytest.raises(ModelError, match="does not know"):
        family_function("gan")


def write_golden(folder: Path) -> None:
    """Write golden values with the exact transport as the truth."""
    image = np.clip((exact_decoded("case-0001", 600.0)[0] + 1) / 2, 0, 1) * 1000
    noise = gaussian_noise(7, "case-0001", "latent", (24, 3, 4, 5))
    from carez_desktop.domain.codec import array_digest

    velocity = noise.astype(np.float64) - 1.0  # at t = 1 the exact velocity is x - m, m = 1
    golden = {
        "seed": 7,
        "case_id": "case-0001",
        "conditions": {"level_mm3": 600},
        "noise_sha256": array_digest(noise),
        "first_velocity": {
            "sha256": "",
            "stride": 7,
            "values": velocity.ravel()[::7].tolist(),
            "tolerance": {"CPUExecutionProvider": 1e-5},
        },
        "final_volume": {
            "sha256": "",
            "stride": 3,
            "values": image.ravel()[::3].tolist(),
            "tolerance": {"CPUExecutionProvider": 1.0},
        },
    }
    (folder / "golden").mkdir()
    (folder / GOLDEN).write_text(json.dumps(golden))
    reseal(folder)


def test_golden_values_tell_a_sound_package_from_a_wrong_one(tmp_path: Path) -> None:
    folder = write_diffusion_package(tmp_path / "tiny-flow" / "1.0.0", sampler="heun", steps=200)
    write_golden(folder)
    outcome = check_golden(load_package(folder), device="cpu", threads=1)
    assert outcome.passed
    assert not outcome.is_identical
    coarse = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    coarse["timesteps"] = [1.0, 0.0]
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(coarse))
    reseal(folder)
    outcome = check_golden(load_package(folder), device="cpu", threads=1)
    assert not outcome.passed
    assert outcome.is_noise_identical
    assert outcome.volume_difference > outcome.volume_tolerance


def test_every_package_of_the_product_passes_its_golden_values() -> None:
    """Skips, saying so, as long as no package of this family is shipped."""
    models = Path(__file__).resolve().parents[3] / "models"
    folders = sorted(path.parent.parent for path in models.glob(f"*/*/{GOLDEN}") if path.is_file())
    if not folders:
        pytest.skip("no diffusion package in models/")
    for folder in folders:
        outcome = check_golden(load_package(folder), device="cpu")
        assert outcome.passed, outcome
        assert outcome.label_difference <= 20, outcome
