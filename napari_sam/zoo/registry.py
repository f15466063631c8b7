"""The models by name. A name is registered once; a second registration is an error, never an overwrite."""

from __future__ import annotations

import difflib

from napari_sam.errors import SettingsError, UnknownModel
from napari_sam.zoo.spec import ModelSpec

DEFAULT_MODEL = "tiny_sam.v2"
"""What ``default`` stands for."""

_ALIAS = "default"
_specs: dict[str, ModelSpec] = {}


def register(spec: ModelSpec) -> ModelSpec:
    """Make a model known by its name, and return it.

    Raises
    ------
    SettingsError
        The name is taken.
    """
    if spec.name == _ALIAS or spec.name in _specs:
        raise SettingsError(f"a model named {spec.name!r} is registered already; choose another tag")
    _specs[spec.name] = spec
    return spec


def get(name: str) -> ModelSpec:
    """Return the model of that name; ``default`` is the one that ships with the package.

    Raises
    ------
    UnknownModel
        No such model; the message lists those there are.
    """
    spec = _specs.get(DEFAULT_MODEL if name == _ALIAS else name)
    if spec is None:
        close = difflib.get_close_matches(name, _specs, n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownModel(
            f"no model is named {name!r}; {guess}choose one of: {', '.join((_ALIAS, *names()))}"
        )
    return spec


def names() -> tuple[str, ...]:
    """Return the names of all models, sorted; the alias ``default`` is not among them."""
    return tuple(sorted(_specs))
