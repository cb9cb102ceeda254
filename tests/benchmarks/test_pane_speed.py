"""Frames of a pane: scrolling, turning, windowing and comparing, and what four panes hold."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from carez_desktop.domain.geometry import VolumeGeometry
from carez_desktop.domain.volume import Volume
from carez_desktop.rendering.pane_picture import PaneRenderer
from carez_desktop.workspace.arrangement import Arrangement
from carez_desktop.workspace.compare_settings import CompareMode, CompareSettings
from carez_desktop.workspace.display_window import DisplayWindow
from carez_desktop.workspace.layer import Layer
from carez_desktop.workspace.layouts import layout_of
from carez_desktop.workspace.plane_basis import Plane, rotation_about
from carez_desktop.workspace.slab import Slab, SlabMode
from tests.benchmarks.reslice_mapper import ResliceMapper
from tests.benchmarks.turns import one_core
from tests.builders.process_memory import memory_of_group

pytestmark = pytest.mark.benchmark

TABLE = "Panes, 512 x 512 x 400 int16"
SIZE = (1024, 1024)
FRAMES = 30
TURN = rotation_about(np.array([1.0, 0.5, 0.0]), np.radians(25.0))
NORMAL = np.array([0.0, 0.0, 1.0])
RecordRow = Callable[..., None]


@pytest.fixture(scope="module")
def volumes() -> tuple[Volume, Volume, Volume]:
    """Two volumes of one space and a label map over them."""
    random = np.random.default_rng(1)
    tile = random.integers(-1000, 1000, (40, 512, 512)).astype(np.int16)
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    geometry = VolumeGeometry.from_parts((400, 512, 512), (1.0, 0.7, 0.7), (0, 0, 0), axes)
    cells = np.concatenate([tile] * 10)
    facts = {"frame_of_reference_uid": "1.2"}
    labels = np.zeros(geometry.shape, np.int16)
    labels[:, 100:400, 150:350] = 2
    return (
        Volume("1", cells, geometry, "CT", "HU", **facts),
        Volume("2", cells[::-1], geometry, "CT", "HU", **facts),
        Volume("3", labels, geometry, "SEG", "label", **facts),
    )


def rate(work: Callable[[int], object]) -> float:
    """Frames a second, from the better half of the frames: others use the machine too."""
    work(0)
    taken = []
    for frame in range(FRAMES):
        start = time.perf_counter()
        work(frame)
        taken.append(time.perf_counter() - start)
    return 1.0 / statistics.mean(sorted(taken)[: FRAMES // 2])


class Bench:
    """One pane with a renderer."""

    def __init__(self, volume: Volume, size: tuple[int, int] = SIZE) -> None:
        """Show the axial planes of a volume."""
        self.arrangement, self.size = Arrangement(), size
        self.layer = Layer(volume)
        self.layer.window = DisplayWindow(40.0, 400.0)
        self.arrangement.show(0, self.layer, Plane.AXIAL)
        self.pane = self.arrangement.panes[0]
        self.viewport = self.pane.viewport
        self.viewport.resize(*size)
        self.renderer = PaneRenderer(self.pane)

    def scroll(self, frame: int) -> None:
        """Go to a slice near the middle."""
        centre = self.viewport.geometry.centre_lps
        self.viewport.cursor_lps = centre + self.viewport.basis.forward * (frame - 20.0)
        self.renderer.pixels(*self.size)

    def scroll_quickly(self, frame: int) -> None:
        """The same as while dragging."""
        centre = self.viewport.geometry.centre_lps
        self.viewport.cursor_lps = centre + self.viewport.basis.forward * (frame - 20.0)
        self.renderer.pixels(*self.size, quick=True)

    def change_window(self, frame: int) -> None:
        """Widen the window."""
        self.layer.window = DisplayWindow(40.0, 400.0 + frame)
        self.renderer.pixels(*self.size)

    def turn(self, frame: int) -> None:
        """Rotate the plane about the cursor."""
        self.viewport.reset_plane()
        self.viewport.rotate(rotation_about(np.array([1.0, 0.5, 0.0]), 0.2 + 0.01 * frame))
        self.renderer.pixels(*self.size)


@pytest.mark.filterwarnings("ignore")
def test_panes_against_the_reslice_mapper(volumes, record_row: RecordRow) -> None:
    for name, turn, reach in (("axial", None, "at least 1"), ("oblique", TURN, "at least 1.5")):
        bench = Bench(volumes[0])
        if turn is not None:
            bench.viewport.rotate(turn)
        normal = NORMAL if turn is None else turn @ NORMAL
        theirs = ResliceMapper(volumes[0], normal, SIZE)
        works = {"scrolling": (bench.scroll, theirs.scroll)}
        if turn is None:
            works["windowing"] = (bench.change_window, theirs.change_window)
        for what, (own, other) in works.items():
            ours, against = rate(own), rate(other)
            record_row(
                TABLE,
                f"pane of 1024 x 1024, {name}, {what}",
                ours=f"{ours:.0f} frames a second",
                against=f"vtkImageResliceMapper: {against:.0f}",
                ratio=ours / against,
                reach=reach,
            )
        theirs.window.Finalize()


@pytest.mark.filterwarnings("ignore")
def test_a_curtain_against_two_mappers(volumes, record_row: RecordRow) -> None:
    bench = Bench(volumes[0])
    second = Layer(volumes[1])
    settings = CompareSettings(CompareMode.SWIPE)
    bench.arrangement.compare(0, second, settings)

    def move(frame: int) -> None:
        bench.pane.set_settings(replace(settings, curtain=0.01 * frame))
        bench.renderer.pixels(*SIZE)

    theirs = ResliceMapper(volumes[0], NORMAL, SIZE, slices=2)
    for what, own in (("scrolling", bench.scroll), ("moving the curtain", move)):
        ours, against = rate(own), rate(theirs.scroll)
        record_row(
            TABLE,
            f"swipe of 1024 x 1024, {what}",
            ours=f"{ours:.0f} frames a second",
            against=f"two vtkImageResliceMapper, half the pane each: {against:.0f}",
            ratio=ours / against,
            reach="at least 1",
        )
    theirs.window.Finalize()


def test_every_mode_on_one_core(volumes, record_row: RecordRow) -> None:
    def report(what: str, work: Callable[[int], object], note: str = "") -> None:
        frames = rate(work)
        record_row(
            f"{TABLE}, one core", what, ours=f"{frames:.0f} frames a second",
            ratio=frames / 30.0, reach="at least 1 (30 frames)", note=note,
        )  # fmt: skip

    with one_core():
        for plane in Plane:
            bench = Bench(volumes[0])
            bench.arrangement.show(0, bench.layer, plane)
            bench.viewport = bench.pane.viewport
            bench.viewport.resize(*SIZE)
            report(f"{plane.value}, scrolling", bench.scroll)
        bench = Bench(volumes[0])
        report("turning an oblique plane", bench.turn)
        bench = Bench(volumes[0])
        second, labels = Layer(volumes[1]), Layer(volumes[2])
        for mode in CompareMode:
            bench.arrangement.compare(0, second, CompareSettings(mode))
            report(f"{mode.value}, scrolling both", bench.scroll)
        bench.arrangement.compare(0, None, CompareSettings())
        for outlined in (False, True):
            bench.arrangement.lay_over(0, labels, opacity=0.5, outlined=outlined)
            report(f"label map, {'outlined' if outlined else 'filled'}", bench.scroll)
        bench.pane.set_overlays([])
        for mode in SlabMode:
            bench.viewport.set_slab(Slab(mode, 20.0))
            report(f"axial slab of 20 mm, {mode.value}", bench.scroll)
        bench.viewport.rotate(TURN)
        report("oblique slab of 20 mm, mean", bench.scroll, "whole quality, at rest")
        report("oblique slab of 20 mm, mean", bench.scroll_quickly, "while dragging")


def test_small_and_4k_pictures(volumes, record_row: RecordRow) -> None:
    for size, what in (((3840, 2160), "4K"), ((256, 256), "256 x 256, smoothed")):
        for turn in (None, TURN):
            bench = Bench(volumes[0], size)
            if turn is not None:
                bench.viewport.rotate(turn)
            record_row(
                TABLE,
                f"{what}, {'axial' if turn is None else 'oblique'}, scrolling",
                ours=f"{1000.0 / rate(bench.scroll):.1f} ms a frame",
            )


def test_four_panes_hold_one_copy(volumes, record_row: RecordRow) -> None:
    cells = volumes[0].array[:100].astype(np.float64)
    geometry = VolumeGeometry(cells.shape, volumes[0].geometry.affine)
    volume = replace(volumes[0], array=cells, geometry=geometry)
    one_copy = cells.size * 4 / 2**20
    before = memory_of_group(os.getpid())
    arrangement = Arrangement()
    layer = Layer(volume)
    arrangement.set_layout(layout_of("2x2"))
    renderers = []
    for place in range(4):
        arrangement.show(place, layer, list(Plane)[place % 3])
        pane = arrangement.panes[place]
        pane.viewport.resize(512, 512)
        renderers.append(PaneRenderer(pane))
        renderers[-1].pixels(512, 512)
    grown = memory_of_group(os.getpid()) - before
    record_row(
        TABLE,
        "memory of four panes of one float64 volume of 100 slices",
        ours=f"{grown:.0f} MiB",
        against=f"one float32 copy: {one_copy:.0f} MiB",
        ratio=grown / one_copy,
        reach="at most 1.2",
    )
    assert grown < 1.2 * one_copy
