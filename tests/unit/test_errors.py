"""Errors keep their parts across a process border, and codes are one to one with exit codes."""

from __future__ import annotations

import pickle

from carez_desktop.errors import CarezError, GeometryError, UsageError


def _tree(kind: type[CarezError]) -> list[type[CarezError]]:
    return [kind, *(sub for child in kind.__subclasses__() for sub in _tree(child))]


def test_an_error_survives_pickling() -> None:
    error = GeometryError("Tilted", subject="series 3", hint="Resample it")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is GeometryError
    assert (again.what, again.subject, again.hint) == ("Tilted", "series 3", "Resample it")
    assert str(again) == "Tilted (series 3). Resample it"


def test_exit_codes_are_those_of_the_contract() -> None:
    assert {kind.exit_code for kind in _tree(CarezError)} == {2, 3, 4, 5, 6, 70, 130}
    assert UsageError.code == "usage"
