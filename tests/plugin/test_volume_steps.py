"""An object is followed through the volume, without a window."""

from __future__ import annotations

import numpy as np


def test_propagation_fills_the_planes_and_says_where_it_ended(desk):
    desk.open()
    desk.click()
    desk.background.run()
    assert desk.state.can_propagate
    desk.controller.volume.propagate()
    assert desk.state.can_cancel
    assert desk.state.progress == (0, 9)
    desk.view.lock_labels.assert_called_with(True)
    desk.background.run()
    session = desk.controller.session
    filled = np.flatnonzero(session.labels.any(axis=(1, 2)))
    assert filled.tolist() == [2, 3, 4, 5, 6]
    assert desk.state.status.startswith("Planes 2 to 6 are done; it ended at 1 and 7 (")
    desk.view.lock_labels.assert_called_with(False)
    desk.controller.objects.undo()
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [4]


def test_cancel_keeps_the_planes_that_are_done(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.background.run(max_parts=3)
    session = desk.controller.session
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [3, 4, 5]
    assert "cancelled" in desk.state.status
    assert not desk.state.can_cancel


def test_propagation_stays_in_its_range(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate(4, 5)
    desk.background.run()
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [4, 5]


def test_second_propagation_erases_what_it_does_not_reach(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.background.run()
    desk.segmenter.segment = _fail_beyond(desk.segmenter, 5)
    desk.controller.volume.propagate()
    desk.background.run()
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5]


def _fail_beyond(segmenter, last):
    """Find nothing in the planes after `last`."""
    ask = segmenter.segment

    def segment(request):
        if request.plane.index <= last:
            return ask(request)
        prediction = ask(request)
        empty = type(prediction.masks[0]).of_plane(
            np.zeros(request.plane.shape_hw(request.volume.shape), bool), request.plane, request.volume.shape
        )
        return type(prediction)(request.plane, (empty,) * 3, prediction.scores, prediction.hints)

    return segment


def test_clicks_during_propagation_change_nothing(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.volume.propagate()
    desk.click(5, 5)
    desk.controller.objects.undo()
    desk.controller.objects.accept()
    assert len(desk.controller.session.objects[1].prompts) == 1
    assert not desk.controller.session.objects[1].locked
