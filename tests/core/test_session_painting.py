"""Strokes of the brush."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.edits import Edit
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.errors import InvalidEdit
from tests.core.square_answers import PLANE, click, square
from volumes import Box


class TestPainting:
    box = PLANE.box_of((10, 10, 14, 14))

    def stroke(self, session: Session, object_id: int, box: Box | None = None) -> Edit:
        """Paint as a screen does: into the labels first, then tell the session."""
        box = box or self.box
        before = session.labels[box.slices()].copy()
        after = np.full(box.shape, object_id)
        session.labels[box.slices()] = after
        return session.paint(box, before, after)

    def test_a_stroke_is_in_the_history(self, session: Session) -> None:
        edit = self.stroke(session, 4)
        assert edit.cause == "paint"
        assert (session.labels == 4).sum() == 16
        assert 4 in session.objects
        session.undo()
        assert not session.labels.any()
        assert not session.objects
        session.redo()
        assert (session.labels == 4).sum() == 16

    def test_locked_objects_neither_lose_nor_gain(self, session: Session) -> None:
        click(session, square(10, 10, 2), 1)
        session.lock(1)
        self.stroke(session, 2)
        assert (session.labels == 1).sum() == 4
        assert (session.labels == 2).sum() == 12
        heard: list[Edit] = []
        session.on_edit.append(heard.append)
        edit = self.stroke(session, 1, PLANE.box_of((20, 20, 22, 22)))
        assert (session.labels == 1).sum() == 4
        assert not edit.changes
        assert heard == [edit]

    def test_a_stroke_without_effect_is_no_step(self, session: Session) -> None:
        self.stroke(session, 0)
        assert not session.can_undo

    def test_a_painted_plane_is_an_anchor_of_each_object_it_changed(self, session: Session) -> None:
        self.stroke(session, 1)
        self.stroke(session, 2, PLANE.box_of((12, 12, 16, 16)))
        for object_id in (1, 2):
            anchor = session.objects[object_id].anchor_on(PLANE)
            assert anchor is not None
            assert anchor.is_settled
            assert anchor.hint is None

    def test_painting_makes_the_logits_void(self, session: Session) -> None:
        click(session, square(10, 10))
        self.stroke(session, 1, PLANE.box_of((10, 10, 11, 16)))
        assert session.objects[1].hint is None
        assert session.objects[1].prompts

    def test_a_thin_stroke_belongs_to_the_axis_in_use(self, session: Session) -> None:
        sagittal = PlaneRef(2, 10)
        session.prompt(sagittal, PointPrompt((3, 10, 10)))
        self.stroke(session, 1, Box((3, 12, 10), (4, 13, 11)))
        assert [anchor.plane for anchor in session.objects[1].anchors] == [sagittal]

    def test_erased_voxels_are_no_longer_the_objects(self, session: Session) -> None:
        self.stroke(session, 1)
        self.stroke(session, 0)
        assert session.mask_on(PLANE, 1) is None

    @pytest.mark.parametrize(
        ("box", "shape", "fill", "said"),
        [
            (Box((0, 0, 0), (1, 2, 2)), (1, 2, 3), 1, r"\(1, 2, 3\)"),
            (Box((6, 0, 0), (8, 1, 1)), (2, 1, 1), 1, "inside the volume"),
            (Box((0, 0, 0), (1, 1, 1)), (1, 1, 1), 70000, "70000"),
            (Box((0, 0, 0), (1, 1, 1)), (1, 1, 1), -1, "-1"),
        ],
    )
    def test_strokes_that_do_not_fit_are_refused(
        self, session: Session, box: Box, shape: tuple, fill: int, said: str
    ) -> None:
        with pytest.raises(InvalidEdit, match=said):
            session.paint(box, np.zeros(shape, int), np.full(shape, fill))
