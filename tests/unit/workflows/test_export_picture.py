"""Pictures and cines that leave: marked, without identity, and noted in the audit log."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from carez_desktop.domain.alignment import Alignment
from carez_desktop.domain.picture import PictureFacts
from carez_desktop.domain.volume import VolumeKind
from carez_desktop.errors import CancelledError, StorageError, UsageError
from carez_desktop.progress import CancellationFlag
from carez_desktop.workflows.context import WorkflowContext, open_context
from carez_desktop.workflows.export_cine import export_cine
from carez_desktop.workflows.export_picture import export_picture
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.picture_facts import picture_facts
from tests.builders.analytic_volumes import analytic_volume

REAL = PictureFacts(("1.2.3",), "CT", mm_per_pixel=0.75)
MADE = replace(REAL, is_synthetic=True)


@pytest.fixture
def context(tmp_path: Path) -> WorkflowContext:
    return open_context(tmp_path / "home")


def _pixels(level: int = 90) -> np.ndarray:
    return np.full((96, 128, 3), level, np.uint8)


def _audit(context: WorkflowContext) -> str:
    return "".join(
        path.read_text()
        for path in (context.home / "audit").rglob("*")
        if path.is_file() and path.suffix == ".jsonl"
    )


def test_a_real_picture_keeps_its_pixels_and_says_what_it_is(context: WorkflowContext) -> None:
    done = export_picture(context, pixels=_pixels(), facts=REAL)
    assert done.path.parent == context.home / "pictures"
    assert done.path.name.startswith("carez-ct-20")
    np.testing.assert_array_equal(imagecodecs.png_decode(done.path.read_bytes()), _pixels())
    assert done.sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    with Image.open(done.path) as image:
        words = image.text
    assert (words["Synthetic Data"], words["Patient Identity Removed"]) == ("NO", "YES")
    assert words["Millimetres per pixel"] == "0.75"
    assert words["Software"].startswith("Carez Desktop")
    line = _audit(context)
    assert done.sha256 in line
    assert '"synthetic":"NO"' in line.replace(" ", "")
    # A second one in the same second gets a name of its own.
    again = export_picture(replace(context, clock=context.clock), pixels=_pixels(), facts=REAL)
    assert again.path != done.path


@pytest.mark.parametrize(
    ("facts", "badge"), [(MADE, "SYNTHETIC"), (replace(REAL, is_stand_in=True), "SIMULATED")]
)
def test_what_is_synthetic_is_marked_in_pixels_words_and_name(
    context: WorkflowContext, facts: PictureFacts, badge: str, tmp_path: Path
) -> None:
    done = export_picture(context, pixels=_pixels(), facts=facts, out=tmp_path / "own.png")
    assert done.badge == badge
    pixels = imagecodecs.png_decode(done.path.read_bytes())
    assert (pixels[:8] != 90).any()
    assert (pixels[40:] == 90).all()
    with Image.open(done.path) as image:
        assert image.text["Synthetic Data"] == "YES"
        assert badge in image.text["Warning"]
    named = export_picture(context, pixels=_pixels(), facts=facts)
    assert badge.lower() in named.path.name


def test_identity_and_words_in_the_pixels_are_told(context: WorkflowContext) -> None:
    def codes(**changes: object) -> list[str]:
        facts = replace(REAL, **changes)
        done = export_picture(context, pixels=_pixels(), facts=facts)
        return [finding.code for finding in done.findings]

    assert codes() == []
    assert codes(shows_identity=True) == ["identity_shown"]
    assert codes(burned_in="YES") == ["burned_in"]
    assert codes(modality="US") == ["burned_in"]
    assert codes(modality="US", burned_in="NO") == []
    assert '"identity":"YES"' in _audit(context).replace(" ", "")


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_every_frame_of_a_cine_is_marked(
    context: WorkflowContext, suffix: str, tmp_path: Path
) -> None:
    told: list[float] = []

    class Ear:
        def report(self, fraction: float, message: str = "") -> None:
            told.append(fraction)

    out = tmp_path / f"run{suffix}"
    done = export_cine(
        context, frames=(_pixels(level) for level in (60, 90, 120)), count=3, frame_ms=100.0,
        facts=MADE, out=out, progress=Ear(),
    )  # fmt: skip
    assert (done.frames, done.seconds, done.badge) == (3, pytest.approx(0.3), "SYNTHETIC")
    np.testing.assert_allclose(told, [1 / 3, 2 / 3, 1.0])
    content = out.read_bytes()
    assert b"Synthetic Data: YES" in content
    if suffix == ".gif":
        for level, frame in zip((60, 90, 120), imagecodecs.gif_decode(content), strict=True):
            assert (frame[:8] != level).any()
            assert (frame[40:] == level).all()
    assert done.sha256 in _audit(context)


def test_a_fast_gif_says_that_it_runs_slower(context: WorkflowContext) -> None:
    frames = [_pixels(), _pixels(50)]
    fast = export_cine(context, frames=frames, count=2, frame_ms=8.0, facts=REAL)
    assert [finding.code for finding in fast.findings] == ["slower"]
    assert "50 frames a second" in fast.findings[0].text
    assert fast.path.suffix == ".gif"


def test_a_cancelled_cine_leaves_nothing(context: WorkflowContext, tmp_path: Path) -> None:
    for suffix in (".gif", ".mp4"):
        flag = CancellationFlag()

        def frames(flag: CancellationFlag = flag):
            yield _pixels()
            flag.cancel()
            yield _pixels()
            yield _pixels()

        out = tmp_path / f"run{suffix}"
        with pytest.raises(CancelledError):
            export_cine(
                context, frames=frames(), count=3, frame_ms=50.0, facts=REAL, out=out, cancel=flag
            )
        assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_wrong_wishes_are_refused(context: WorkflowContext, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.jpg"):
        export_picture(context, pixels=_pixels(), facts=REAL, out=tmp_path / "a.jpg")
    with pytest.raises(StorageError, match="cannot be written"):
        export_picture(context, pixels=_pixels(), facts=REAL, out=tmp_path / "no" / "a.png")
    for count, frame_ms in ((0, 10.0), (20_000, 10.0), (3, 0.0), (3, float("nan"))):
        with pytest.raises(UsageError, match="cannot be written"):
            export_cine(context, frames=[], count=count, frame_ms=frame_ms, facts=REAL)


def test_facts_of_a_pane_count_every_layer_that_is_seen() -> None:
    volume = analytic_volume("axial")
    real = Layer(volume)
    made = Layer(
        volume.with_array(
            volume.array, volume_id="made", kind=VolumeKind.SYNTHETIC,
            attributes={"burned_in_annotation": "YES", "lossy_image_compression": "01"},
        )
    )  # fmt: skip
    arrangement = Arrangement(alignments=[Alignment.by_offset("x", "y", (0, 0, 0))])
    with pytest.raises(ValueError, match="empty pane"):
        picture_facts(arrangement.panes[0])
    arrangement.show(0, real)
    pane = arrangement.panes[0]
    pane.viewport.resize(64, 64)
    facts = picture_facts(pane)
    assert (facts.volume_ids, facts.badge, facts.lossy) == ((volume.volume_id,), "", False)
    assert facts.mm_per_pixel == pane.viewport.mm_per_pixel
    # A second layer that is not shown does not count, in any mode it does.
    arrangement.compare(0, made, CompareSettings(CompareMode.NONE))
    assert picture_facts(pane).badge == ""
    for mode in set(CompareMode) - {CompareMode.NONE}:
        arrangement.compare(0, made, CompareSettings(mode))
        seen = picture_facts(pane, shows_identity=True)
        assert (seen.badge, seen.burned_in, seen.lossy) == ("SYNTHETIC", "YES", True)
        assert (seen.volume_ids, seen.shows_identity) == ((volume.volume_id, "made"), True)
    arrangement.compare(0, None, CompareSettings())
    arrangement.lay_over(0, made, opacity=0.2, outlined=False)
    assert picture_facts(pane).badge == "SYNTHETIC"
