"""The images under work: reading them and settling their window away from the window's thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from napari_sam.core.jobs import Cancel
from napari_sam.core.session import Session
from napari_sam.core.window import Window, resolve_window
from napari_sam.plugin._jobs import Background, Job
from volumes import Volume

__all__ = ["Case", "Cases", "ImageSource"]


@dataclass(frozen=True)
class ImageSource:
    """An image that can be segmented.

    Parameters
    ----------
    key : hashable
        Tells images apart.
    name : str
        As the person knows it.
    read : callable
        Gives the volume; called on another thread, so it may take its time.
    window : Window, optional
        The volume's window where it is known already.
    """

    key: Hashable
    name: str
    read: Callable[[], Volume]
    window: Window | None = None


@dataclass
class Case:
    """An image under work.

    Parameters
    ----------
    source : ImageSource
        Where the image comes from.
    session : Session
        Its labels, prompts and history.
    current_id : int
        The object that prompts go to.
    is_shown : bool
        Whether the labels have a layer.
    """

    source: ImageSource
    session: Session
    current_id: int = 1
    is_shown: bool = False


class Cases:
    """The chosen image and the ones worked on before; each keeps its session until the image goes.

    Parameters
    ----------
    background : Background
        Runs the reading.
    on_open : callable
        Called when the chosen image is ready, or its window has changed.
    on_error : callable
        Called with the error where it could not be read.
    """

    def __init__(
        self, background: Background, on_open: Callable[[], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._background = background
        self._on_open = on_open
        self._on_error = on_error
        self._all: dict[Hashable, Case] = {}
        self._requests: dict[Hashable, Window | str | None] = {}
        self.source: ImageSource | None = None
        self.opening = False

    @property
    def current(self) -> Case | None:
        """The chosen image's work; None before it is read."""
        return self._all.get(self.source.key) if self.source is not None else None

    @property
    def window_request(self) -> Window | str | None:
        """What was asked of the chosen image's window."""
        return self._requests.get(self.source.key) if self.source is not None else None

    def is_chosen(self, source: ImageSource | None) -> bool:
        """Return whether this is the chosen image (or none is, for None)."""
        if source is None or self.source is None:
            return source is self.source
        return source.key == self.source.key

    def choose(self, source: ImageSource | None) -> None:
        """Turn to an image, or to none."""
        self.source, self.opening = source, False
        if source is not None and self.current is None:
            self._open(source)

    def drop(self, key: Hashable) -> None:
        """Forget an image."""
        self._all.pop(key, None)
        self._requests.pop(key, None)

    def set_window(self, request: Window | str | None) -> None:
        """Ask for a window of the chosen image; None is the volume's own."""
        if self.source is not None:
            self._requests[self.source.key] = request
            self._open(self.source)

    def _open(self, source: ImageSource) -> None:
        request, case = self._requests.get(source.key), self._all.get(source.key)
        known = source.window if request is None else None

        def work(_: Cancel) -> Iterable[tuple[Volume, Window]]:
            volume = case.session.volume if case is not None else source.read()
            yield volume, known if known is not None else resolve_window(volume, request)

        def failed(error: Exception) -> None:
            self.opening = False
            self._on_error(error)

        self.opening = True
        self._background.submit(Job("open", work, lambda part: self._opened(source, *part), on_error=failed))

    def _opened(self, source: ImageSource, volume: Volume, window: Window) -> None:
        if not self.is_chosen(source):
            return
        case = self.current
        if case is None:
            self._all[source.key] = Case(source, Session(volume, window=window))
        else:
            case.session.window = window
        self.opening = False
        self._on_open()
