"""What the commands of the table do now, and why those that cannot run do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from psygnal import Signal

from carez_desktop.workspace.commands import CONDITIONS, SCOPES, command

Action = Callable[[], object]


@dataclass(frozen=True, eq=False)
class _Registered:
    action: Action
    released: Action | None
    checked: Callable[[], bool] | None


class CommandRegistry:
    """Commands by their ids, as pages and panels register them.

    Signals:
        changed: A command was registered, another scope is in force, or what can run changed.
        starting(str): A command is about to run.
        done(str): It has run.
    """

    changed: ClassVar[Signal] = Signal()
    starting: ClassVar[Signal] = Signal(str)
    done: ClassVar[Signal] = Signal(str)

    def __init__(self) -> None:
        """Start without actions; no page is in front."""
        self._actions: dict[str, _Registered] = {}
        self._conditions: dict[str, Callable[[], str]] = {}
        self._scope = ""
        self._held: list[str] = []

    # -- what is registered --------------------------------------------------------------------

    def register(
        self,
        name: str,
        action: Action,
        *,
        released: Action | None = None,
        checked: Callable[[], bool] | None = None,
    ) -> None:
        """Say what a command does; a later registration takes the place of an earlier one.

        Args:
            name: Its id in the table.
            action: Runs it; for a held key, when the key goes down.
            released: When a held key comes up.
            checked: Whether what it switches is on; menus and buttons show that.

        Raises:
            KeyError: The table has no such command.
        """
        command(name)
        self._actions[name] = _Registered(action, released, checked)
        self.changed.emit()

    def register_all(self, actions: Mapping[str, Action]) -> None:
        """Say what several commands do.

        Raises:
            KeyError: The table has no such command.
        """
        for name, action in actions.items():
            command(name)
            self._actions[name] = _Registered(action, None, None)
        self.changed.emit()

    def set_condition(self, name: str, refusal: Callable[[], str]) -> None:
        """Say how to find out why a condition is not met; the call returns "" where it is.

        Raises:
            KeyError: No command needs such a condition.
        """
        if name not in CONDITIONS:
            raise KeyError(name)
        self._conditions[name] = refusal
        self.changed.emit()

    def refresh(self) -> None:
        """Tell menus and buttons that other commands may run now."""
        self.changed.emit()

    # -- where we are --------------------------------------------------------------------------

    @property
    def scope(self) -> str:
        """The page in front: `view`, `library`, or the id of one without commands of its own."""
        return self._scope

    def enter(self, scope: str) -> None:
        """Let the commands of a page run; held keys of the one before are let go."""
        if scope != self._scope:
            self.release_all()
            self._scope = scope
            self.changed.emit()

    # -- running -------------------------------------------------------------------------------

    def refusal(self, name: str) -> str:
        """Say why a command cannot run now; "" where it can."""
        entry = command(name)
        if entry.scope not in ("window", self._scope):
            return f"Works on the {SCOPES[entry.scope]} page"
        if name not in self._actions:
            return "Not available here"
        if not entry.needs:
            return ""
        ask = self._conditions.get(entry.needs)
        return CONDITIONS[entry.needs] if ask is None else ask()

    def is_checked(self, name: str) -> bool | None:
        """Whether what a command switches is on; None for one that is no switch."""
        held = self._actions.get(name)
        return None if held is None or held.checked is None else held.checked()

    def is_registered(self, name: str) -> bool:
        """Whether anything was registered for a command."""
        return name in self._actions

    def run(self, name: str) -> str:
        """Run a command; return why it cannot run, or ""."""
        refusal = self.refusal(name)
        if refusal:
            return refusal
        held = self._actions[name]
        self.starting.emit(name)
        held.action()
        if held.released is not None and name not in self._held:
            self._held.append(name)
        self.done.emit(name)
        self.changed.emit()
        return ""

    def release(self, name: str) -> None:
        """Let a held command go; nothing happens to one that is not held."""
        if name not in self._held:
            return
        self._held.remove(name)
        released = self._actions[name].released
        if released is not None:
            released()

    def release_all(self) -> None:
        """Let every held command go, as when the window loses the keyboard."""
        for name in tuple(self._held):
            self.release(name)
