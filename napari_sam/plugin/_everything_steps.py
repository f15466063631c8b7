"""What a person does without prompts: finding everything in planes, and preparing planes for prompts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef, planes_outward
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window
from napari_sam.plugin._cases import Case
from napari_sam.plugin._stage import Stage
from napari_sam.plugin._taking_steps import Found, FoundBy, FoundLayer, LeftLayers, TakeState, TakingSteps
from napari_sam.plugin._walk import PlaneWalk
from volumes import Volume

__all__ = ["EverythingState", "EverythingSteps", "FindByPlane", "FoundLabels", "ShowFound"]


class FoundLabels(Protocol):
    """Labels of one plane, as `napari_sam.nodes.auto.FoundPlane`."""

    @property
    def plane(self) -> PlaneRef:
        """Which plane."""
        ...

    @property
    def labels(self) -> NDArray[Any]:
        """Of shape (H, W), 0 for background."""
        ...


FindByPlane = Callable[
    [Volume, Segmenter, Window, tuple[PlaneRef, tuple[int, int], bool], Cancel], Iterator[FoundLabels]
]
"""(volume, model, window, (plane to begin at, half-open range of planes, join from plane to plane), cancel)
to labels."""

ShowFound = Callable[[Hashable, NDArray[Any], Volume, FoundBy], FoundLayer | None]
"""Shows labels (P, R, C) in a layer of their own on the image of a key; None where the image has gone."""


@dataclass(frozen=True)
class EverythingState:
    """What the panel shows.

    Parameters
    ----------
    can_start, can_cancel : bool
        What may be pressed now.
    n_planes : int
        Planes along the axis that is stepped through; 0 without an image.
    progress : tuple[int, int] or None
        (done, total) planes of what goes on.
    left_s : float or None
        Seconds that it will take still.
    take : TakeState
        What of it can become objects.
    """

    can_start: bool = False
    can_cancel: bool = False
    n_planes: int = 0
    progress: tuple[int, int] | None = None
    left_s: float | None = None
    take: TakeState = field(default_factory=TakeState)


class EverythingSteps:
    """Everything in planes as labels in a layer of their own, and planes encoded ahead of their prompts.

    Both go plane by plane through the model's own background: a click is answered beside the plane that is
    being done. The session is not touched before a person takes what was found (`taking`).

    Parameters
    ----------
    stage : Stage
        What all steps share.
    find : FindByPlane
        Finds everything; called on another thread.
    show : ShowFound
        Shows what was found.
    left : LeftLayers, optional
        As in `TakingSteps`.
    """

    def __init__(
        self, stage: Stage, find: FindByPlane, show: ShowFound, left: LeftLayers | None = None
    ) -> None:
        self._stage, self._find, self._show = stage, find, show
        self.walk = PlaneWalk(stage.background)
        self.taking = TakingSteps(stage) if left is None else TakingSteps(stage, left)
        self._waiting: Callable[[], None] | None = None
        stage.on_model.append(self._model_came)

    @property
    def state(self) -> EverythingState:
        """What the panel shows now."""
        stage, walk = self._stage, self.walk
        has_plane = stage.case is not None and stage.plane is not None
        is_busy = walk.is_running or self._waiting is not None
        return EverythingState(
            can_start=has_plane and not is_busy,
            can_cancel=is_busy,
            n_planes=self._planes_of(None)[1] if has_plane else 0,
            progress=walk.progress if walk.is_running else None,
            left_s=walk.left_s,
            take=self.taking.state,
        )

    def find(self, *, in_all: bool, joins: bool = True) -> None:
        """Find everything in the shown plane, or in all planes across its axis, outward from that one.

        Parameters
        ----------
        in_all : bool
            Whether to go through all planes.
        joins : bool
            Whether labels of neighbouring planes that overlap become one.
        """
        self._when_ready(lambda case, segmenter, plane: self._find_in(case, segmenter, plane, in_all, joins))

    def prepare(self) -> None:
        """Encode all planes across the shown one's axis, outward from it: prompts are answered at once."""
        self._when_ready(self._prepare)

    def cancel(self) -> None:
        """Stop; the planes that are done stay."""
        self._waiting = None
        self.walk.cancel()
        self._stage.show()

    def _when_ready(self, act: Callable[[Case, Segmenter, PlaneRef], None]) -> None:
        """Act as soon as the model is loaded, on the image and plane that are shown now."""
        stage = self._stage
        case, plane = stage.case, stage.plane
        if case is None or plane is None:
            stage.say("Open an image and show it in the 2-D view first.")
            return
        if self.walk.is_running or self._waiting is not None:
            return

        def go() -> None:
            if stage.model.segmenter is not None:
                act(case, stage.model.segmenter, plane)

        if stage.model.segmenter is None:
            self._waiting = go
            stage.model.ensure()
            stage.say("Loading the model…")
        else:
            go()

    def _model_came(self) -> None:
        go, self._waiting = self._waiting, None
        if go is not None:
            go()

    def _planes_of(self, plane: PlaneRef | None) -> tuple[int, int]:
        """Return (axis, how many planes) of the plane, the shown one where it is None."""
        plane, case = plane or self._stage.plane, self._stage.case
        if plane is None or case is None:
            return 0, 0
        return plane.axis, case.session.volume.shape[plane.axis]

    def _find_in(self, case: Case, segmenter: Segmenter, plane: PlaneRef, in_all: bool, joins: bool) -> None:
        volume, window, key = case.session.volume, case.session.window, case.source.key
        reach = (0, volume.shape[plane.axis]) if in_all else (plane.index, plane.index + 1)
        labels: list[NDArray[Any]] = [np.zeros(volume.shape[:3], dtype=np.uint16)]
        seen: set[int] = set()
        shown: list[Found] = []
        by = FoundBy(plane.axis, segmenter.name)

        def one(found: FoundLabels) -> None:
            if found.labels.max(initial=0) > np.iinfo(labels[0].dtype).max:
                labels[0] = labels[0].astype(np.uint32)
            found.plane.take(labels[0])[...] = found.labels
            seen.update(np.unique(found.labels).tolist())
            if shown:
                shown[0].layer.grow(labels[0])
            elif (layer := self._show(key, labels[0], volume, by)) is not None:
                shown.append(Found(case, layer, by))
                self.taking.add(shown[0])
            self._tell(f"Finding everything in {case.source.name}")

        def end(error: Exception | None) -> None:
            n_found = len(seen - {0})
            for one in shown:
                one.is_whole = n_found > 0
            self._end(case, error, _found(n_found, case.source.name))

        self._begin(
            lambda cancel: self._find(volume, segmenter, window, (plane, reach, joins), cancel),
            reach[1] - reach[0],
            one,
            end,
        )

    def _prepare(self, case: Case, segmenter: Segmenter, plane: PlaneRef) -> None:
        volume, window = case.session.volume, case.session.window
        planes = planes_outward(plane, volume.shape[plane.axis])

        def parts(cancel: Cancel) -> Iterator[PlaneRef]:
            for one in planes:
                cancel.check()
                segmenter.prefetch(volume, [one], window, cancel)
                cancel.check()
                yield one

        self._begin(
            parts,
            len(planes),
            lambda _: self._tell(f"Preparing the planes of {case.source.name}"),
            lambda error: self._end(case, error, f"Planes of {case.source.name} are prepared"),
        )

    def _begin(
        self,
        parts: Callable[[Cancel], Iterator[Any]],
        n_parts: int,
        one: Callable[[Any], None],
        end: Callable[[Exception | None], None],
    ) -> None:
        self.walk.start(parts, n_parts, one, end)
        self._tell("Working plane by plane")

    def _tell(self, doing: str) -> None:
        done, total = self.walk.progress
        self._stage.say(f"{doing}: {done} of {total} planes. Cancel keeps what is done.")

    def _end(self, case: Case, error: Exception | None, sentence: str) -> None:
        if error is not None:
            self._stage.fail(error, case.source.name)
        elif self.walk.was_cancelled:
            done, total = self.walk.progress
            self._stage.say(f"Cancelled after {done} of {total} planes. {sentence}.")
        else:
            self._stage.say(f"{sentence}.")


def _found(count: int, name: str) -> str:
    """Say how many objects there are, and what to do with them."""
    if not count:
        return f"Nothing was found in {name}"
    objects = "1 object" if count == 1 else f"{count} objects"
    return f"{objects} found in {name}. Take as objects puts {'it' if count == 1 else 'them'} into the table"
