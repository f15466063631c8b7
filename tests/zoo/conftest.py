"""Weights of a tiny network."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.tiny_models import (
    random_sam,
)


@pytest.fixture
def state() -> dict[str, Tensor]:
    """All numbers of a tiny network."""
    return random_sam().state_dict()
