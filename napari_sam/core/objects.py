"""What a session knows of each object beside its voxels: prompts by plane, name, lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.classes import ObjectClass
from napari_sam.core.kept_answers import KeptAnswer, PackedArray
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt
from volumes import Box

__all__ = ["Anchor", "ObjectState", "SessionSnapshot", "SessionState", "merge_prompts", "says_where"]


@dataclass(frozen=True)
class Anchor:
    """A plane in which a person said what the object is; propagation starts from it and never changes it.

    Parameters
    ----------
    plane : PlaneRef
        The plane.
    prompts : tuple[Prompt, ...]
        The object's prompts in it; none where it was painted by hand.
    logits : PackedArray or None
        Low-resolution logits of the chosen candidate, as in `MaskPrediction.hints`; `hint` unpacks them.
    score : float or None
        The chosen candidate's predicted IoU.
    is_settled : bool
        Whether the plane's mask is there: a prompt's answer was applied, or it was painted.
    candidate : int or None
        The candidate that a person chose; None where the model's own choice stands.
    kept : KeptAnswer or None
        The answer to these prompts, with all its candidates; None once anything else changed the mask.
    is_accepted : bool
        A person said yes to what propagation had found; other objects take no voxels of this plane.
    mends : bool
        Its points mend a mask that was there before them: propagated, painted, or read from a file.
    """

    plane: PlaneRef
    prompts: tuple[Prompt, ...] = ()
    logits: PackedArray | None = field(default=None, compare=False)
    score: float | None = None
    is_settled: bool = False
    candidate: int | None = None
    kept: KeptAnswer | None = field(default=None, compare=False)
    is_accepted: bool = False
    mends: bool = False

    @property
    def hint(self) -> NDArray[np.floating] | None:
        """Low-resolution logits (h, w) of the chosen candidate; None where no model gave the mask."""
        return None if self.logits is None else self.logits.to_array()

    @property
    def answer(self) -> MaskPrediction | None:
        """The answer to these prompts, unpacked; None after a restart, and once the mask was changed."""
        return None if self.kept is None or not self.kept.hints else self.kept.to_prediction()

    @property
    def taken(self) -> int | None:
        """Which candidate of the answer the mask is; None where there is no answer."""
        if self.kept is None:
            return None
        return self.kept.best if self.candidate is None else self.candidate

    @property
    def mask(self) -> BoxedMask | None:
        """The mask that the answer gave; None where there is no answer."""
        return None if self.kept is None or self.taken is None else self.kept.mask(self.taken)

    @property
    def next_candidate(self) -> int | None:
        """The candidate to show after the one taken, as `KeptAnswer.next_after`; None where there is none."""
        return None if self.kept is None or self.taken is None else self.kept.next_after(self.taken)

    def settled_by_hand(self) -> Anchor:
        """Return this anchor with a mask that no model gave: no logits and no score belong to it."""
        return Anchor(self.plane, self.prompts, is_settled=True, is_accepted=self.is_accepted)

    def answered(self, answer: MaskPrediction | KeptAnswer, candidate: int | None) -> Anchor:
        """Return this anchor with an answer to its prompts, of which a candidate (or the best) is taken."""
        taken = answer.best if candidate is None else candidate
        if answer.plane != self.plane or not 0 <= taken < len(answer.masks):
            raise InvalidPrompt(
                f"candidate {taken} of {len(answer.masks)} for {answer.plane} does not answer the request "
                f"for {self.plane}; pass the prediction made from it, candidates count from 0"
            )
        kept = answer if isinstance(answer, KeptAnswer) else KeptAnswer.of(answer)
        logits = kept.hints[taken] if kept.hints else self.logits
        return Anchor(
            self.plane, self.prompts, logits, float(kept.scores[taken]), True, candidate, kept,
            mends=self.mends,
        )  # fmt: skip

    def prompted(self, prompts: tuple[Prompt, ...]) -> Anchor:
        """Return this anchor with other prompts, which no answer belongs to yet."""
        return replace(self, prompts=prompts, candidate=None, kept=None)


@dataclass(frozen=True)
class ObjectState:
    """One object of a session.

    Parameters
    ----------
    id : int
        Its label value.
    name : str
        For people.
    locked : bool
        A locked object keeps its voxels and gets no new ones.
    anchors : tuple[Anchor, ...]
        Its prompted and painted planes, the one touched last at the end.
    propagated : frozenset[PlaneRef]
        The planes that propagation filled.
    extent : Box or None
        A box that holds all its voxels, not always tight; None while it has none.
    object_class : ObjectClass or None
        What kind of thing it is.
    colour : tuple of int or None
        (red, green, blue), 0 to 255, where it is not the class's or that of its number.
    drawn_by : str
        What drew it before this session, as `volumes.Segment.algorithm`.
    """

    id: int
    name: str
    locked: bool = False
    anchors: tuple[Anchor, ...] = ()
    propagated: frozenset[PlaneRef] = frozenset()
    extent: Box | None = None
    object_class: ObjectClass | None = None
    colour: tuple[int, int, int] | None = None
    drawn_by: str = ""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All its prompts, over all planes."""
        return tuple(prompt for anchor in self.anchors for prompt in anchor.prompts)

    @property
    def hint(self) -> NDArray[np.floating] | None:
        """Low-resolution logits of the anchor touched last."""
        return self.anchors[-1].hint if self.anchors else None

    def anchor_on(self, plane: PlaneRef) -> Anchor | None:
        """Return the anchor in a plane, None where there is none."""
        return next((anchor for anchor in self.anchors if anchor.plane == plane), None)

    def open_choice_on(self, plane: PlaneRef) -> Anchor | None:
        """Return the anchor in a plane where another of its candidates can be taken, else None."""
        anchor = None if self.locked else self.anchor_on(plane)
        return anchor if anchor is not None and anchor.next_candidate is not None else None

    def chosen_on(self, plane: PlaneRef, candidate: int) -> Anchor:
        """Return the anchor in a plane with another candidate taken; raises InvalidPrompt where none is."""
        anchor = self.anchor_on(plane)
        if anchor is None or anchor.kept is None:
            raise InvalidPrompt(
                f"object {self.id} has no candidates in plane {plane.index} of axis {plane.axis}; prompt it "
                "there first"
            )
        return anchor.answered(anchor.kept, candidate)

    def with_anchor(self, anchor: Anchor) -> ObjectState:
        """Return this object with an anchor added or replaced; it becomes the one touched last."""
        others = tuple(other for other in self.anchors if other.plane != anchor.plane)
        return replace(self, anchors=(*others, anchor), propagated=self.propagated - {anchor.plane})

    def without_plane(self, plane: PlaneRef) -> ObjectState:
        """Return this object without an anchor in a plane, and without propagation's mark on it."""
        others = tuple(other for other in self.anchors if other.plane != plane)
        return replace(self, anchors=others, propagated=self.propagated - {plane})

    def with_propagated(self, plane: PlaneRef, is_filled: bool) -> ObjectState:
        """Return this object with a plane noted as filled by propagation, or as no longer filled."""
        return replace(self, propagated=self.propagated | {plane} if is_filled else self.propagated - {plane})

    def painted(self, box: Box) -> ObjectState:
        """Return this object after a brush stroke in a box.

        A stroke in one plane makes that plane an anchor; where it is thin along two axes, the axis used last
        counts. A stroke through several planes settles the anchors that it meets.
        """
        thin = [axis for axis in (0, 1, 2) if box.shape[axis] == 1]
        if not thin:
            return self.unanswered(box)
        used = self.anchors[-1].plane.axis if self.anchors else thin[0]
        axis = used if used in thin else thin[0]
        plane = PlaneRef(axis, box.start[axis])
        return self.with_anchor((self.anchor_on(plane) or Anchor(plane)).settled_by_hand())

    def unanswered(self, box: Box) -> ObjectState:
        """Return this object with its anchors in a box settled: no model gave what they hold now."""
        anchors = (anchor.settled_by_hand() if anchor.plane.meets(box) else anchor for anchor in self.anchors)
        return replace(self, anchors=tuple(anchors))

    def grown(self, box: Box | None) -> ObjectState:
        """Return this object with an extent that holds a box too."""
        if box is None or box.is_empty:
            return self
        return replace(self, extent=box if self.extent is None else self.extent.union(box))


@dataclass(frozen=True)
class SessionState:
    """Everything of a session that undo restores, beside the voxels."""

    objects: Mapping[int, ObjectState]
    current_id: int = 1

    @property
    def free_id(self) -> int:
        """The id above all that are taken."""
        return max(self.objects, default=0) + 1

    def with_object(self, state: ObjectState) -> SessionState:
        """Return this state with an object added or replaced."""
        return replace(self, objects={**self.objects, state.id: state})

    def without(self, *object_ids: int) -> SessionState:
        """Return this state without some objects; a new one is current where the current one is gone."""
        kept = {number: one for number, one in self.objects.items() if number not in object_ids}
        after = replace(self, objects=kept)
        return replace(after, current_id=after.free_id) if self.current_id in object_ids else after

    def object_or_new(self, object_id: int) -> ObjectState:
        """Return an object, fresh where there is none of that id."""
        return self.objects.get(object_id) or ObjectState(object_id, f"object {object_id}")

    def unlocked(self, object_id: int) -> ObjectState:
        """Return an object, fresh where there is none of that id; raises InvalidPrompt for a locked one."""
        state = self.object_or_new(object_id)
        if state.locked:
            raise InvalidPrompt(
                f"object {object_id} is locked; unlock it or prompt a new one, {self.free_id}"
            )
        return state

    def get(self, object_id: int) -> ObjectState:
        """Return an object that must exist.

        Raises
        ------
        InvalidPrompt
            There is none of that id.
        """
        if object_id not in self.objects:
            known = ", ".join(str(known_id) for known_id in sorted(self.objects)) or "none yet"
            raise InvalidPrompt(f"there is no object {object_id}; prompt it first (objects: {known})")
        return self.objects[object_id]


@dataclass(frozen=True, eq=False)
class SessionSnapshot:
    """A session at one moment: a copy of the labels (P, R, C), the objects, the current id, the window."""

    labels: NDArray[Any]
    objects: Mapping[int, ObjectState]
    current_id: int
    window: Window


def merge_prompts(kept: tuple[Prompt, ...], new: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Add prompts to a plane's; a new box replaces the old box, a new mask the old mask.

    Raises
    ------
    InvalidPrompt
        No prompt at all; two boxes or two masks at once.
    """
    for kind, name in ((BoxPrompt, "boxes"), (MaskPrompt, "masks")):
        n_new = sum(isinstance(prompt, kind) for prompt in new)
        if n_new > 1:
            raise InvalidPrompt(
                f"{n_new} {name} for one object in one plane; give one, the others to objects of their own"
            )
        if n_new:
            kept = tuple(prompt for prompt in kept if not isinstance(prompt, kind))
    merged = (*kept, *new)
    if not merged:
        raise InvalidPrompt("no prompt; give a point in the object or a box around it")
    return merged


def says_where(prompts: tuple[Prompt, ...]) -> bool:
    """Return whether prompts say where the object is, not only where it is not."""
    return any(not isinstance(prompt, PointPrompt) or prompt.positive for prompt in prompts)
