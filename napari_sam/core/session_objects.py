"""The steps of a session that are done to whole objects; each is one step to undo."""

from __future__ import annotations

from napari_sam.core.edits import Edit, EditGroup
from napari_sam.core.jobs import LatestOnly
from napari_sam.core.ledger import Ledger
from napari_sam.core.masks import BoxedMask
from napari_sam.core.object_operations import reshaped

__all__ = ["ObjectSteps"]


class ObjectSteps:
    """What `Session` does to whole objects."""

    _ledger: Ledger
    _generations: LatestOnly

    def reshape(
        self, object_id: int, mask: BoxedMask, cause: str = "reshape", *, overwrites: bool = False
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
            Take voxels from neighbours that are not locked, too.

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
        edit, after = reshaped(self._ledger.labels, self._ledger.state, object_id, mask, cause, overwrites)
        self._generations.new()
        return self._ledger.change(edit, after, EditGroup(cause))
