from __future__ import annotations

import threading

import pytest

from napari_sam.core.jobs import Cancel, LatestOnly
from napari_sam.errors import Cancelled


def test_a_wish_to_stop_crosses_threads() -> None:
    cancel = Cancel()
    assert not cancel.requested
    cancel.check()
    thread = threading.Thread(target=cancel.cancel)
    thread.start()
    thread.join()
    assert cancel.requested
    with pytest.raises(Cancelled):
        cancel.check()


def test_only_the_newest_generation_counts() -> None:
    generations = LatestOnly()
    first = generations.new()
    assert generations.is_latest(first)
    second = generations.new()
    assert not generations.is_latest(first)
    assert generations.is_latest(second)
    assert generations.latest == second


def test_generations_are_unique_over_threads() -> None:
    generations, drawn = LatestOnly(), []
    threads = [
        threading.Thread(target=lambda: drawn.extend(generations.new() for _ in range(200))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == list(range(1, 801))
