"""Make the pictures of the manual and the gallery of the View page: `make screenshots`.

The manual's are made from simulated studies at the size of a small window and go into docs/images.
Everything else goes to a folder outside the repository that is named at the end, for whoever judges
the looks: every page, and every scene of `view_gallery`, at several sizes and scales; on real
studies too where they are beside the checkout (or where `CAREZ_TEST_STUDIES` says).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

import view_gallery  # noqa: E402
from PIL import Image  # noqa: E402

from carez_desktop.gui.application import build_window, wait_until_idle  # noqa: E402
from carez_desktop.gui.main_window import MainWindow  # noqa: E402
from carez_desktop.system.network_guard import install_network_guard  # noqa: E402
from carez_desktop.workflows.context import WorkflowContext, open_context  # noqa: E402

PATIENTS = 8
BUNDLE = "low-dose-ct-demo.h5"
LARGEST_BYTES = 350_000
COLOURS = 256
SIZES = ((1280, 800), (1920, 1080))
SCALES = {"1920x1080-150": ("1.5", (1280, 720)), "3840x2160-200": ("2", (1920, 1080))}
"""Name of a size in device pixels -> scale factor, logical size of the window."""

MANUAL_SCENES = ("compare-swipe", "compare-difference", "chest-turned")
SHARED = ROOT.parent / "shared" / "data" / "unpack.py"


def fill_home(context: WorkflowContext) -> Path:
    """Simulate, import, generate, seal; return the bundle."""
    from carez_desktop.workflows.generate_cohort import generate_cohort
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.list_volumes import list_volumes
    from carez_desktop.workflows.make_thumbnails import make_thumbnails
    from carez_desktop.workflows.seal_bundle import seal_bundle
    from carez_desktop.workflows.simulate_studies import simulate_studies

    bundle = context.bundles_folder / BUNDLE
    if bundle.exists():
        return bundle
    made = simulate_studies(context, folder=context.home / "simulated", patients=PATIENTS)
    import_studies(context, paths=(made.dicom_folder,), stand_in=True)
    make_thumbnails(context)
    sources = [record.volume_id for record in list_volumes(context)][:3]
    generate_cohort(
        context,
        generator_id="low-dose-ct",
        count=3,
        seed=7,
        sources=sources,
        conditions={"dose_fraction": 0.2},
        out=bundle,
    )
    evaluate(context, bundle)
    seal_bundle(context, bundle=bundle)
    return bundle


def evaluate(context: WorkflowContext, bundle: Path) -> None:
    """Evaluate against the real volumes of the library."""
    from carez_desktop.workflows.evaluate_cohort import evaluate_cohort
    from carez_desktop.workflows.freeze_cohort import freeze_cohort

    cohort = freeze_cohort(context, name="chest-ct", where=("modality=CT",))
    evaluate_cohort(context, real=cohort.name, synthetic=bundle)


def save(window: MainWindow, path: Path, *, small: bool) -> None:
    """Write the window; a picture for the repository is reduced to few colours where it is big."""
    wait_until_idle(window, 120)
    window.grab().save(str(path), "PNG")
    if small:
        reduce(path)
    print(f"{path} {path.stat().st_size // 1024} KiB")


def take(window: MainWindow, bundle: Path, folder: Path, *, small: bool) -> None:
    """Take every page."""
    from carez_desktop.workflows.list_volumes import list_volumes

    folder.mkdir(parents=True, exist_ok=True)
    records = list_volumes(window.session.context)
    window.show_page("library")
    wait_until_idle(window, 60)
    window.page("library").tree._select({records[0].volume_id})  # type: ignore[attr-defined] # noqa: SLF001
    save(window, folder / "library.png", small=small)
    window.session.volumes_requested.emit(records[0].volume_id, "")
    save(window, folder / "view.png", small=small)
    for page in ("coverage", "generate", "evaluate", "bundles"):
        window.show_page(page)
        wait_until_idle(window, 60)
        if page == "bundles":
            window.page("bundles").verify()  # type: ignore[attr-defined]
        save(window, folder / f"{page}.png", small=small)
    window.session.volumes_requested.emit(f"{bundle}#case-0001", "")
    save(window, folder / "compare.png", small=small)


def reduce(path: Path) -> None:
    """Take a picture of the repository down to few colours where it is big."""
    if path.stat().st_size > LARGEST_BYTES:
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


def real_studies(folder: Path) -> Path | None:
    """Return the folder of the real studies, unpacked there; None where there are none."""
    given = os.environ.get("CAREZ_TEST_STUDIES")
    if given and Path(given).is_dir():
        return Path(given)
    if not SHARED.is_file():
        return None
    subprocess.run([sys.executable, str(SHARED), str(folder)], check=True)
    return folder


def take_gallery(window: MainWindow, folder: Path, bundle: Path | None) -> None:
    """Take every scene of the View page that the library of the window has studies for."""
    left_out = view_gallery.take_scenes(window, folder, bundle=bundle)
    print(f"Left out for want of a study: {', '.join(left_out) or 'none'}")


def take_at_scale(home: Path, name: str, folder: Path) -> None:
    """Take the gallery of a home at one scale; runs in a process of its own."""
    context = open_context(home)
    bundle = context.bundles_folder / BUNDLE
    window = build_window(context)
    window.show()
    window.resize(*SCALES[name][1])
    if bundle.exists():
        take(window, bundle, folder, small=False)
    take_gallery(window, folder, bundle if bundle.exists() else None)
    window.close()


def main() -> None:
    """Take the pictures at every size and scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the simulated home here")
    parser.add_argument("--scale", choices=SCALES, help="one scale of a home (internal)")
    parser.add_argument("--out", type=Path, help="folder of the large pictures")
    options = parser.parse_args()
    install_network_guard()
    home = options.home or Path(tempfile.mkdtemp(prefix="carez-home-"))
    if options.scale:
        take_at_scale(home, options.scale, options.out)
        return
    large = options.out or Path(tempfile.mkdtemp(prefix="carez-screenshots-"))
    homes = {home: take_simulated(home, large)}
    studies = real_studies(large / "studies")
    if studies is not None:
        homes[large / "real-home"] = take_real(large / "real-home", studies, large)
    for name, (factor, _) in SCALES.items():
        for place, kind in homes.items():
            words = ["--home", str(place), "--scale", name, "--out", str(large / kind / name)]
            environment = {**os.environ, "QT_SCALE_FACTOR": factor}
            subprocess.run([sys.executable, __file__, *words], check=True, env=environment)
    print(f"Large pictures: {large}")


def take_simulated(home: Path, large: Path) -> str:
    """Take the manual's pictures and the gallery of simulated studies; return their folder."""
    context = open_context(home)
    bundle = fill_home(context)
    window = build_window(context)
    window.show()
    images = ROOT / "docs" / "images"
    for size in SIZES:
        window.resize(*size)
        is_first = size == SIZES[0]
        folder = large / "simulated" / f"{size[0]}x{size[1]}"
        take(window, bundle, images if is_first else folder, small=is_first)
        take_gallery(window, folder, bundle)
    window.close()
    small = large / "simulated" / f"{SIZES[0][0]}x{SIZES[0][1]}"
    for name in MANUAL_SCENES:
        target = images / f"{name}.png"
        target.write_bytes((small / f"{name}.png").read_bytes())
        reduce(target)
    return "simulated"


def take_real(home: Path, studies: Path, large: Path) -> str:
    """Take the gallery of real studies; return its folder. Never one of them for the repository."""
    context = open_context(home)
    view_gallery.import_real(context, studies)
    window = build_window(context)
    window.show()
    for size in SIZES:
        window.resize(*size)
        take_gallery(window, large / "real" / f"{size[0]}x{size[1]}", None)
    window.close()
    return "real"


if __name__ == "__main__":
    main()
