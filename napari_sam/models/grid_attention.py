"""Self-attention over grids of tokens, whole or in windows, with learned relative positions.

Decomposed relative positions after Li et al., "MViTv2" (2022): to the logit of a query and a key is added
what the query says to their distance in rows, and to that in columns. The table of all these numbers, a
query by a key and a head, is never made: one product gives each query's word on every distance, from which
the bias of a few rows of queries is a view.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.products import is_on_processor, linear, needs_gradient, product

LOGITS_AT_ONCE = 2**20
"""Largest table of logits on a processor (4 MB in float32: it should stay in the cache)."""

BIASES_AT_ONCE = 2**24
"""Largest table of biases that is made for torch's fused attention (64 MB in float32)."""


class GridAttention(nn.Module):
    """Self-attention within windows of a grid, with a learned bias for each row and column distance.

    Parameters
    ----------
    width, n_heads : int
        Channels of a token, and heads they are split into.
    grid : int
        Side of a window in tokens; the tables of relative positions hold ``2 * grid - 1`` rows.

    Notes
    -----
    A grid that is no whole number of windows is padded, below and to the right, with tokens of zeros, which
    all others attend to as well. So did the published models when they were trained.
    """

    def __init__(self, width: int, n_heads: int, grid: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.grid = grid
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, width // n_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, width // n_heads))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, h, w, C)`` to the same shape."""
        at_once = self.grid if is_on_processor(x) else x.shape[1] + self.grid
        strips = [self._strip(strip) for strip in torch.split(x, at_once - at_once % self.grid, dim=1)]
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=1)

    @torch.no_grad()
    def change_grid(self, grid: int) -> None:
        """Attend over windows of another side, whose tokens lie nearer together or further apart."""
        for name in ("rel_pos_h", "rel_pos_w"):
            table: Tensor = getattr(self, name)
            distances = torch.arange(1 - grid, grid, device=table.device) * (self.grid / grid)
            place = (distances + self.grid - 1).clamp(0, len(table) - 1)
            low = place.floor().long()
            high = (low + 1).clamp(max=len(table) - 1)
            mixed = table[low].lerp(table[high], (place - low)[:, None].to(table.dtype))
            setattr(self, name, nn.Parameter(mixed, table.requires_grad))
        self.grid = grid

    def _strip(self, x: Tensor) -> Tensor:
        """Attend within the windows of whole rows of windows ``(B, h, w, C)``; the last may be cut short."""
        batch, height, width, n_channels = x.shape
        q, k, v = self._windows(linear(x, self.qkv))
        in_use = self.grid if height >= self.grid else height  # no queries from padding below
        n_down, n_across = -(-height // self.grid), -(-width // self.grid)
        attended = self._attend(q[:, :, :in_use], k, v)
        cut = attended.reshape(batch, n_down, n_across, self.n_heads, in_use, self.grid, -1)
        merged = cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, n_down * in_use, -1, n_channels)
        return linear(merged[:, :height, :width], self.proj)

    def _windows(self, qkv: Tensor) -> Tensor:
        """Cut ``qkv (B, h, w, 3 C)`` into ``(3, B * n, heads, g, g, d)``; zeros have the bias as theirs."""
        batch, height, width, _ = qkv.shape
        side, down, across = self.grid, -height % self.grid, -width % self.grid
        if down or across:
            padded = self.qkv.bias.expand(batch, height + down, width + across, -1).clone()
            padded[:, :height, :width] = qkv
            qkv = padded
        cut = qkv.reshape(batch, qkv.shape[1] // side, side, qkv.shape[2] // side, side, 3, self.n_heads, -1)
        return cut.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(1, 3)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from ``q (n, heads, r, g, d)`` to ``k``, ``v (n, heads, g, g, d)``; gives the shape of q."""
        tables = torch.cat([self.rel_pos_h.flip(0), self.rel_pos_w.flip(0)])
        q, k, v = (heads.flatten(0, 1) for heads in (q, k, v))
        n_logits = q.shape[1] * self.grid**3
        if is_on_processor(q) and n_logits > LOGITS_AT_ONCE and not needs_gradient(q, tables):
            return torch.stack([_attend_by_rows(*head, tables) for head in zip(q, k, v, strict=True)])
        n_at_once = max(1, BIASES_AT_ONCE // n_logits)
        parts = zip(
            torch.split(q, n_at_once), torch.split(k, n_at_once), torch.split(v, n_at_once), strict=True
        )
        return torch.cat([_attend_fused(*part, tables) for part in parts])


def _attend_fused(q: Tensor, k: Tensor, v: Tensor, tables: Tensor) -> Tensor:
    """Attend from ``q (n, r, g, d)`` to ``k``, ``v (n, g, g, d)`` by torch's fused attention."""
    by_row, by_column = _biases(q, tables.to(q.dtype))
    bias = (by_row[..., :, None] + by_column[..., None, :]).flatten(3).flatten(1, 2)
    q_flat, k_flat, v_flat = (heads.flatten(1, 2)[None] for heads in (q, k, v))
    attended = F.scaled_dot_product_attention(q_flat, k_flat, v_flat, attn_mask=bias[None])
    return attended[0].reshape(q.shape)


def _attend_by_rows(q: Tensor, k: Tensor, v: Tensor, tables: Tensor) -> Tensor:
    """Attend from one head's ``q (r, g, d)`` to its ``k``, ``v (g, g, d)``, a few rows of queries at a time.

    Logits are float32 whatever the precision of the heads.
    """
    side, n_channels = q.shape[1:]
    by_row, by_column = (bias[0] for bias in _biases(q[None].float(), tables.float()))
    keys = k.reshape(side * side, n_channels).float() * n_channels**-0.5
    values = v.reshape(side * side, n_channels).float().T.contiguous()
    attended = torch.empty(q.shape, dtype=q.dtype)
    n_rows = max(1, LOGITS_AT_ONCE // side**3)
    for first in range(0, len(q), n_rows):
        some = slice(first, first + n_rows)
        logits = product(q[some].reshape(-1, n_channels).float(), keys)
        by_place = logits.view(-1, side, side, side)
        by_place += by_row[some, ..., :, None]
        by_place += by_column[some, ..., None, :]
        attended[some] = product(logits.softmax(dim=-1), values).view_as(attended[some])
    return attended


def _biases(q: Tensor, tables: Tensor) -> tuple[Tensor, Tensor]:
    """Say what queries think of the distances to all rows and all columns of their window.

    Parameters
    ----------
    q : Tensor
        ``(n, r, g, d)``, queries of the first rows of windows.
    tables : Tensor
        ``(2 * (2 g - 1), d)``: the learned vectors for rows, then for columns, the largest distance first.

    Returns
    -------
    tuple of Tensor
        For rows and for columns, each ``(n, r, g, g)``: by query row, query column, and the key's own.
    """
    n, n_rows, side, _ = q.shape
    words = product(q, tables).contiguous()  # a query's g distances to rows lie side by side in it
    width = words.shape[-1]
    shape, steps = (n, n_rows, side, side), (n_rows * side * width, side * width, width, 1)
    by_row = words.as_strided(shape, (steps[0], steps[1] - 1, steps[2], 1), side - 1)
    by_column = words.as_strided(shape, (steps[0], steps[1], steps[2] - 1, 1), width // 2 + side - 1)
    return by_row, by_column
