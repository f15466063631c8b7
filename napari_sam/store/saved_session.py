"""What a session folder holds, once read: labels, objects and history, and whose image they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.history import History
from napari_sam.core.objects import ObjectState, SessionState
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import StoreError
from napari_sam.store.fingerprint import fingerprint
from napari_sam.store.session_manifest import Manifest, ModelReference
from volumes import Volume

__all__ = ["SavedSession"]


@dataclass(frozen=True, eq=False)
class SavedSession:
    """What a session folder holds, up to the last line of its log.

    Attributes
    ----------
    manifest : Manifest
        What ``session.json`` says.
    labels : NDArray, shape (P, R, C)
        The label volume.
    state : SessionState
        The objects with their prompts, and the current one.
    history : History
        What can be undone and redone.
    actions : tuple of dict
        Every line of the log after the first.
    is_whole : bool
        Whether all of it follows from the log alone, so that the log can be gone on with.
    notes : tuple of str
        What was left out, one sentence each.
    """

    manifest: Manifest
    labels: NDArray[Any]
    state: SessionState
    history: History[SessionState]
    actions: tuple[dict[str, Any], ...]
    is_whole: bool
    notes: tuple[str, ...] = ()

    @property
    def volume_sha256(self) -> str:
        """`Volume.digest` of the image; empty where it was never computed."""
        return self.manifest.volume_sha256

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """The image's (P, R, C)."""
        return self.manifest.volume_shape

    @property
    def model(self) -> ModelReference | None:
        """The model in use."""
        return self.manifest.model

    @property
    def window(self) -> Window:
        """The intensity window."""
        return self.manifest.window

    @property
    def objects(self) -> Mapping[int, ObjectState]:
        """The objects with their prompts."""
        return self.state.objects

    def belongs_to(self, volume: Volume, sha256: str | None = None) -> bool:
        """Return whether this is a volume's session.

        Parameters
        ----------
        volume : Volume
            The image.
        sha256 : str, optional
            Its digest. None computes it, which reads the whole image; "" asks for the fingerprint alone.
        """
        known = self.manifest.fingerprint
        if known and known != fingerprint(volume):
            return False
        if self.volume_sha256 and (sha256 is None or sha256):
            return self.volume_sha256 == (sha256 or volume.digest())
        return bool(known)

    def resume(self, volume: Volume, window: Window | None = None, sha256: str | None = None) -> Session:
        """Go on with it: the same labels, objects, undo and redo. Logits of earlier answers are not kept.

        `window` is that of the session when None; `sha256` as in `belongs_to`.

        Raises
        ------
        StoreError
            Another image.
        """
        if not self.belongs_to(volume, sha256):
            raise StoreError(
                f"the session is of another image (sha256 {self.volume_sha256[:12]}…); open the one it was "
                "made on"
            )
        return Session.resumed(volume, self.labels, self.state, self.history, window or self.window)
