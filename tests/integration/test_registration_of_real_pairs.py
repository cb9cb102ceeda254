"""Real pairs: what lies together stays together, and what cannot be registered is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carez_desktop.domain.study import VolumeRecord
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.load_volume import load_volume
from carez_desktop.workflows.register_volumes import register_volumes

pytestmark = pytest.mark.slow


def _opened(home: Path, studies: Path, *folders: str) -> tuple[WorkflowContext, list[VolumeRecord]]:
    context = open_context(home)
    report = import_studies(context, paths=[studies / name for name in folders])
    return context, list(report.series)


def _one(context: WorkflowContext, records: list[VolumeRecord], modality: str, words: str):
    found = next(
        record
        for record in records
        if record.modality == modality and words in record.description.lower()
    )
    return load_volume(context, volume_id=found.volume_id)


def test_ct_and_pet_of_one_scanner_stay_near_where_they_lie(tmp_path: Path, studies: Path) -> None:
    context, records = _opened(tmp_path, studies, "petct_acrin")
    fixed = _one(context, records, "CT", "ct images")
    moving = _one(context, records, "PT", "pet")
    report = register_volumes(context, fixed=fixed, moving=moving)
    context.close()
    # A voxel of the PET is 4.7 mm wide, and its patient breathes.
    assert report.measures.translation_mm < 4.7
    assert report.measures.rotation_degrees < 1.5
    assert report.measures.overlap_share > 0.95


def test_t2_of_two_planes_agree_better_than_their_frame_says(tmp_path: Path, studies: Path) -> None:
    context, records = _opened(tmp_path, studies, "mr_prostate_prostatex")
    fixed = _one(context, records, "MR", "t2_tse_tra")
    moving = _one(context, records, "MR", "t2_tse_sag")
    report = register_volumes(context, fixed=fixed, moving=moving)
    # From the other side: another grid, another start, the same transform.
    back = register_volumes(context, fixed=moving, moving=fixed)
    context.close()
    assert report.alignment is not None, report.verdict
    assert report.measures.mutual_information > report.measures.mutual_information_before + 0.1
    assert report.measures.translation_mm < 6.0
    assert back.alignment is not None, back.verdict
    both = back.alignment.matrix @ report.alignment.matrix
    centre = np.append(fixed.geometry.centre_lps, 1.0)
    assert np.linalg.norm(both @ centre - centre) < 2.0


def test_a_chest_and_a_pelvis_are_not_registered(tmp_path: Path, studies: Path) -> None:
    context, records = _opened(tmp_path, studies, "ct_chest_nlst", "mr_prostate_prostatex")
    fixed = _one(context, records, "CT", "")
    moving = _one(context, records, "MR", "t2_tse_sag")
    report = register_volumes(context, fixed=fixed, moving=moving)
    context.close()
    assert report.alignment is None
    assert report.verdict.endswith("Nothing is proposed.")
