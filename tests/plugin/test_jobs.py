"""Which job runs next."""

from __future__ import annotations

import pytest

from napari_sam.plugin._jobs import ASIDE, Job, JobQueue


def job(kind: str) -> Job:
    return Job(kind, lambda cancel: ())


def test_one_job_at_a_time():
    queue = JobQueue()
    queue.submit(job("segment"))
    first = queue.take()
    queue.submit(job("load"))
    assert queue.take() is None
    queue.done(first)
    assert queue.take().kind == "load"
    assert first.kind == "segment"


def test_newest_of_a_kind_waits():
    queue = JobQueue()
    old, new = job("segment"), job("segment")
    queue.submit(old)
    queue.submit(new)
    assert queue.take() is new
    queue.done(new)
    assert queue.take() is None


def test_click_overtakes_prefetch():
    queue = JobQueue()
    prefetch = job("prefetch")
    queue.submit(prefetch)
    queue.take()
    queue.submit(job("segment"))
    assert prefetch.cancel.requested


def test_click_does_not_stop_what_a_person_started():
    queue = JobQueue()
    propagation = job("propagate")
    queue.submit(propagation)
    queue.take()
    queue.submit(job("segment"))
    assert not propagation.cancel.requested


def test_priority():
    queue = JobQueue()
    for kind in ("prefetch", "propagate", "segment", "load", "open"):
        queue.submit(job(kind))
    order = []
    while (taken := queue.take()) is not None:
        order.append(taken.kind)
        queue.done(taken)
    assert order == ["open", "load", "segment", "propagate", "prefetch"]


def test_cancel_reaches_the_running_and_forgets_the_waiting():
    queue = JobQueue()
    running, waiting = job("propagate"), job("propagate")
    queue.submit(running)
    queue.take()
    queue.submit(waiting)
    queue.cancel("propagate")
    assert running.cancel.requested
    assert waiting.cancel.requested
    queue.done(running)
    assert queue.take() is None


def test_unknown_kind():
    with pytest.raises(ValueError, match="'tea'"):
        job("tea")


def taken(queue: JobQueue) -> list[str]:
    kinds = []
    while (one := queue.take()) is not None:
        kinds.append(one.kind)
    return kinds


@pytest.mark.parametrize("aside", sorted(ASIDE))
def test_click_does_not_wait_for_what_runs_aside(aside):
    queue = JobQueue()
    queue.submit(job(aside))
    assert taken(queue) == [aside]
    queue.submit(job("segment"))
    assert taken(queue) == ["segment"]


@pytest.mark.parametrize("aside", sorted(ASIDE))
def test_what_runs_aside_begins_only_when_nothing_runs(aside):
    queue = JobQueue()
    click, prefetch = job("segment"), job("prefetch")
    queue.submit(prefetch)
    assert queue.take() is prefetch
    queue.submit(click)
    assert queue.take() is click
    queue.submit(job(aside))
    assert taken(queue) == []
    queue.done(click)
    assert taken(queue) == []
    queue.done(prefetch)
    assert taken(queue) == [aside]


def test_closer_look_goes_before_what_is_only_prepared():
    queue = JobQueue()
    for kind in ("prefetch", "walk", "closer"):
        queue.submit(job(kind))
    assert taken(queue) == ["closer"]
