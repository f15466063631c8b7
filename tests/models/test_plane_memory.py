"""The memory of planes that are done: nothing at first, and each object its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_sam.models.plane_memory import Memory, MemoryReader

DIM, GRID = 16, 4


@pytest.fixture
def reader() -> MemoryReader:
    torch.manual_seed(0)
    reader = MemoryReader(DIM).eval()
    nn.init.normal_(reader.out_proj.weight)
    return reader


@pytest.fixture
def memory() -> Memory:
    torch.manual_seed(1)
    return Memory(torch.randn(1, 3, DIM, GRID, GRID), 6 * torch.randn(2, 3, 4 * GRID, 4 * GRID))


def _read(reader: MemoryReader, memory: Memory) -> torch.Tensor:
    torch.manual_seed(2)
    with torch.inference_mode():
        read = reader(torch.randn(1, DIM, GRID, GRID), torch.randn(1, DIM, GRID, GRID), memory)
        return torch.as_tensor(read)


def test_a_new_reader_adds_nothing(memory):
    assert float(_read(MemoryReader(DIM), memory).abs().max()) == 0.0


def test_one_answer_for_each_cell_of_each_object(reader, memory):
    assert _read(reader, memory).shape == (2, DIM, GRID, GRID)


def test_objects_read_their_own_masks_only(reader, memory):
    both, second = _read(reader, memory), _read(reader, Memory(memory[0], memory[1][1:]))
    torch.testing.assert_close(both[1:], second, rtol=0, atol=1e-5)
    assert float((both[0] - both[1]).abs().max()) > 1e-3


def test_the_order_of_planes_does_not_matter(reader, memory):
    turned = Memory(memory.image_embeddings.flip(1), memory.mask_logits.flip(1))
    torch.testing.assert_close(_read(reader, memory), _read(reader, turned), rtol=0, atol=1e-5)


def test_embeddings_may_be_each_objects_own(reader, memory):
    own = Memory(memory.image_embeddings.expand(2, -1, -1, -1, -1), memory.mask_logits)
    torch.testing.assert_close(_read(reader, memory), _read(reader, own), rtol=0, atol=1e-5)
