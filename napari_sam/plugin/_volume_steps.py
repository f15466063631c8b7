"""What a person does with the whole volume: following the object through the planes, and stopping that."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from napari_sam.core.jobs import Cancel
from napari_sam.core.propagation import PlanePrediction, plan_propagation
from napari_sam.core.same_thing import Meeting, meetings
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._messages import one_thing
from napari_sam.plugin._prompt_steps import PromptSteps
from napari_sam.plugin._stage import Stage
from napari_sam.plugin._volume_jobs import Following, plane_meets

__all__ = ["VolumeSteps"]


class VolumeSteps:
    """Propagation of the current object; while it runs, it has the session to itself.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    prompts : PromptSteps
        Whose open questions are dropped when it starts.

    Attributes
    ----------
    on_prediction : list of callables
        Called with the session, the object's id and each prediction of a propagation.
    """

    def __init__(self, stage: Stage, prompts: PromptSteps) -> None:
        self._stage = stage
        self._prompts = prompts
        self._followed_in: tuple[Session, int] | None = None
        self.on_prediction: list[Callable[[Session, int, PlanePrediction], None]] = []
        self.following = Following(stage.background, self._followed, self._ended, self._broke_off)

    def propagate(self, first: int | None = None, last: int | None = None) -> None:
        """Follow the chosen objects from plane `first` to `last`, both included; through all when None."""
        stage = self._stage
        case, plane, segmenter = stage.free_case, stage.plane, stage.model.segmenter
        if case is None or plane is None or segmenter is None:
            return
        n_planes = case.session.volume.shape[plane.axis]
        reach = (0 if first is None else first, n_planes if last is None else last + 1)
        try:
            plans = [
                plan_propagation(case.session, object_id, axis=plane.axis, planes=reach)
                for object_id in self._followable(case.session)
            ]
        except SamError as error:
            stage.fail(error)
            return
        self._prompts.asking.forget()
        self._hold(True)
        self._followed_in = (case.session, plane.axis)
        self.following.start(case.session, segmenter, plans)
        stage.say("")

    def _followable(self, session: Session) -> tuple[int, ...]:
        """Return the objects chosen in the table that may be followed; the current one where that is one."""
        current_id, chosen = self._stage.current_id, self._stage.chosen_ids
        open_ids = [one.id for one in session.objects.values() if one.id in chosen and not one.locked]
        return tuple(sorted(open_ids)) if len(open_ids) > 1 and current_id in open_ids else (current_id,)

    def cancel(self) -> None:
        """Stop propagating; the planes that are done stay."""
        self.following.cancel()

    def _hold(self, taken: bool) -> None:
        self._stage.is_taken = taken
        self._stage.view.lock_labels(taken)

    def _followed(self, session: Session, object_id: int, prediction: PlanePrediction) -> None:
        stage = self._stage
        for listener in self.on_prediction:
            listener(session, object_id, prediction)
        if (
            session is stage.session
            and stage.plane is not None
            and plane_meets(stage.plane, prediction.plane)
        ):
            stage.view.redraw_labels()
        stage.show_soon()

    def _ended(self, summary: str) -> None:
        self._hold(False)
        self._prompts.prefetch()
        self._stage.say(summary)
        if self._followed_in is not None and len(self.following.object_ids) > 1:
            self._look_for_one_thing(*self._followed_in, self.following.object_ids, summary)

    def _look_for_one_thing(self, session: Session, axis: int, ids: tuple[int, ...], summary: str) -> None:
        """Say which objects meet as one thing would, unless there are other news by then."""

        def work(_: Cancel) -> Iterable[tuple[Meeting, ...]]:
            yield meetings(session.labels, session.objects, ids, axis)

        def found(pairs: tuple[Meeting, ...]) -> None:
            if pairs and self._stage.news == summary:
                self._stage.say(one_thing(pairs))

        self._stage.files.submit(Job("meetings", work, found, on_error=self._stage.fail))

    def _broke_off(self, error: Exception) -> None:
        self._hold(False)
        self._stage.fail(error)
