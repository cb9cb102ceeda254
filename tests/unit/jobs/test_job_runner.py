"""Lanes, throttled progress, cancelling and errors in words."""

from __future__ import annotations

import threading
import time

import pytest

from carez_desktop.errors import CarezError, InputError
from carez_desktop.jobs.job_runner import Job, JobRunner, JobState, JobStatus, Lane, time_left_text


@pytest.fixture
def runner():
    before = set(threading.enumerate())
    made = JobRunner()
    yield made
    made.close()
    assert set(threading.enumerate()) <= before


def _wait(job: Job) -> JobStatus:
    end = time.monotonic() + 5
    while not job.status.is_over and time.monotonic() < end:
        time.sleep(0.002)
    return job.status


def test_result_comes_before_done(runner: JobRunner) -> None:
    heard: list[object] = []
    job = runner.submit(
        "t", lambda _: 7, on_status=lambda s: heard.append(s.state), on_result=heard.append
    )
    assert _wait(job).fraction == 1.0
    assert heard == [JobState.RUNNING, 7, JobState.DONE]


def test_the_gpu_lane_runs_one_job_at_a_time_while_io_goes_on(runner: JobRunner) -> None:
    release, running, most = threading.Event(), [], []

    def work(_: Job) -> None:
        running.append(1)
        most.append(len(running))
        release.wait(5)
        running.pop()

    jobs = [runner.submit("g", work, lane=Lane.GPU) for _ in range(3)]
    assert _wait(runner.submit("io", lambda _: None)).state is JobState.DONE
    release.set()
    assert [_wait(job).state for job in jobs] == [JobState.DONE] * 3
    assert max(most) == 1


def test_cancel_answers_at_the_next_check(runner: JobRunner) -> None:
    started = threading.Event()

    def work(job: Job) -> None:
        started.set()
        while True:
            job.cancel_flag.raise_if_cancelled()
            time.sleep(0.001)

    job = runner.submit("c", work)
    started.wait(5)
    job.cancel()
    assert _wait(job).state is JobState.CANCELLED


def test_errors_keep_their_remedy_and_unexpected_ones_get_words(runner: JobRunner) -> None:
    def fails(_: Job) -> None:
        raise InputError("No series", subject="folder", hint="Choose another")

    def breaks(_: Job) -> None:
        raise ZeroDivisionError("by zero")

    error = _wait(runner.submit("f", fails)).error
    assert error is not None
    assert (error.subject, error.hint) == ("folder", "Choose another")
    wrapped = _wait(runner.submit("b", breaks)).error
    assert type(wrapped) is CarezError
    assert "ZeroDivisionError" in wrapped.what


def test_progress_is_heard_at_most_ten_times_a_second_and_tells_time_left() -> None:
    now = [0.0]
    heard: list[JobStatus] = []
    job = Job(1, "p", heard.append, clock=lambda: now[0])
    job.enter(JobState.RUNNING)
    for step in range(1, 201):
        now[0] = step * 0.01
        job.report(step / 400, "half")
    progress = heard[1:]
    assert 18 <= len(progress) <= 21
    assert job.status.seconds_left == pytest.approx(2.0)
    assert progress[0].seconds_left is None


def test_closing_drops_what_waits() -> None:
    runner = JobRunner()
    started = threading.Event()

    def work(job: Job) -> None:
        started.set()
        while not job.cancel_flag.is_cancelled:
            time.sleep(0.001)

    first = runner.submit("a", work, lane=Lane.GPU)
    second = runner.submit("b", lambda _: None, lane=Lane.GPU)
    started.wait(5)
    runner.close()
    assert first.status.is_over
    assert second.status.state is JobState.CANCELLED


def test_time_left_reads_as_a_clock() -> None:
    assert time_left_text(None) == ""
    assert time_left_text(42.4) == "0:42 left"
    assert time_left_text(3723) == "1:02:03 left"
