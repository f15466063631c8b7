"""Anchors of other axes: what a person showed there stays, when planes that cross them are written."""

from __future__ import annotations

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session

__all__ = ["with_anchors_across"]


def with_anchors_across(session: Session, plane: PlaneRef, mask: BoxedMask, object_id: int) -> BoxedMask:
    """Return a mask that agrees with the object's settled anchors of other axes, where they cross its plane.

    Parameters
    ----------
    session : Session
        Whose labels hold the anchors.
    plane, mask : PlaneRef, BoxedMask
        What is about to be written, and where.
    object_id : int
        The object.
    """
    state = session.objects.get(object_id)
    across = [] if state is None else [a.plane for a in state.anchors if a.is_settled]
    across = [anchor for anchor in across if anchor.axis != plane.axis]
    if not across:
        return mask
    shape = session.volume.shape
    whole = mask.to_plane(plane, shape)
    there = plane.take(session.labels) == object_id
    inside = [axis for axis in (0, 1, 2) if axis != plane.axis]
    for anchor in across:
        line = (slice(None),) * inside.index(anchor.axis) + (anchor.index,)
        whole[line] = there[line]
    return BoxedMask.of_plane(whole, plane, shape)
