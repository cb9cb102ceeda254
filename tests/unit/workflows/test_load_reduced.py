"""A volume in part: every k-th voxel of the whole, at its own place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carez_desktop.errors import GeometryError
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_volumes import list_volumes
from carez_desktop.workflows.load_reduced import load_reduced
from carez_desktop.workflows.load_volume import load_volume
from tests.builders.chest_series import chest_cohort, write_chest


@pytest.mark.parametrize("every", [2, 3])
def test_every_kth_voxel_keeps_its_value_and_its_place(tmp_path: Path, every: int) -> None:
    folder = tmp_path / "studies"
    write_chest(folder, chest_cohort()[0][0])
    context = open_context(tmp_path / "home")
    try:
        import_studies(context, paths=(folder,), stand_in=True)
        volume_id = list_volumes(context)[0].volume_id
        whole = load_volume(context, volume_id=volume_id)
        part = load_reduced(context, volume_id=volume_id, every=every)
        np.testing.assert_array_equal(part.array, whole.array[::every, ::every, ::every])
        for index in ((0, 0, 0), tuple(size - 1 for size in part.geometry.shape)):
            np.testing.assert_allclose(
                part.geometry.index_to_lps(index),
                whole.geometry.index_to_lps(np.array(index) * every),
                atol=1e-3,
            )
        assert any(finding.code == "reduced" for finding in part.findings)
        assert part.kind.value == "derived"
        with pytest.raises(GeometryError, match="in part"):
            load_reduced(context, volume_id=volume_id, every=1)
    finally:
        context.close()
