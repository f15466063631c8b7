"""Models of other packages, found by the entry point group ``napari_sam.models``.

An entry point names a `ModelSpec`, or a callable without arguments that gives one or several. What is broken
is left out with a warning that names the distribution: another package's fault never ends a program of ours.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint

from napari_sam.zoo.spec import ModelSpec

__all__ = ["GROUP", "register_third_parties"]

GROUP = "napari_sam.models"

_logger = logging.getLogger(__name__)


def register_third_parties(register: Callable[[ModelSpec], object]) -> None:
    """Offer every third party's models to `register`, in the order of their distributions' names.

    Parameters
    ----------
    register : callable
        Called with one spec at a time; what it raises is a warning here.
    """
    try:
        found = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda one: (_owner(one), one.name))
    except Exception as error:  # metadata of any package may be broken
        _logger.warning("models of other packages are left out: %s", _told(error))
        return
    for entry_point in found:
        try:
            specs = _specs_of(entry_point)
        except (Exception, SystemExit) as error:  # foreign code runs here
            _warn(entry_point, error)
            continue
        for spec in specs:
            try:
                register(spec)
            except Exception as error:
                _warn(entry_point, error)


def _specs_of(entry_point: EntryPoint) -> tuple[ModelSpec, ...]:
    offered = entry_point.load()
    if callable(offered):
        offered = offered()
    specs = tuple(offered) if isinstance(offered, Iterable) else (offered,)
    for spec in specs:
        if not isinstance(spec, ModelSpec):
            raise TypeError(f"{entry_point.value} gives {spec!r:.80}, which is no ModelSpec")
    return specs


def _warn(entry_point: EntryPoint, error: BaseException) -> None:
    _logger.warning(
        "models of %s (entry point %s = %s) are left out: %s; update or uninstall that package",
        _owner(entry_point),
        entry_point.name,
        entry_point.value,
        _told(error),
    )


def _owner(entry_point: EntryPoint) -> str:
    return "an unknown distribution" if entry_point.dist is None else str(entry_point.dist.name)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
