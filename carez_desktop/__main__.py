"""The only place that joins the command line and the workstation."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from carez_desktop.cli.app import app, run
from carez_desktop.cli.console import state_of
from carez_desktop.system.network_guard import install_network_guard


@app.command("workstation")
def workstation(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Folders, files or a bundle.")] = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="Write a picture of the window and end.")
    ] = None,
) -> int:
    """Open the workstation."""
    from carez_desktop.gui.application import run_workstation

    return run_workstation(state_of(context).home, list(paths or ()), screenshot=screenshot)


def main() -> None:
    """Run `carez`."""
    install_network_guard()
    _leave(run())


def main_workstation() -> None:
    """Run `carez-desktop`: the workstation with the paths given."""
    install_network_guard()
    _leave(run(["workstation", *sys.argv[1:]]))


def _leave(code: int) -> NoReturn:
    """End with the exit code, which a late Ctrl+C may no longer change."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
