"""The error tree: one root, and of each leaf the builtin that a caller expects."""

from __future__ import annotations

import inspect

import pytest

from napari_sam import errors


def test_public_names_are_sorted_and_complete() -> None:
    defined = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    ]
    assert errors.__all__ == sorted(defined)
    assert all(issubclass(getattr(errors, name), errors.SamError) for name in defined)


def test_the_drawing_shows_every_leaf_with_its_builtin() -> None:
    for name in set(errors.__all__) - {"SamError"}:
        line = next(line for line in (errors.__doc__ or "").splitlines() if f" {name} " in line)
        builtins = [base.__name__ for base in getattr(errors, name).__bases__ if base is not errors.SamError]
        assert all(f"({base})" in line for base in builtins)


def test_unknown_model_is_a_key_error_with_a_plain_message() -> None:
    with pytest.raises(KeyError) as caught:
        raise errors.UnknownModel("no model 'x'; there are a, b")
    assert str(caught.value) == "no model 'x'; there are a, b"
