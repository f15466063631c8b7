"""What a person does to clean an object up; and the range of intensities that the brush is limited to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.clean_steps import CleanStep, cleaned_object
from napari_sam.core.cleaning import limit_to_range
from napari_sam.core.edits import Edit
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.nodes.amounts import MILLI, units_of
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._stage import Stage
from napari_sam.plugin.view import CleanState
from volumes import Box

__all__ = ["CleanSteps"]

Labels = NDArray[Any]


class CleanSteps:
    """Clean-ups of the current object, each one step to undo, worked out beside the window.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._doing = ""
        self.brush_range: tuple[float, float] | None = None
        self.keeps_anchors = True

    @property
    def state(self) -> CleanState:
        """What the panel shows."""
        stage, case = self._stage, self._stage.free_case
        current = None if case is None else case.session.objects.get(stage.current_id)
        can_clean = current is not None and not current.locked and current.extent is not None
        session = stage.session
        unit = "HU" if session is not None and session.volume.provenance.modality == "CT" else ""
        units = MILLI if session is None else units_of(session.volume)
        return CleanState(can_clean, self._doing, self.brush_range, unit, units)

    def clean(self, step: CleanStep) -> None:
        """Clean the current object up."""
        stage, case = self._stage, self._stage.free_case
        if case is None or case.current_id not in case.session.objects:
            return
        session, object_id = case.session, case.current_id

        def work(_: Cancel) -> Iterable[BoxedMask | None]:
            yield cleaned_object(session, object_id, (step,), keeps_anchors=self.keeps_anchors)

        self._hold(step.kind)
        stage.background.submit(
            Job(
                "clean",
                work,
                lambda mask: self._cleaned(session, object_id, step, mask),
                lambda: self._hold(""),
                self._failed,
            )
        )
        stage.say("")

    def keep_anchors(self, keeps: bool) -> None:
        """Leave planes alone that a person drew, or do not."""
        self.keeps_anchors = keeps

    def limit_brush(self, low: float | None, high: float | None) -> None:
        """Let the brush change only voxels with intensities from `low` to `high`; all where one is None."""
        self.brush_range = None if low is None or high is None else (min(low, high), max(low, high))
        self._stage.show()

    def limited(self, session: Session, box: Box, before: Labels, after: Labels) -> Labels:
        """Return what a brush stroke may do in the range that it is limited to."""
        if self.brush_range is None or session.volume.is_rgb:
            return after
        values = np.asarray(session.volume.data[box.slices()])
        return limit_to_range(before, after, values, *self.brush_range)

    def _cleaned(self, session: Session, object_id: int, step: CleanStep, mask: BoxedMask | None) -> None:
        self._hold("")
        if mask is None:
            self._stage.say(f"Object {object_id} has no voxel to clean.")
            return
        try:
            edit = session.reshape(object_id, mask, step.kind)
        except SamError as error:
            self._stage.fail(error)
            return
        self._stage.changed((edit,), _news(object_id, step, edit))

    def _failed(self, error: Exception) -> None:
        self._hold("")
        self._stage.fail(error)

    def _hold(self, doing: str) -> None:
        self._doing = doing
        self._stage.is_taken = bool(doing)
        self._stage.view.lock_labels(bool(doing))


def _news(object_id: int, step: CleanStep, edit: Edit) -> str:
    before = int((edit.before == object_id).sum())
    after = int((edit.after == object_id).sum())
    if before == after and not edit.changes:
        return f"{step.kind.capitalize()}: nothing to change on object {object_id}."
    return f"{step.kind.capitalize()}: object {object_id} has {after - before:+,} voxels. Undo takes it back."
