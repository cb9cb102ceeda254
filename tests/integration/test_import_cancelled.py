"""An import stops wherever it is asked to, also while it stacks and while it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from carez_desktop.errors import CancelledError
from carez_desktop.workflows.context import open_context
from carez_desktop.workflows.import_studies import import_studies
from carez_desktop.workflows.list_volumes import list_volumes
from tests.builders.small_studies import write_series

SERIES = 6


class StopAt:
    """A token that asks to stop at one of its checks, and remembers who checked."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self.files: list[str] = []

    @property
    def is_cancelled(self) -> bool:
        return self._asked()

    def raise_if_cancelled(self) -> None:
        if self._asked():
            raise CancelledError("Cancelled")

    def _asked(self) -> bool:
        self.files.append(Path(sys._getframe(2).f_code.co_filename).name)
        return self._number is not None and len(self.files) > self._number


def test_stacking_and_writing_ask_at_every_series(tmp_path: Path) -> None:
    for number in range(SERIES):
        write_series(tmp_path / "studies", number, slices=3)
    everything = StopAt(None)
    context = open_context(tmp_path / "counted")
    import_studies(context, paths=[tmp_path / "studies"], cancel=everything)
    context.close()
    asked = {name: everything.files.count(name) for name in set(everything.files)}
    assert asked["_import_staging.py"] >= 2 * SERIES
    assert asked["import_rows.py"] >= 2 * SERIES

    for number, name in enumerate(everything.files):
        if name not in ("_import_staging.py", "import_rows.py"):
            continue
        context = open_context(tmp_path / "home")
        with pytest.raises(CancelledError):
            import_studies(context, paths=[tmp_path / "studies"], cancel=StopAt(number))
        assert not list_volumes(context)
        context.close()
    context = open_context(tmp_path / "home")
    assert len(import_studies(context, paths=[tmp_path / "studies"]).series) == SERIES
    context.close()
