"""The Typer application and its border: errors to words and exit codes, Ctrl+C to cancelled."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import carez_desktop
from carez_desktop.cli import (
    bundle_commands,
    cohort_commands,
    evaluation_commands,
    generation_commands,
    library_commands,
    study_commands,
)
from carez_desktop.cli.console import CliState, show_error
from carez_desktop.errors import CancelledError, CarezError

app = typer.Typer(
    name="carez",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Close data gaps on site: import, see the gap, generate, prove, hand over. "
    "Research use only; nothing leaves this machine.",
)
study_commands.register(app)
library_commands.register(app)
cohort_commands.register(app)
generation_commands.register(app)
evaluation_commands.register(app)
bundle_commands.register(app)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"carez {carez_desktop.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of library, keys, models, bundles (CAREZ_HOME).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - the callback uses it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    state = context.obj
    state.home = home
    state.as_json = as_json


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (DESIGN section 5).

    Args:
        arguments: Without the program's name; None takes those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    state = CliState()
    previous = _cancel_on_signal(state)
    try:
        result = app(args=given, obj=state, standalone_mode=False)
        if result == CancelledError.exit_code:  # what Typer makes of the second Ctrl+C
            return _tell_cancelled(state)
        return result if isinstance(result, int) else 0
    except CarezError as error:
        return _tell(error, state.as_json or "--json" in given)
    except typer.Exit as error:
        return error.exit_code
    except TyperException as error:
        return _tell_usage(error, "--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        return _tell_cancelled(state)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last border: never a traceback on the screen
        return _tell_crash(error, state)
    finally:
        state.close()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _cancel_on_signal(state: CliState) -> dict[int, Any]:
    """Ask for a clean stop at the first Ctrl+C, stop at once at the second."""

    def stop(_number: int, _frame: object) -> None:
        if state.cancel.is_cancelled:
            raise KeyboardInterrupt
        state.cancel.cancel()
        sys.stderr.write("\nStopping after this step. Press Ctrl+C again to stop at once.\n")

    try:
        return {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever runs us owns the signals
        return {}


def _tell(error: CarezError, as_json: bool) -> int:
    _print_error(error.code, error.what, error.subject, error.hint, as_json)
    return error.exit_code


def _tell_cancelled(state: CliState) -> int:
    hint = "Nothing half-written was left behind"
    return _tell(CancelledError("Cancelled", hint=hint), state.as_json)


def _tell_usage(error: TyperException, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(error.format_message() + "\n")
        return 2
    inner = getattr(error, "ctx", None)
    where = str(inner.command_path) if inner is not None else ""
    hint = f"See {where or 'carez'} --help"
    _print_error("usage", error.format_message().rstrip("."), where, hint, as_json)
    return 2


def _print_error(code: str, what: str, where: str, hint: str, as_json: bool) -> None:
    if as_json:
        document = {"error": {"code": code, "what": what, "where": where, "hint": hint}}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    show_error(what, where, hint)


def _tell_crash(error: Exception, state: CliState) -> int:
    """Write a crash report that holds code places and the error's type, never values."""
    path = _write_crash_report(error, state)
    _print_error(
        "internal",
        f"Internal error ({type(error).__name__})",
        path,
        "Send the crash report to support: it holds no patient data",
        state.as_json,
    )
    return 70


def _write_crash_report(error: Exception, state: CliState) -> str:
    from carez_desktop.system.paths import default_home

    folder = (state.home or default_home()) / "crash-reports"
    places = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    text = "\n".join([f"carez {carez_desktop.__version__}", type(error).__name__, *places, ""])
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return "no crash report could be written"
    return str(path)
