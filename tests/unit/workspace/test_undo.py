"""What can be taken back, and done again."""

from __future__ import annotations

import pytest

from carez_desktop.workspace.undo import UndoStack


def _recorded(stack: UndoStack, state: list[int], value: int) -> None:
    before = state[0]
    state[0] = value
    stack.record(
        f"Set {value}", lambda: state.__setitem__(0, before), lambda: state.__setitem__(0, value)
    )


def test_changes_go_back_and_forth_in_their_order() -> None:
    stack, state = UndoStack(), [0]
    for value in (1, 2, 3):
        _recorded(stack, state, value)
    assert [stack.undo(), state[0], stack.undo(), state[0]] == ["Set 3", 2, "Set 2", 1]
    assert (stack.undo_title, stack.redo_title) == ("Set 1", "Set 2")
    assert [stack.redo(), state[0]] == ["Set 2", 2]
    _recorded(stack, state, 9)
    # A new change ends the way forward.
    assert stack.redo() == ""
    assert state == [9]


def test_the_oldest_are_forgotten_and_nothing_is_no_change() -> None:
    stack, state = UndoStack(most=2), [0]
    assert stack.undo() == ""
    for value in (1, 2, 3):
        _recorded(stack, state, value)
    assert [stack.undo(), stack.undo(), stack.undo()] == ["Set 3", "Set 2", ""]
    assert state == [1]
    stack.clear()
    assert stack.redo() == ""


def test_what_fails_can_be_tried_again() -> None:
    stack, told = UndoStack(), []
    stack.changed.connect(lambda: told.append(1))

    def fail() -> None:
        raise ValueError("no")

    stack.record("Break", fail, fail)
    with pytest.raises(ValueError, match="no"):
        stack.undo()
    assert stack.undo_title == "Break"
    assert told == [1]
