"""Files that are made to hurt, through import and load: ten seconds, two gibibytes at the most."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.command_line import names_below
from tests.fuzz.attacks import ATTACKS, Files, inflated
from tests.fuzz.campaign import MOST_MIB, SLOWEST_S, Victim

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom's, over values that are odd
]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Victim]]:
    """The process that is attacked; another takes its place if it dies."""
    folder = tmp_path_factory.mktemp("ward")
    victims = [Victim(folder / "home")]
    yield victims
    assert victims[-1].close() == []


ROWS = [
    pytest.param(attack, marks=pytest.mark.slow if attack is inflated else (), id=attack.__name__)
    for attack in ATTACKS
]


@pytest.mark.parametrize("attack", ROWS)
def test_an_attack_is_answered_in_words(tmp_path: Path, ward: list[Victim], attack) -> None:
    files: Files = attack()
    folder = tmp_path / "attack"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if ward[-1].is_dead:
        ward.append(Victim(ward[0].home.with_name(f"home{len(ward)}")))
    answer = ward[-1].try_folder(folder, SLOWEST_S * len(files))
    assert answer.failures == [], "\n".join(answer.failures)
    assert answer.slowest_s < SLOWEST_S
    assert answer.peak_mib < MOST_MIB
    assert sorted(files) == names_below(folder)
    assert names_below(tmp_path) == sorted(["attack", *(f"attack/{name}" for name in files)])
    print(f"{answer.slowest_s:.2f} s, {answer.peak_mib:.0f} MiB, {answer.done}")
