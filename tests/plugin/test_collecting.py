"""While a job runs, Python looks for garbage only among what is new; afterwards among all."""

from __future__ import annotations

import gc
import weakref

import pytest

from napari_sam.plugin._collecting import short_collections


class Knot:
    """Something that only the search for garbage can free."""

    def __init__(self) -> None:
        self.self = self


def tied() -> weakref.ref[Knot]:
    return weakref.ref(Knot())


@pytest.fixture(autouse=True)
def nothing_frozen():
    assert gc.get_freeze_count() == 0
    yield
    assert gc.get_freeze_count() == 0


def test_what_was_there_before_waits_and_is_freed_afterwards():
    gc.disable()
    try:
        before = tied()
        with short_collections():
            new = tied()
            gc.collect()
            assert new() is None
            assert before() is not None
        gc.collect()
        assert before() is None
    finally:
        gc.enable()


def test_the_last_one_inside_ends_it():
    first, second = short_collections(), short_collections()
    with first:
        with second:
            pass
        assert gc.get_freeze_count() > 0


def test_an_error_ends_it():
    with pytest.raises(ValueError, match="broken"), short_collections():
        raise ValueError("broken")


def test_what_others_froze_stays_frozen():
    gc.disable()
    try:
        before = tied()
        gc.freeze()
        with short_collections():
            pass
        gc.collect()
        assert before() is not None
    finally:
        gc.unfreeze()
        gc.enable()
