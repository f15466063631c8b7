"""The models by name. A name is registered once; a second registration is an error, never an overwrite."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable

from napari_sam.errors import SettingsError, UnknownModel
from napari_sam.zoo.entry_points import register_third_parties
from napari_sam.zoo.spec import ModelSpec

DEFAULT_MODEL = "tiny_sam.v6"
"""What ``default`` stands for."""

_ALIAS = "default"


class Registry:
    """Models by name: those that were registered, and those of other packages.

    Other packages are asked once, the first time that all names are wanted or a name is unknown: whoever uses
    a model of ours never waits for a package of others, and none of them can take the place of one of ours.

    Parameters
    ----------
    ask_third_parties : callable
        Called with `register`.
    """

    def __init__(self, ask_third_parties: Callable[[Callable[[ModelSpec], object]], None]) -> None:
        self._ask_third_parties = ask_third_parties
        self._specs: dict[str, ModelSpec] = {}
        self._is_complete = False
        self._lock = threading.RLock()

    def register(self, spec: ModelSpec) -> ModelSpec:
        """Make a model known by its name, and return it; raises SettingsError where the name is taken."""
        with self._lock:
            if spec.name == _ALIAS or spec.name in self._specs:
                raise SettingsError(f"a model named {spec.name!r} is registered already; choose another tag")
            self._specs[spec.name] = spec
        return spec

    def get(self, name: str) -> ModelSpec:
        """Return the model of that name; raises UnknownModel where there is none."""
        wanted = DEFAULT_MODEL if name == _ALIAS else name
        with self._lock:
            if wanted not in self._specs:
                self._complete()
            spec = self._specs.get(wanted)
        if spec is None:
            known = self.names()
            close = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {close[0]!r}? " if close else ""
            raise UnknownModel(
                f"no model is named {name!r}; {guess}choose one of: {', '.join((_ALIAS, *known))}"
            )
        return spec

    def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        with self._lock:
            self._complete()
            return tuple(sorted(self._specs))

    def _complete(self) -> None:
        if not self._is_complete:
            self._is_complete = True  # first, for a third party may ask for names itself
            self._ask_third_parties(self.register)


_registry = Registry(register_third_parties)


def register(spec: ModelSpec) -> ModelSpec:
    """Make a model known by its name, and return it.

    Raises
    ------
    SettingsError
        The name is taken.
    """
    return _registry.register(spec)


def get(name: str) -> ModelSpec:
    """Return the model of that name; ``default`` is the one that ships with the package.

    Raises
    ------
    UnknownModel
        No such model; the message lists those there are.
    """
    return _registry.get(name)


def names() -> tuple[str, ...]:
    """Return the names of all models, sorted; the alias ``default`` is not among them."""
    return _registry.names()
