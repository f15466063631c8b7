"""The steps of a session that are done to whole objects; each is one step to undo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.classes import ObjectClass, checked_colour
from napari_sam.core.edits import Action, Edit
from napari_sam.core.jobs import LatestOnly
from napari_sam.core.labels import fit_labels
from napari_sam.core.ledger import Ledger
from napari_sam.core.masks import BoxedMask
from napari_sam.core.object_operations import (
    object_split,
    objects_deleted,
    objects_merged,
    objects_renumbered,
    reshaped,
)
from napari_sam.core.objects import ObjectState
from volumes import Segment

__all__ = ["ObjectSteps"]


class ObjectSteps:
    """What `Session` does to whole objects."""

    _ledger: Ledger
    _generations: LatestOnly

    def reshape(
        self,
        object_id: int,
        mask: BoxedMask,
        cause: str = "reshape",
        *,
        overwrites: bool = False,
        values: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Give an object other voxels in a box, in three dimensions: what a clean-up does.

        Inside `mask.box` the object has the mask's voxels afterwards, outside it is as before; a box that
        holds its `extent` replaces all of it. Neighbours keep their voxels. The anchors that change stay
        anchors; their logits are dropped, as no model gave what they hold now.

        Parameters
        ----------
        object_id : int
            The object; there must be one.
        mask : BoxedMask
            What it has in the box. The box need not be tight, and the mask may be empty.
        cause : str
            What was done, for people: ``"fill holes"``.
        overwrites : bool
            Take voxels from neighbours that are not locked, too, but for their accepted planes.
        values : mapping of str to JSON values, optional
            How it was done, for the session's log: ``{"at_most_mm3": 5}``. Nothing that names a person.

        Returns
        -------
        Edit
            Over the mask's box.

        Raises
        ------
        InvalidPrompt
            No such object, or a locked one.
        InvalidEdit
            A box that is not inside the volume.
        """
        edit, after = reshaped(self._ledger.labels, self._ledger.state, object_id, mask, overwrites)
        told = {"object_id": object_id, "overwrites": overwrites, "how": dict(values or {})}
        self._generations.new()
        return self._ledger.change(edit, after, Action("reshape", told, cause=cause))

    def adopt(
        self,
        labels: NDArray[Any],
        names: Mapping[int, str] | Mapping[int, Segment] | None = None,
        *,
        found_across: int | None = None,
    ) -> dict[int, int]:
        """Take in the objects of other labels, such as an older file's: one step.

        They get voxels that no object has, under their id or the next free one. Of a `Segment`, colour, codes
        and what drew it are kept beside the name.

        Parameters
        ----------
        labels : NDArray of integers, shape (P, R, C)
            0 for background; only read.
        names : mapping of int to str or Segment, optional
            What is known of the values.
        found_across : int, optional
            None locks the objects. An axis says that a model found them now, plane by plane across it: they
            stay open. One in a single plane has its anchor there, the planes of others are noted as
            propagated.

        Returns
        -------
        dict of int to int
            The object's id for each value that found a place.

        Raises InvalidEdit as `Session`, InvalidPrompt for ids that are too large.
        """
        known = {
            value: said if isinstance(said, Segment) else Segment(value, said)
            for value, said in (names or {}).items()
            if value
        }
        fitted = fit_labels(labels, self._ledger.labels.shape)
        told = {} if found_across is None else {"found_across": found_across}
        return self._ledger.adopt(fitted, known, Action("adopt", told), found_across)

    def accept(self, object_id: int | None = None) -> None:
        """Lock an object (the current one when None); the next prompt without an id starts a new one."""
        state = self._ledger.state
        one = state.get(state.current_id if object_id is None else object_id)
        after = state.with_object(replace(one, locked=True))
        self._generations.new()
        self._ledger.note(replace(after, current_id=after.free_id), Action("accept", {"object_id": one.id}))

    def lock(self, object_id: int, locked: bool = True) -> None:
        """Lock or unlock an object; nothing but undo changes a locked object's voxels."""
        self._generations.new()
        self._describe("lock" if locked else "unlock", object_id, locked=locked)

    def rename(self, object_id: int, name: str) -> None:
        """Give an object a name for people."""
        self._describe("rename", object_id, name=name)

    def set_class(self, object_id: int, object_class: ObjectClass | None) -> None:
        """Say what kind of thing an object is; None takes it back. Files get its codes and its colour."""
        self._describe("set class", object_id, object_class=object_class)

    def set_colour(self, object_id: int, colour: tuple[int, int, int] | None) -> None:
        """Give an object a colour (red, green, blue), 0 to 255; None is that of its class or its number.

        Raises InvalidClass for something else.
        """
        self._describe("set colour", object_id, colour=checked_colour(colour, f"object {object_id}"))

    def delete(self, *object_ids: int) -> tuple[Edit, ...]:
        """Take objects away, with their voxels and prompts; returns an edit for each.

        Raises InvalidPrompt for none, for one that is not there, or is locked.
        """
        fills, after = objects_deleted(self._ledger.labels, self._ledger.state, object_ids)
        self._generations.new()
        return self._ledger.fill(fills, after, Action("delete", {"object_ids": list(object_ids)}))

    def merge(self, object_ids: Collection[int], into: int) -> tuple[Edit, ...]:
        """Give all voxels of objects to another one, which keeps its name, class and prompts.

        Planes that were an anchor of any of them are one of the whole, without a model's word where it grew.

        Parameters
        ----------
        object_ids : collection of int
            The objects; `into` may be among them.
        into : int
            The object that gets the voxels, and becomes the current one.

        Returns
        -------
        tuple of Edit
            One for each object that is gone.

        Raises
        ------
        InvalidPrompt
            Fewer than two objects, one that is not there, or a locked one.
        """
        fills, after = objects_merged(self._ledger.labels, self._ledger.state, object_ids, into)
        self._generations.new()
        told = {"object_ids": list(object_ids), "into": into}
        return self._ledger.fill(fills, after, Action("merge", told))

    def split(self, object_id: int) -> tuple[int, ...]:
        """Make an object of each piece that is not connected with the others, corners included.

        The largest piece keeps the id, the prompts in planes that it has to itself, and the current place;
        the others get the next free ids, in the order of their size, and what describes the object.

        Returns
        -------
        tuple of int
            The ids, the largest piece first; only the object's own, without a step, where it is in one piece.

        Raises
        ------
        InvalidPrompt
            No such object, a locked one, or more pieces than there are ids left.
        """
        state = self._ledger.state
        fills, after = object_split(self._ledger.labels, state, object_id, self._ledger.highest_id)
        if fills:
            self._generations.new()
            self._ledger.fill(fills, after, Action("split", {"object_id": object_id}))
        return (object_id, *(number for _, number in fills))

    def renumber(self, mapping: Mapping[int, int] | None = None) -> dict[int, int]:
        """Give objects other ids, locked ones too: each keeps its voxels.

        Parameters
        ----------
        mapping : mapping of int to int, optional
            The new id of each object that gets one; two may change places. None closes all gaps: 1, 2, 3 …

        Returns
        -------
        dict of int to int
            The new id of each that got one; empty, without a step, where nothing changes.

        Raises
        ------
        InvalidPrompt
            An object that is not there, an id that two would have, or one that the labels cannot hold.
        """
        state = self._ledger.state
        if mapping is None:
            mapping = {old: new for new, old in enumerate(sorted(state.objects), start=1)}
        changed = {old: self._ledger.check_id(new) for old, new in mapping.items() if old != new}
        fills, after = objects_renumbered(self._ledger.labels, state, changed)
        if changed:
            self._generations.new()
            pairs = [[old, new] for old, new in changed.items()]
            self._ledger.fill(fills, after, Action("renumber", {"mapping": pairs}))
        return changed

    def _describe(self, name: str, object_id: int, /, **fields: Any) -> None:
        """Enter what is said of an object; nothing where it was said before."""
        one: ObjectState = self._ledger.state.get(object_id)
        after = self._ledger.state.with_object(replace(one, **fields))
        self._ledger.note(after, Action(name, {"object_id": object_id, **fields}))
