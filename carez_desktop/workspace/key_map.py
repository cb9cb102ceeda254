"""Which keys run which command: the table's own until a person binds others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from psygnal import Signal

from carez_desktop.workspace.commands import COMMANDS, Command, command, do_overlap


class KeyMap:
    """Keys of every command, in Qt's portable text.

    Signals:
        changed: A command got other keys.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, bound: Mapping[str, Iterable[str]] | None = None) -> None:
        """Take the keys of the table, and those bound instead.

        Args:
            bound: Command -> its keys, for commands whose keys are not the table's.

        Raises:
            KeyError: The table has no such command.
        """
        self._bound: dict[str, tuple[str, ...]] = {}
        for name, keys in (bound or {}).items():
            self._keep(name, tuple(keys))

    @property
    def bound(self) -> dict[str, tuple[str, ...]]:
        """The commands whose keys are not the table's, with their keys."""
        return dict(self._bound)

    def keys_of(self, name: str) -> tuple[str, ...]:
        """Return the keys of a command, the one shown in menus first."""
        return self._bound.get(name, command(name).keys)

    def is_changed(self, name: str) -> bool:
        """Whether a command has other keys than the table's."""
        return name in self._bound

    def command_of(self, key: str, scope: str) -> str:
        """Return the command that a key runs on a page; "" for none."""
        for entry in COMMANDS:
            if entry.scope in (scope, "window") and key in self.keys_of(entry.id):
                return entry.id
        return ""

    def users_of(self, key: str, name: str) -> tuple[Command, ...]:
        """Return the other commands that stand in the way of giving a command this key."""
        scope = command(name).scope
        return tuple(
            entry
            for entry in COMMANDS
            if entry.id != name and do_overlap(entry.scope, scope) and key in self.keys_of(entry.id)
        )

    def conflicts(self) -> tuple[tuple[str, Command, Command], ...]:
        """Return every key that two commands of one place share, with both."""
        found = []
        for number, first in enumerate(COMMANDS):
            for second in COMMANDS[number + 1 :]:
                if do_overlap(first.scope, second.scope):
                    shared = set(self.keys_of(first.id)) & set(self.keys_of(second.id))
                    found += [(key, first, second) for key in sorted(shared)]
        return tuple(found)

    def bind(self, name: str, keys: Iterable[str]) -> None:
        """Give a command keys; commands that had them lose them.

        Raises:
            KeyError: The table has no such command.
        """
        wanted = tuple(dict.fromkeys(keys))
        for key in wanted:
            for other in self.users_of(key, name):
                rest = tuple(held for held in self.keys_of(other.id) if held != key)
                self._keep(other.id, rest)
        self._keep(name, wanted)
        self.changed.emit()

    def reset(self, name: str) -> None:
        """Give a command the table's keys back; those who took them lose them."""
        self.bind(name, command(name).keys)

    def reset_all(self) -> None:
        """Give every command the table's keys back."""
        self._bound.clear()
        self.changed.emit()

    def tooltip(self, name: str) -> str:
        """Return a command's title and its first key, for a tooltip."""
        keys = self.keys_of(name)
        return f"{command(name).title} ({keys[0]})" if keys else command(name).title

    def _keep(self, name: str, keys: tuple[str, ...]) -> None:
        if keys == command(name).keys:
            self._bound.pop(name, None)
        else:
            self._bound[name] = keys
