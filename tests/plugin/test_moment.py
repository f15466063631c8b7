"""Work for the window that waits a moment."""

from __future__ import annotations

import pytest

pytest.importorskip("qtpy", exc_type=ImportError)
pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]


def test_the_newest_is_called_once_and_nothing_after_a_stop(qtbot):
    from napari_sam.plugin._moment import Moment

    moment, called = Moment(), []
    moment.wait(lambda: called.append("old"))
    moment.wait(lambda: called.append("new"))
    assert called == []
    qtbot.waitUntil(lambda: called == ["new"])
    moment.wait(lambda: called.append("never"))
    moment.stop()
    moment.wait(lambda: called.append("next"))
    qtbot.waitUntil(lambda: called == ["new", "next"])
