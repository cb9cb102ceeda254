"""Find commands by a few letters, as the palette does."""

from __future__ import annotations

from dataclasses import dataclass

from carez_desktop.workspace.commands import COMMANDS, Command

_AT_WORD = 8
_IN_A_ROW = 9
_PER_LETTER = 1
_IN_OTHER_WORDS = 12
"""What a find in a command's other words is worth less than one in its title."""


@dataclass(frozen=True, slots=True)
class Match:
    """A command that was found.

    Attributes:
        score: Higher is nearer.
        places: Indices of the letters of the title that were asked for.
    """

    command: Command
    score: int
    places: tuple[int, ...]


def find_commands(text: str, first: tuple[str, ...] = ()) -> tuple[Match, ...]:
    """Return the commands that hold the letters of a text in their order, best first.

    Args:
        text: What was typed; every word of it must be found. Nothing finds every command.
        first: Ids that go before others that match as well, as those used last.
    """
    words = text.casefold().split()
    found = []
    for number, entry in enumerate(COMMANDS):
        match = _match(entry, words)
        if match is not None:
            place = first.index(entry.id) if entry.id in first else len(first)
            found.append((-match.score, place, number, match))
    return tuple(item[-1] for item in sorted(found, key=lambda item: item[:-1]))


def _match(entry: Command, words: list[str]) -> Match | None:
    score, places = 0, []
    title = entry.title.casefold()
    for word in words:
        in_title = letters_in(word, title)
        others = f"{entry.words} {entry.group} {entry.id.replace('_', ' ')}".casefold()
        in_others = letters_in(word, others) if word in others else None
        if in_title is None and in_others is None:
            return None
        title_score = in_title[0] if in_title is not None else -1
        other_score = in_others[0] - _IN_OTHER_WORDS if in_others is not None else -1
        if in_title is not None and title_score >= other_score:
            places += in_title[1]
        score += max(title_score, other_score)
    return Match(entry, score, tuple(sorted(set(places))))


def letters_in(word: str, text: str) -> tuple[int, list[int]] | None:
    """Find the letters of a word in their order in a text, at the best places.

    Letters at the beginning of words and in a row are worth more. The best places are found by
    dynamic programming over (letter, place).

    Returns:
        Score and indices; None where they are not all there.
    """
    best: list[dict[int, tuple[int, tuple[int, ...]]]] = []
    for number, letter in enumerate(word):
        row: dict[int, tuple[int, tuple[int, ...]]] = {}
        for place, other in enumerate(text):
            if other != letter:
                continue
            worth = _PER_LETTER + (_AT_WORD if place == 0 or not text[place - 1].isalnum() else 0)
            if number == 0:
                row[place] = (worth, (place,))
                continue
            before = [
                (score + worth + (_IN_A_ROW if last == place - 1 else 0), (*where, place))
                for last, (score, where) in best[-1].items()
                if last < place
            ]
            if before:
                row[place] = max(before, key=lambda item: item[0])
        if not row:
            return None
        best.append(row)
    score, where = max(best[-1].values(), key=lambda item: item[0])
    return score, list(where)
