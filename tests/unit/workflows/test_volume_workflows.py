from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own convention

from carez_desktop.dicom.scan import scan_files
from carez_desktop.domain.stacking import stack_instances
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CarezError, GeometryError, NotFoundError, StorageError, UsageError
from carez_desktop.imaging.volume_files import describe_volume_file
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.export_volume import export_volume
from carez_desktop.workflows.load_slices import load_slices
from carez_desktop.workflows.load_volume import load_volume
from tests.builders.dicom_series import SeriesPlan, build_series, rotation

PLAN = SeriesPlan(turn=rotation(20, -30, 50))


@pytest.fixture
def context(tmp_path: Path) -> WorkflowContext:
    build_series(tmp_path / "studies" / "good", PLAN)
    build_series(tmp_path / "studies" / "tilted", SeriesPlan(tilt_mm=0.8, series_uid="1.7"))
    context = open_context(tmp_path / "home")
    result = scan_files([tmp_path / "studies"])
    context.library.add_volumes(stack_instances(result.headers), ())
    return context


def test_load_by_id_and_audit(context: WorkflowContext) -> None:
    volume = load_volume(context, volume_id="1.2.3.4")
    assert volume.geometry.is_close_to(type(volume.geometry)(PLAN.shape, PLAN.affine))
    assert [line["action"] for line in context.audit_log.extract(5)] == ["load_volume"]


def test_refused_and_unknown_volumes_are_input_errors(context: WorkflowContext) -> None:
    with pytest.raises(GeometryError, match="Tilted"):
        load_volume(context, volume_id="1.7")
    with pytest.raises(NotFoundError):
        load_volume(context, volume_id="9.9.9")


def test_a_tilted_series_is_resampled_on_demand_only(context: WorkflowContext) -> None:
    with pytest.raises(GeometryError) as caught:
        load_volume(context, volume_id="1.7")
    assert "--resample" in caught.value.hint
    stack = load_slices(context, volume_id="1.7")
    volume = load_volume(context, volume_id="1.7", resample=True)
    assert volume.kind is VolumeKind.DERIVED
    assert volume.geometry.shape == (5, 6 + 4, 8)
    assert np.array_equal(volume.array[0, :6], stack.slices[0].array[0])
    actions = [line["action"] for line in context.audit_log.extract(5)]
    assert actions == ["load_slices", "load_volume"]


def test_a_regular_series_stays_as_it_is_when_resampling_is_asked_for(
    context: WorkflowContext,
) -> None:
    asked = load_volume(context, volume_id="1.2.3.4", resample=True, audit=False)
    assert np.array_equal(asked.array, load_volume(context, volume_id="1.2.3.4").array)
    assert asked.kind is VolumeKind.REAL
    assert len(context.audit_log.extract(5)) == 1
    with pytest.raises(GeometryError, match="regular volume"):
        load_slices(context, volume_id="1.2.3.4")


def test_export_states_what_it_wrote(context: WorkflowContext, tmp_path: Path) -> None:
    out = tmp_path / "volume.nii.gz"
    facts = export_volume(context, volume_id="1.2.3.4", out=out)
    image = sitk.ReadImage(str(out))
    array = sitk.GetArrayFromImage(image)
    assert facts["shape"] == [5, 6, 8]
    assert facts["spacing_mm"] == pytest.approx([2.5, 0.8, 0.6], abs=1e-6)
    assert facts["origin_lps"] == pytest.approx(image.GetOrigin(), abs=1e-3)
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, ::-1]
    assert np.allclose(facts["direction_lps"], direction, atol=1e-5)
    assert (facts["dtype"], facts["min"], facts["max"]) == ("int16", array.min(), array.max())
    assert facts["sha256"] == hashlib.sha256(array.astype("<i2").tobytes()).hexdigest()
    (record,) = describe_volume_file(out)
    context.library.add_volumes((record,), ())
    again = load_volume(context, volume_id=record.volume_id)
    assert np.array_equal(again.array, array)


def test_export_to_a_missing_folder_names_it(context: WorkflowContext, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        export_volume(context, volume_id="1.2.3.4", out=tmp_path / "none" / "v.nrrd")
    assert caught.value.subject == str(tmp_path / "none")


@pytest.mark.parametrize(("name", "kind"), [("v.mha", UsageError), ("none/v.nrrd", StorageError)])
def test_a_wrong_target_is_refused_before_any_slice_is_read(
    context: WorkflowContext, tmp_path: Path, name: str, kind: type[CarezError]
) -> None:
    read: list[object] = []
    with pytest.raises(kind):
        export_volume(context, volume_id="1.2.3.4", out=tmp_path / name, partial=read.append)
    assert not read
