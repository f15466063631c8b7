"""The model in use: chosen by name, loaded away from the window's thread when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_sam.core.segmenter import Segmenter
from napari_sam.plugin._jobs import Background, Job

__all__ = ["Load", "ModelSlot"]

Load = Callable[[str, Path | None], Segmenter]


class ModelSlot:
    """One model at a time.

    Parameters
    ----------
    background : Background
        Runs the loading.
    load : callable
        (name, weights file or None) to `Segmenter`; called on another thread.
    on_ready : callable
        Called when the chosen model is loaded.
    on_error : callable
        Called with the error where it cannot be loaded.
    """

    def __init__(
        self,
        background: Background,
        load: Load,
        on_ready: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._background = background
        self._load = load
        self._on_ready = on_ready
        self._on_error = on_error
        self._chosen: tuple[str, Path | None] = ("default", None)
        self.segmenter: Segmenter | None = None
        self.is_loading = False
        self.has_failed = False

    @property
    def note(self) -> str:
        """Where the model stands, in a few words."""
        if self.is_loading:
            return "loading…"
        if self.has_failed:
            return "could not be loaded"
        if self.segmenter is None:
            return "loads at the first prompt"
        device = getattr(self.segmenter, "device", None)
        return "ready" if device is None else f"ready on {str(device).upper()}"

    def choose(self, name: str, weights: Path | None = None) -> None:
        """Use another model; it is loaded by `ensure`."""
        self._chosen, self.segmenter = (name, weights), None
        self.is_loading = self.has_failed = False

    def ensure(self) -> None:
        """Load the chosen model unless it is loaded or being loaded."""
        if self.segmenter is not None or self.is_loading:
            return
        chosen = self._chosen
        self.is_loading, self.has_failed = True, False

        def loaded(segmenter: Segmenter) -> None:
            if chosen == self._chosen:
                self.segmenter, self.is_loading = segmenter, False
                self._on_ready()

        def failed(error: Exception) -> None:
            if chosen == self._chosen:
                self.is_loading, self.has_failed = False, True
                self._on_error(error)

        self._background.submit(Job("load", lambda _: [self._load(*chosen)], loaded, on_error=failed))
