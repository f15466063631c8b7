"""The public face of both packages: sorted, complete, and nothing that cannot be had."""

from __future__ import annotations

import importlib
import inspect

import pytest

import volumes


@pytest.mark.parametrize("package", ["volumes", "napari_sam"])
def test_all_is_sorted_and_every_name_can_be_had(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", ["volumes", "napari_sam"])
def test_dir_lists_the_public_names(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = importlib.import_module("napari_sam").no_such_name


def test_volumes_shows_everything_public_that_it_imports() -> None:
    shown = {
        name
        for name, value in vars(volumes).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert shown - {"annotations"} == set(volumes.__all__)


def test_the_outer_contract_is_public() -> None:
    wanted = {"BoxPrompt", "PlaneRef", "PointPrompt", "SamError", "Session", "load_segmenter", "propagate"}
    assert wanted <= set(importlib.import_module("napari_sam").__all__)
    assert {"Box", "Geometry", "Volume", "VolumeError", "read", "write"} <= set(volumes.__all__)


@pytest.mark.parametrize(
    ("module", "root"), [("volumes.errors", "VolumeError"), ("napari_sam.errors", "SamError")]
)
def test_every_error_has_the_root_and_the_tree_is_drawn(module: str, root: str) -> None:
    errors = importlib.import_module(module)
    classes = [
        value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == module
    ]
    assert classes
    for error in classes:
        assert issubclass(error, getattr(errors, root))
        assert error.__name__ in (errors.__doc__ or "")
