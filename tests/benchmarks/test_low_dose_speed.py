"""Seconds to lower the dose of a 143 x 512 x 512 chest CT, and of one demo phantom."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from carez_desktop.domain.generation import GenerationRequest
from carez_desktop.domain.volume import Volume
from carez_desktop.generators.chest_phantom import make_phantom
from carez_desktop.generators.low_dose_ct import generate_case
from carez_desktop.inference.package_store import load_package
from carez_desktop.progress import NEVER, SILENT
from carez_desktop.system.paths import models_root
from tests.builders.real_ct import load_slices
from tests.builders.water_ct import noisy_water

pytestmark = pytest.mark.benchmark
SLICES = 143


def seconds(source: Volume) -> float:
    package = load_package(models_root() / "low-dose-ct" / "1.0.0")
    request = GenerationRequest("low-dose-ct", "1.0.0", "case-0001", 7, {"dose_fraction": 0.25})
    started = time.perf_counter()
    generate_case(package, request, source=source, device="cpu", progress=SILENT, cancel=NEVER)
    return time.perf_counter() - started


def chest(request: pytest.FixtureRequest) -> tuple[Volume, str]:
    try:
        folder = request.getfixturevalue("studies")
        return load_slices(folder / "ct_chest_nlst"), "real"
    except pytest.skip.Exception:
        few = noisy_water(
            slices=2,
            shape=(512, 512),
            spacing_mm=(2.0, 0.7, 0.7),
            radii_mm=(110.0, 160.0),
        )
        array = np.resize(few.array, (SLICES, 512, 512))
        geometry = type(few.geometry).from_parts(
            array.shape, (2.0, 0.7, 0.7), few.geometry.origin_lps, few.geometry.direction_lps
        )
        return Volume("b", array, geometry, "CT", "HU", attributes=few.attributes), "simulated"


def test_low_dose_speed(request: pytest.FixtureRequest, record_row: Callable[..., None]) -> None:
    volume, origin = chest(request)
    whole = seconds(volume)
    count = volume.array.shape[0]
    phantom = make_phantom(7, 0).volume
    small = seconds(phantom)
    for name, shape, took in (
        (f"{origin} chest CT", volume.array.shape, whole),
        ("demo phantom", phantom.array.shape, small),
    ):
        record_row(
            "low-dose-ct",
            f"{name}, {' x '.join(map(str, shape))}",
            ours=f"{took:.1f} s",
            note=f"{took / shape[0]:.3f} s a slice, photons fitted",
        )
    assert whole / count < 1.5
