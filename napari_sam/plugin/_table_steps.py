"""What a person does with the table of objects: describe, lock, show, merge, split, delete, go to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from napari_sam.core.classes import ObjectClass, class_named
from napari_sam.core.edits import Edit
from napari_sam.core.naming import colour_of
from napari_sam.core.object_counts import ObjectCounts
from napari_sam.core.objects import ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.nodes.amounts import size_of
from napari_sam.plugin._giving_way import GivingWay, held_by
from napari_sam.plugin._stage import Stage
from napari_sam.plugin.view import ObjectRow

__all__ = ["TableSteps"]

Files = tuple[Callable[[Path], tuple[ObjectClass, ...]], Callable[[Path, Sequence[ObjectClass]], None]]


class TableSteps:
    """The table of objects of the chosen image.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    files : tuple of two callables
        Read classes from a file, and write them to one.
    giving_way : GivingWay
        Knows why an object has no voxel.
    """

    def __init__(self, stage: Stage, files: Files, giving_way: GivingWay) -> None:
        self._stage, self._giving_way = stage, giving_way
        self._read, self._write = files
        self._counts: WeakKeyDictionary[Session, ObjectCounts] = WeakKeyDictionary()
        self._hidden: WeakKeyDictionary[Session, set[int]] = WeakKeyDictionary()
        self.classes: tuple[ObjectClass, ...] = ()

    # What is shown

    @property
    def rows(self) -> tuple[ObjectRow, ...]:
        """The objects, and the one that the next prompt starts."""
        session, current_id = self._stage.session, self._stage.current_id
        objects = session.objects if session is not None else {}
        rows = [self._row(session, one) for one in objects.values() if session is not None]
        if current_id not in objects:
            rows.append(ObjectRow(current_id, "", False, colour=colour_of(ObjectState(current_id, ""))))
        return tuple(sorted(rows, key=lambda row: row.id))

    def _row(self, session: Session, one: ObjectState) -> ObjectRow:
        counts = self._counts_of(session)
        n_voxels = counts.voxels(one.id)
        return ObjectRow(
            one.id,
            one.name,
            one.locked,
            class_name="" if one.object_class is None else one.object_class.name,
            colour=colour_of(one),
            is_visible=one.id not in self._hidden.get(session, ()),
            size=size_of(session.volume, n_voxels),
            n_planes=counts.planes(one.id),
            note="" if n_voxels else self._why_none(session, one),
        )

    def _counts_of(self, session: Session) -> ObjectCounts:
        counts = self._counts.get(session)
        if counts is None:
            boxes = [one.extent for one in session.objects.values() if one.extent is not None]
            counts = self._counts[session] = ObjectCounts(session.labels, boxes)
            session.on_edit.append(counts.update)
        return counts

    def _why_none(self, session: Session, one: ObjectState) -> str:
        """Say that an object which was prompted or drawn has no voxel, and why if that is known; else ""."""
        found = next(iter(self._giving_way.left_out(session, one).values()), None)
        if found is None:
            return f"{one.name} has no voxel" if any(anchor.is_settled for anchor in one.anchors) else ""
        return f"{one.name} has no voxel: those of plane {found.plane.index} belong to {held_by(found)}"

    # What is done

    def choose(self, object_ids: Collection[int]) -> None:
        """Note which objects are chosen: they are propagated together."""
        self._stage.chosen_ids = tuple(object_ids)
        self._stage.show()

    def rename(self, object_id: int, name: str) -> None:
        """Call an object something else."""
        name = name.strip()
        session = self._stage.session
        if session is not None and object_id in session.objects and name:
            if name != session.objects[object_id].name:
                self._do(lambda session: session.rename(object_id, name))
            else:
                self._stage.show()

    def lock(self, object_id: int, locked: bool) -> None:
        """Lock or unlock an object."""
        self._do(lambda session: session.lock(object_id, locked))

    def show(self, object_id: int, visible: bool) -> None:
        """Show or hide an object; nothing of it changes."""
        session = self._stage.session
        if session is None:
            return
        hidden = self._hidden.setdefault(session, set())
        (hidden.discard if visible else hidden.add)(object_id)
        self._stage.looked()

    def show_only(self, object_ids: Collection[int]) -> None:
        """Show these objects and hide all others; show all again where that is so already."""
        session = self._stage.session
        if session is None:
            return
        others = set(session.objects) - set(object_ids)
        self._hidden[session] = set() if self._hidden.get(session) == others else others
        self._stage.looked()

    def set_class(self, object_ids: Collection[int], name: str) -> None:
        """Say what kind of thing objects are, by the name of a class; "" takes it back."""
        try:
            chosen = class_named(self.classes, name) if name else None
        except SamError as error:
            self._stage.fail(error)
            return
        self._do_each(object_ids, lambda session, one: session.set_class(one, chosen))

    def add_class(self, name: str, colour: tuple[int, int, int] | None = None) -> None:
        """Add a class to those that can be chosen."""
        try:
            added = ObjectClass(name.strip(), colour)
        except SamError as error:
            self._stage.fail(error)
            return
        self.classes = (*(one for one in self.classes if one.name != added.name), added)
        self._stage.show()

    def load_classes(self, path: Path) -> None:
        """Take the classes of a file."""
        try:
            self.classes = self._read(path)
        except (SamError, OSError) as error:
            self._stage.fail(error)
            return
        self._stage.say(f"{len(self.classes)} classes from {path.name}.")

    def save_classes(self, path: Path) -> None:
        """Write the classes to a file."""
        try:
            self._write(path, self.classes)
        except (SamError, OSError) as error:
            self._stage.fail(error)
            return
        self._stage.say(f"Saved {path.name}.")

    def set_colour(self, object_ids: Collection[int], colour: tuple[int, int, int]) -> None:
        """Give objects a colour."""
        self._do_each(object_ids, lambda session, one: session.set_colour(one, colour))

    def delete(self, object_ids: Collection[int]) -> None:
        """Take objects away, with their voxels and prompts."""
        ids = self._known(object_ids)
        if ids:
            back = f"Undo brings {'it' if len(ids) == 1 else 'them'} back."
            self._do(lambda session: session.delete(*ids), f"{_objects(ids)} deleted. {back}")

    def merge(self, object_ids: Collection[int]) -> None:
        """Make one object of several: the current one if it is among them, else the first."""
        ids = self._known(object_ids)
        if len(ids) < 2:
            self._stage.say("Choose two objects or more in the table (Ctrl+click) to merge them.")
            return
        into = self._stage.current_id if self._stage.current_id in ids else ids[0]
        self._do(lambda session: session.merge(ids, into), f"{_objects(ids)} are object {into} now.")

    def split(self, object_id: int) -> None:
        """Make an object of each piece that is not connected with the others."""
        made: list[int] = []
        if self._do(lambda session: made.extend(session.split(object_id))):
            n = len(made)
            self._stage.say(f"{n} objects now." if n > 1 else f"Object {object_id} is in one piece.")

    def renumber(self) -> None:
        """Count the objects 1, 2, 3 … without gaps."""
        self._do(lambda session: session.renumber(), "The objects are counted without gaps now.")

    def go_to(self, object_id: int) -> None:
        """Show the plane in which an object is largest."""
        session, plane = self._stage.session, self._stage.plane
        state = None if session is None else session.objects.get(object_id)
        if session is None or plane is None or state is None or state.extent is None:
            return
        inside = session.labels[state.extent.slices()] == object_id
        areas = inside.sum(axis=tuple(axis for axis in range(3) if axis != plane.axis))
        if areas.any():
            index = state.extent.start[plane.axis] + int(np.argmax(areas))
            self._stage.view.go_to_plane(PlaneRef(plane.axis, index))

    def _known(self, object_ids: Collection[int]) -> list[int]:
        session = self._stage.session
        return [] if session is None else [one for one in object_ids if one in session.objects]

    def _do_each(self, object_ids: Collection[int], step: Callable[[Session, int], object]) -> None:
        """Take a step for each object that is there."""
        for one in self._known(object_ids):

            def this(session: Session, one: int = one) -> object:
                return step(session, one)

            self._do(this)

    def _do(self, step: Callable[[Session], object], news: str = "") -> bool:
        """Take a step on the session, show what it did, and say whether it could be taken."""
        case = self._stage.free_case
        if case is None:
            return False
        edits: list[Edit] = []
        case.session.on_edit.append(edits.append)
        try:
            step(case.session)
        except SamError as error:
            self._stage.fail(error)
            return False
        finally:
            case.session.on_edit.remove(edits.append)
        if case.current_id not in case.session.objects:
            self._stage.turn_to(case.session.current_id)
        self._stage.changed(edits, news)
        return True


def _objects(ids: Collection[int]) -> str:
    if len(ids) == 1:
        return f"Object {next(iter(ids))}"
    *first, last = sorted(ids)
    return f"Objects {', '.join(map(str, first))} and {last}"
