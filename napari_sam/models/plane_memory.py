"""A light memory: what the object looked like in planes that are done, for the plane that is asked for.

A mask prompt says where the object was in the plane before. Memory says what it was made of: each cell
of the new plane attends to the cells of finished planes, whose features are marked with the masks there
(after SAM 2, Ravi et al., 2024, with one attention in place of a stack, and no pointers).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOGIT_SCALE = 5.0
"""Mask logits of this size are marked at about three quarters of full strength."""


class Memory(NamedTuple):
    """Planes that are done, of ``N`` objects.

    Attributes
    ----------
    image_embeddings : Tensor
        ``(N, T, C, h, w)``, or ``(1, T, C, h, w)`` shared by all objects.
    mask_logits : Tensor
        ``(N, T, 4h, 4w)`` the objects' masks there.
    """

    image_embeddings: Tensor
    mask_logits: Tensor


class MemoryReader(nn.Module):
    """Reads from memory what concerns each cell of a new plane.

    Its last layer starts at zero, so that a model to which it is added answers as before.

    Parameters
    ----------
    dim : int
        Channels of the image embedding.
    n_heads : int
        Heads of the attention.
    """

    def __init__(self, dim: int, n_heads: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.mark = nn.Sequential(
            nn.Conv2d(1, dim // 4, 2, stride=2), nn.GELU(), nn.Conv2d(dim // 4, dim, 2, stride=2)
        )
        self.norm = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(2 * dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        nn.init.zeros_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, image_embedding: Tensor, image_pe: Tensor, memory: Memory) -> Tensor:
        """Read for ``image_embedding (N or 1, C, h, w)`` with ``image_pe (1, C, h, w)``; ``(N, C, h, w)``."""
        n_objects, n_planes = memory.mask_logits.shape[:2]
        height, width = image_embedding.shape[-2:]
        marks = self.mark(torch.tanh(memory.mask_logits.flatten(0, 1)[:, None] / LOGIT_SCALE))
        marks = _to_tokens(marks).unflatten(0, (n_objects, n_planes)).flatten(1, 2)
        kept = memory.image_embeddings.expand(n_objects, -1, -1, -1, -1).flatten(0, 1)
        kept = self.norm(_to_tokens(kept)).unflatten(0, (n_objects, n_planes))
        pe = _to_tokens(image_pe)
        keys = self.k_proj((kept + pe).flatten(1, 2))
        values = self.v_proj(torch.cat([kept.flatten(1, 2), marks.to(kept.dtype)], dim=2))
        asked = self.norm(_to_tokens(image_embedding)) + pe
        queries = self.q_proj(asked).expand(n_objects, -1, -1)
        q, k, v = (self._heads(x) for x in (queries, keys, values))
        read = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.out_proj(read)
        return out.transpose(1, 2).unflatten(2, (height, width))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


def _to_tokens(image: Tensor) -> Tensor:
    """Turn ``(B, C, h, w)`` into ``(B, h * w, C)``."""
    return image.flatten(2).transpose(1, 2)
