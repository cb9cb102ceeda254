"""Drive spoiled studies through import and load in a process that is watched from outside."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders.process_memory import descendants, is_alive, memory_of_group
from tests.fuzz.spoiled_files import Spoiled, spoiled

CHECKOUT = Path(__file__).resolve().parents[2]
SLOWEST_S = 10.0
MOST_MIB = 2048
_STARTING_S = 60.0
_SAMPLE_S = 0.05


@dataclass
class Answer:
    """How a folder ended; `death` says why the process did not answer."""

    death: str = ""
    done: dict[str, Any] = field(default_factory=dict)
    slowest_s: float = 0.0
    peak_mib: float = 0.0

    @property
    def failures(self) -> list[str]:
        told = [f"{f['step']} {f['subject']}: {f['what']}" for f in self.done.get("failures", ())]
        return [self.death, *told] if self.death else told


@dataclass
class Tally:
    """What a campaign came to."""

    files: int = 0
    loaded: int = 0
    refused: int = 0
    unreadable: int = 0
    peak_mib: float = 0.0
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, answer: Answer, files: int) -> None:
        self.files += files
        self.peak_mib = max(self.peak_mib, answer.peak_mib)
        self.slowest_s = max(self.slowest_s, answer.slowest_s)
        for name in ("loaded", "refused", "unreadable"):
            setattr(self, name, getattr(self, name) + answer.done.get(name, 0))

    def words(self) -> str:
        return (
            f"{self.files} files, {self.loaded} volumes loaded, {self.refused} refused, "
            f"{self.unreadable} unreadable, {len(self.failures)} failures; slowest step "
            f"{self.slowest_s:.1f} s, peak {self.peak_mib:.0f} MiB with children"
        )


class Victim:
    """One process that imports and loads folders, until it dies or is closed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._errors = (home.parent / f"{home.name}.stderr").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.victim", str(home)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._peak = 0.0
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._watch)
        ]
        for thread in self._threads:
            thread.start()
        self._next(_STARTING_S)

    def try_folder(self, folder: Path, patience_s: float = SLOWEST_S) -> Answer:
        """Give it one folder and wait, `patience_s` at the most for each of its steps."""
        answer, step = Answer(), "start"
        self._peak = 0.0
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{folder}\n")
            self._process.stdin.flush()
            while not answer.done:
                started = time.monotonic()
                line = self._next(patience_s)
                answer.slowest_s = max(answer.slowest_s, time.monotonic() - started)
                step = f"{line.get('step', step)} {line.get('subject', '')}"
                answer.done = line.get("done", {})
        except (TimeoutError, OSError) as error:
            memory = f"more than {MOST_MIB} MiB" if self._over.is_set() else ""
            answer.death = f"{memory or error} in {step}\n{self._last_words()}"
            self.kill()
        answer.peak_mib = self._peak
        return answer

    @property
    def is_dead(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_pipes()

    def close(self) -> list[int]:
        """Let it end by itself; returns the children that outlived it, which is a mistake."""
        children = descendants(self._process.pid)
        if self._process.poll() is None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self._close_pipes()
        deadline = time.monotonic() + 5
        while any(map(is_alive, children)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [pid for pid in children if is_alive(pid)]

    def _close_pipes(self) -> None:
        for thread in self._threads:
            thread.join(10)
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _last_words(self) -> str:
        text = Path(self._errors.name).read_text(errors="replace")
        return f"status {self._process.poll()}: {text[-1500:]}"

    def _next(self, patience_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                return dict(json.loads(self._lines.get(timeout=0.1)))
            except queue.Empty:
                if self._over.is_set():
                    raise TimeoutError("memory") from None
                if self._process.poll() is not None and self._lines.empty():
                    raise TimeoutError("the process died") from None
        raise TimeoutError(f"no answer within {patience_s:.0f} s")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def _watch(self) -> None:
        while self._process.poll() is None:
            used = memory_of_group(self._process.pid)
            self._peak = max(self._peak, used)
            if used > MOST_MIB:
                self._over.set()
                return
            time.sleep(_SAMPLE_S)


def run_campaign(
    folder: Path,
    seeds: Sequence[int],
    *,
    batch: int = 50,
    make: Callable[[int], Spoiled] = spoiled,
    batches_of_a_home: int = 40,
    until: float = float("inf"),
    tell: Callable[[str], object] = lambda text: None,
) -> Tally:
    """Try every seed, many at a time; what fails is tried alone and told with its recipe."""
    tally, victim = Tally(), None
    for number, start in enumerate(range(0, len(seeds), batch)):
        if time.monotonic() > until:
            break
        studies = [make(seed) for seed in seeds[start : start + batch]]
        work = folder / f"batch{number}"
        for study in studies:
            study.write(work)
        if victim is None:
            victim = Victim(folder / f"home{number}")
        answer = victim.try_folder(work, SLOWEST_S + 0.2 * len(studies))
        tally.add(answer, len(studies))
        if answer.failures or answer.slowest_s > SLOWEST_S:
            tally.failures += _alone(folder / f"alone{number}", studies, answer)
        shutil.rmtree(work)
        if victim.is_dead or (number + 1) % batches_of_a_home == 0:
            tally.failures += _end(victim)
            victim = None
        tell(f"{start + len(studies)} of {len(seeds)}: {tally.words()}")
    if victim is not None:
        tally.failures += _end(victim)
    return tally


def _end(victim: Victim) -> list[str]:
    """Close a victim and check the library that it leaves."""
    orphans = victim.close()
    found = [f"children outlived their parent: {orphans}"] if orphans else []
    for path in (victim.home / "library").glob("*.sqlite3"):
        connection = sqlite3.connect(path)
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        connection.close()
        if verdict != "ok":
            found.append(f"the library {path} is damaged: {verdict}")
    if any((victim.home / "crash-reports").glob("*")):
        found.append("a crash report was written")
    shutil.rmtree(victim.home)
    return found


def _alone(folder: Path, studies: Sequence[Spoiled], answer: Answer) -> list[str]:
    """Try the studies of a failed batch one by one."""
    failures = []
    victim: Victim | None = None
    for study in studies:
        if victim is None or victim.is_dead:
            victim = Victim(folder.parent / f"{folder.name}-{study.seed}")
        own = folder / str(study.seed)
        study.write(own)
        found = victim.try_folder(own)
        told = list(found.failures)
        if found.slowest_s > SLOWEST_S and not told:
            told = [f"a step took {found.slowest_s:.1f} s"]
        if told:
            failures.append(f"seed {study.seed} ({study.recipe}): {told[0]}")
        shutil.rmtree(own)
    if victim is not None:
        victim.kill()
    if failures:
        return failures
    seeds = f"seeds {studies[0].seed} to {studies[-1].seed} together"
    return [f"{seeds}: {(answer.failures or [f'{answer.slowest_s:.1f} s'])[0]}"]


def main() -> None:
    """`python -m tests.fuzz.campaign FOLDER FIRST COUNT`: for a person who looks for mistakes."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    tally = run_campaign(folder, range(first, first + count), tell=print)
    for failure in tally.failures:
        print(failure, "\n")
    print(tally.words())


if __name__ == "__main__":
    main()
