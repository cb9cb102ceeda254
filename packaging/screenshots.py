"""Make the pictures of the manual from simulated studies: `make screenshots`.

The small window goes into docs/images; the large ones go to a folder that is named at the end, for
whoever judges the looks.
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
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from carez_desktop.gui.application import build_window, wait_until_idle  # noqa: E402
from carez_desktop.gui.main_window import MainWindow  # noqa: E402
from carez_desktop.system.network_guard import install_network_guard  # noqa: E402
from carez_desktop.workflows.context import WorkflowContext, open_context  # noqa: E402

PATIENTS = 8
LARGEST_BYTES = 300_000
COLOURS = 128
SIZES = ((1280, 800), (1920, 1080))


def fill_home(context: WorkflowContext) -> Path:
    """Simulate, import, generate, seal; return the bundle."""
    from carez_desktop.workflows.generate_cohort import generate_cohort
    from carez_desktop.workflows.import_studies import import_studies
    from carez_desktop.workflows.list_volumes import list_volumes
    from carez_desktop.workflows.make_thumbnails import make_thumbnails
    from carez_desktop.workflows.seal_bundle import seal_bundle
    from carez_desktop.workflows.simulate_studies import simulate_studies

    bundle = context.bundles_folder / "low-dose-ct-demo.h5"
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
    if small and path.stat().st_size > LARGEST_BYTES:
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
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


def main() -> None:
    """Take the pictures at every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the simulated home here")
    parser.add_argument("--only", type=Path, help="take one size into this folder (internal)")
    options = parser.parse_args()
    install_network_guard()
    home = options.home or Path(tempfile.mkdtemp(prefix="carez-home-"))
    context = open_context(home)
    bundle = fill_home(context)
    window = build_window(context)
    window.show()
    if options.only is not None:
        window.resize(*SIZES[1])
        take(window, bundle, options.only, small=False)
        window.close()
        return
    large = Path(tempfile.mkdtemp(prefix="carez-screenshots-"))
    for size in SIZES:
        window.resize(*size)
        is_first = size == SIZES[0]
        folder = ROOT / "docs" / "images" if is_first else large / f"{size[0]}x{size[1]}"
        take(window, bundle, folder, small=is_first)
    window.close()
    scaled = [sys.executable, __file__, "--home", str(home), "--only", str(large / "3840x2160")]
    subprocess.run(scaled, check=True, env={**os.environ, "QT_SCALE_FACTOR": "2"})
    print(f"Large pictures: {large}")


if __name__ == "__main__":
    main()
