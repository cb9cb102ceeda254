from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from carez_desktop.errors import CancelledError, CarezError, ChildCrashError, UnreadableFileError
from carez_desktop.progress import CancellationFlag
from carez_desktop.system.child_process import ChildPool
from tests.builders.child_functions import HERE

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(processes=2, timeout_s=20.0)
    yield pool
    pool.close()


def fails(pool: ChildPool, function: str, **request: object) -> CarezError:
    with pytest.raises(CarezError) as caught:
        pool.run(f"{HERE}:{function}", {"subject": "a.dcm", **request}, timeout_s=5.0)
    return caught.value


def children_of(pid: int) -> list[int]:
    """Processes whose parent is `pid`, zombies too (field 4 of /proc/<pid>/stat)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def until(condition: object, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_plain_data_comes_back_as_it_went(pool: ChildPool) -> None:
    request = {"path": "/ü/\udcff/日本 ㍿", "numbers": [1, 2.5, None, True], "deep": {"a": [[]]}}
    assert pool.run(f"{HERE}:echo", request) == request


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("leave", "status 3"),
        ("take_memory", "more memory than the 2048 MiB"),
        ("answer_much", "an answer of 40 MiB"),
        ("answer_an_object", "no plain data"),
        ("stumble", "ZeroDivisionError: odd spacing"),
    ],
)
def test_what_goes_wrong_costs_one_request(pool: ChildPool, function: str, words: str) -> None:
    error = fails(pool, function)
    assert isinstance(error, ChildCrashError)
    assert words in str(error)
    assert error.subject == "a.dcm"
    assert pool.run(f"{HERE}:echo", {"a": 1}) == {"a": 1}


def test_an_error_of_ours_keeps_its_class_and_parts(pool: ChildPool) -> None:
    error = fails(pool, "refuse", path="/b.dcm")
    assert type(error) is UnreadableFileError
    assert (error.what, error.subject, error.hint) == ("It is damaged", "/b.dcm", "Get it again")


def test_a_hang_ends_at_its_time(pool: ChildPool) -> None:
    start = time.monotonic()
    with pytest.raises(ChildCrashError, match=r"longer than the 0.5 s") as caught:
        pool.run(f"{HERE}:sleep", {"seconds": 60, "subject": "a.dcm"}, timeout_s=0.5)
    assert time.monotonic() - start < 3.0
    assert caught.value.subject == "a.dcm"


def test_a_child_cannot_write_a_file_or_reach_the_network(pool: ChildPool, tmp_path: Path) -> None:
    target = tmp_path / "written"
    said = pool.run(f"{HERE}:write_file", {"path": str(target)})
    assert said != "written"
    assert not target.is_file() or target.stat().st_size == 0
    assert pool.run(f"{HERE}:connect", {}) in ("network_blocked", "PermissionError")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff\x00",  # a length of 4 GiB
        b"\x05\x00\x00\x00\x00{{{{{",
        b"\x02\x00\x00\x00\x01{}",  # says that a descriptor comes along
        b"\x02\x00\x00\x00\x00[]",
        b"\x02\x00\x00\x00\x00{}" * 2,  # two answers to one request
        (100_000).to_bytes(4, "little") + b"\x00" + b"[" * 100_000,
    ],
)
def test_garbage_on_the_line_ends_the_child_only(pool: ChildPool, garbage: bytes) -> None:
    error = fails(pool, "say_garbage", bytes=garbage.hex())
    assert isinstance(error, ChildCrashError)
    assert "answer" in str(error)


def test_a_stream_goes_on_after_crashes(pool: ChildPool) -> None:
    requests = [{"subject": f"{i}", "seconds": 0.0} for i in range(12)]
    outcomes = list(pool.stream(f"{HERE}:sleep", requests))
    assert sorted(outcome.index for outcome in outcomes) == list(range(12))
    calls = list(pool.stream(f"{HERE}:abort", requests[:3]))
    assert [str(outcome.error.subject) for outcome in calls if outcome.error] == [
        str(outcome.index) for outcome in calls
    ]


def test_requests_are_taken_as_children_are_free(pool: ChildPool) -> None:
    taken: list[int] = []

    def requests() -> Iterator[dict[str, float]]:
        for index in range(20):
            taken.append(index)
            yield {"seconds": 0.0}

    seen = 0
    for _ in pool.stream(f"{HERE}:sleep", requests()):
        seen += 1
        assert len(taken) <= seen + pool.processes + 2
    assert seen == 20


def test_a_request_that_is_no_json_is_a_mistake_of_the_caller(pool: ChildPool) -> None:
    with pytest.raises(TypeError, match="set has no plain form"):
        pool.run(f"{HERE}:echo", {"a": {1, 2}})
    assert pool.run(f"{HERE}:echo", {}) == {}


def test_an_error_of_the_requests_leaves_the_pool_usable(pool: ChildPool) -> None:
    def requests() -> Iterator[dict[str, float]]:
        yield {"seconds": 0.05}
        raise UnreadableFileError("gone")

    with pytest.raises(UnreadableFileError):
        list(pool.stream(f"{HERE}:sleep", requests()))
    assert pool.run(f"{HERE}:echo", {"a": 2}) == {"a": 2}


def test_cancel_within_a_tenth_of_a_second_and_no_answer_gets_mixed_up(pool: ChildPool) -> None:
    pool.run(f"{HERE}:echo", {})
    flag = CancellationFlag()
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.monotonic())
        flag.cancel()

    timer = threading.Timer(0.3, cancel)
    timer.start()
    with pytest.raises(CancelledError):
        list(pool.stream(f"{HERE}:sleep", [{"seconds": 1.0}] * 4, cancel=flag))
    late = time.monotonic() - asked[0]
    timer.join()
    assert late < 0.3  # 0.05 s on an idle machine; the target is 0.1
    assert [pool.run(f"{HERE}:echo", {"a": i}) for i in range(4)] == [{"a": i} for i in range(4)]


def test_leaving_a_stream_early_leaves_the_pool_usable(pool: ChildPool) -> None:
    for _ in pool.stream(f"{HERE}:sleep", [{"seconds": 0.01}] * 50):
        break
    assert pool.run(f"{HERE}:echo", {"a": 3}) == {"a": 3}


def test_three_threads_share_two_children(pool: ChildPool) -> None:
    ends: dict[int, float] = {}
    failed: list[BaseException] = []

    def stream(who: int) -> None:
        try:
            requests = [{"seconds": 0.01, "who": who, "n": n} for n in range(15)]
            outcomes = list(pool.stream(f"{HERE}:echo", requests))
            assert all(outcome.result["who"] == who for outcome in outcomes)
            assert all(outcome.result["n"] == outcome.index for outcome in outcomes)
            list(pool.stream(f"{HERE}:sleep", requests))
            ends[who] = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failed.append(error)

    threads = [threading.Thread(target=stream, args=(who,)) for who in range(3)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed
    assert len(ends) == 3
    first, last = min(ends.values()) - start, max(ends.values()) - start
    assert first > 0.3 * last  # nobody was served first and the others afterwards


def test_who_has_no_child_comes_before_who_has_one(pool: ChildPool) -> None:
    done = 0
    begun = threading.Event()

    def long_work() -> None:
        nonlocal done
        for _ in pool.stream(
            f"{HERE}:sleep", [{"seconds": 0.02 + 0.007 * (i % 3)} for i in range(60)]
        ):
            done += 1
            begun.set()

    thread = threading.Thread(target=long_work)
    thread.start()
    begun.wait(10)
    for _ in range(5):
        before = done
        pool.run(f"{HERE}:echo", {})
        assert done <= before + 10
    assert done < 60
    thread.join(30)
    assert done == 60


def test_a_child_killed_while_idle_is_replaced_unseen() -> None:
    pool = ChildPool(processes=1)
    try:
        first = pool.run(f"{HERE}:pid", {})
        os.kill(first, signal.SIGKILL)
        assert until(lambda: not is_running(first))
        second = pool.run(f"{HERE}:pid", {})
        assert second != first
    finally:
        pool.close()


def test_a_child_killed_at_work_costs_that_request(pool: ChildPool) -> None:
    victim = pool.run(f"{HERE}:pid", {})
    timer = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
    timer.start()
    outcomes = list(pool.stream(f"{HERE}:sleep", [{"seconds": 0.6}] * 2))
    timer.join()
    lost = [outcome.error for outcome in outcomes if outcome.error]
    assert len(lost) == 1
    assert "SIGKILL" in str(lost[0])


def test_two_hundred_replacements_leak_nothing() -> None:
    pool = ChildPool(processes=2)
    try:
        outcomes = list(pool.stream(f"{HERE}:leave", [{}] * 20))
        before = open_descriptors()
        outcomes += pool.stream(f"{HERE}:leave", [{}] * 180)
        assert len(outcomes) == 200
        assert all(isinstance(outcome.error, ChildCrashError) for outcome in outcomes)
        pool.run(f"{HERE}:echo", {})
        assert until(lambda: open_descriptors() <= before + 2)
        assert len(children_of(os.getpid())) <= 8
    finally:
        pool.close()


def test_close_leaves_no_process_and_no_thread() -> None:
    threads = threading.active_count()
    pool = ChildPool(processes=2)
    pool.warm_up()
    mine = {pool.run(f"{HERE}:pid", {}) for _ in range(4)}
    pool.close()
    assert not any(is_running(pid) for pid in mine)
    assert threading.active_count() == threads
    with pytest.raises(ChildCrashError, match="shut down"):
        pool.run(f"{HERE}:echo", {})


def test_close_ends_who_still_waits() -> None:
    pool = ChildPool(processes=1)
    pool.run(f"{HERE}:echo", {})
    timer = threading.Timer(0.2, pool.close)
    timer.start()
    with pytest.raises(ChildCrashError):
        pool.run(f"{HERE}:sleep", {"seconds": 30})
    timer.join()


def test_a_pool_that_is_forgotten_ends_its_children() -> None:
    pool = ChildPool(processes=1)
    pid = pool.run(f"{HERE}:pid", {})
    del pool
    assert until(lambda: not is_running(pid))


def test_a_child_that_cannot_start_says_why() -> None:
    pool = ChildPool(processes=1, preload=("carez_desktop.no_such_room",))
    try:
        with pytest.raises(ChildCrashError, match="cannot start: ModuleNotFoundError"):
            pool.run(f"{HERE}:echo", {})
    finally:
        pool.close()


_PARENT = """
import sys, time
from carez_desktop.system.child_process import ChildPool
pool = ChildPool(processes=2)
pool.warm_up()
def pids():
    for outcome in pool.stream("tests.builders.child_functions:pid", [{}] * 2):
        print(outcome.result, flush=True)
pids()
{end}
"""


@pytest.mark.parametrize("end", ["kill", "hang", "exit"])
def test_no_child_outlives_its_parent(end: str) -> None:
    lines = {
        "kill": "time.sleep(60)",
        "hang": "next(pool.stream('tests.builders.child_functions:compute', [{}], timeout_s=60))",
        "exit": "sys.exit()",
    }
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT.replace("{end}", lines[end])],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = {int(parent.stdout.readline()) for _ in range(2)}
        pids |= set(children_of(parent.pid))
        if end != "exit":
            time.sleep(0.3)
            parent.kill()
        parent.wait(20)
    assert pids
    assert until(lambda: not any(is_running(pid) for pid in pids))
