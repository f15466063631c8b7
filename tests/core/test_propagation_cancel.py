"""The same prompts give the same labels; a propagation stopped anywhere leaves a valid session."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks._worn_truth import WEAR, WornTruth
from napari_sam import load_segmenter
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.store.session_file import SessionFolder
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

SHAPE = (11, 32, 40)
TRUTH = ellipsoid_labels(SHAPE)
VOLUME = labelled_volume(TRUTH)
MIDDLE = 5


def box_drawn(segmenter: Segmenter, planes: tuple[int, ...] = (MIDDLE,)) -> Session:
    """A session in which a box was drawn in some planes and answered."""
    session = Session(VOLUME)
    for index in planes:
        plane = PlaneRef(0, index)
        box = plane.box_of(tight_box(TRUTH[index] > 0) or (0, 0, 1, 1))
        request = session.prompt(plane, BoxPrompt(box), object_id=1)
        session.apply(segmenter.segment(request), request)
    return session


def labels_of(segmenter: Segmenter, planes: tuple[int, ...]) -> NDArray[np.integer]:
    """Everything after one propagation."""
    session = box_drawn(segmenter, planes)
    for _ in propagate(session, segmenter, 1):
        pass
    return session.labels.copy()


def embedded() -> Segmenter:
    """The model in the package, loaded anew."""
    return load_segmenter("default", device="cpu")


@pytest.mark.parametrize(
    "make",
    [FakeSegmenter, *(lambda wear=wear: WornTruth(TRUTH, wear) for wear in WEAR.values()), embedded],
    ids=["fake", *WEAR, "embedded"],
)
@pytest.mark.parametrize("planes", [(MIDDLE,), (3, 8)], ids=["one anchor", "two anchors"])
def test_the_same_prompts_give_the_same_labels(
    make: Callable[[], Segmenter], planes: tuple[int, ...]
) -> None:
    """Bit for bit: by a segmenter made anew, and by one that has kept what it knows of the planes."""
    segmenter = make()
    first = labels_of(segmenter, planes)
    assert np.count_nonzero(first)
    assert np.array_equal(labels_of(segmenter, planes), first)
    assert np.array_equal(labels_of(make(), planes), first)


def assert_can_be_kept(session: Session) -> None:
    """A folder gives back what the session holds."""
    with tempfile.TemporaryDirectory() as folder:
        SessionFolder(Path(folder) / "session").save(session)
        saved = SessionFolder(Path(folder) / "session").load()
    assert np.array_equal(saved.labels, session.labels)
    assert saved.objects.keys() == session.objects.keys()
    assert saved.objects[1].propagated == session.objects[1].propagated


@settings(max_examples=30, deadline=None)
@given(after=st.integers(0, SHAPE[0] + 3), wear=st.sampled_from(sorted(WEAR)), again=st.booleans())
def test_cancelling_anywhere_leaves_a_valid_session(after: int, wear: str, again: bool) -> None:
    segmenter = WornTruth(TRUTH, WEAR[wear])
    session = box_drawn(segmenter, (3, MIDDLE))
    if again:  # an earlier propagation filled planes: they stay, or are written anew
        list(propagate(session, segmenter, 1))
    before, objects = session.labels.copy(), dict(session.objects)
    cancel = Cancel()
    if after == 0:
        cancel.cancel()
    told_of = []
    for number, told in enumerate(propagate(session, segmenter, 1, cancel=cancel), start=1):
        told_of.append(told)
        if number == after:
            cancel.cancel()
    written = {told.plane.index: told.mask for told in told_of if told.is_new}

    # Anchors are as they were; planes hold what was told, or what they held before.
    assert session.objects[1].anchors == objects[1].anchors
    assert np.array_equal(session.labels[[3, MIDDLE]], before[[3, MIDDLE]])
    for index in range(SHAPE[0]):
        mask = written.get(index)
        expected = before[index] if mask is None else mask.to_plane(PlaneRef(0, index), SHAPE)
        if mask is not None or after <= SHAPE[0]:
            assert np.array_equal(session.labels[index] > 0, expected > 0)

    assert_can_be_kept(session)

    # One step back is what was before; one forth is what came.
    after_it = session.labels.copy()
    if written:
        session.undo()
        assert np.array_equal(session.labels, before)
        assert dict(session.objects) == objects
        session.redo()
    assert np.array_equal(session.labels, after_it)

    # And going on from there gives what a propagation that nobody stopped gives.
    list(propagate(session, segmenter, 1))
    assert np.array_equal(session.labels, labels_of(segmenter, (3, MIDDLE)))
