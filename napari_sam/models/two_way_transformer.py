"""The two-way transformer of the mask decoder.

Prompt and output tokens attend to the image, and the image attends back to them
(Kirillov et al., "Segment Anything", 2023, section 3 and appendix A).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.products import linear, needs_gradient, product

WORTH_FOLDING = 2**22
"""Multiply-adds of an image-side projection from which on it is folded into the tokens."""


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller than its input's.

    Parameters
    ----------
    dim : int
        Width of queries, keys, values and of the output.
    n_heads : int
        Number of heads.
    downsample_rate : int
        The inner width is ``dim // downsample_rate``; it must be a multiple of `n_heads`.
    """

    def __init__(self, dim: int, n_heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        inner = dim // downsample_rate
        if inner % n_heads:
            raise ValueError(f"attention width {inner} is no multiple of {n_heads} heads; change one of them")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(dim, inner)
        self.v_proj = nn.Linear(dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    def _heads(self, x: Tensor) -> Tensor:
        batch, n_tokens, width = x.shape
        return x.reshape(batch, n_tokens, self.n_heads, width // self.n_heads).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from ``q (B, Nq, C)`` to ``k``, ``v (B, Nk, C)``; gives ``(B, Nq, C)``."""
        q, k, v = (
            self._heads(_projected(x, layer))
            for x, layer in ((q, self.q_proj), (k, self.k_proj), (v, self.v_proj))
        )
        # One side always is a handful of tokens: the plain product is faster than fused kernels here.
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1).to(v.dtype)
        return _projected((weights @ v).transpose(1, 2).flatten(2), self.out_proj)

    def tokens_to_image(self, tokens: Tensor, placed: Tensor, image: Tensor) -> Tensor:
        """Attend from a few tokens to an image.

        With few tokens the image is not projected at all: each token's query is taken through the weight of
        the keys, and what it has seen of the bare image through that of the values. The bias of the keys adds
        the same to all logits of a query, and drops out.

        Parameters
        ----------
        tokens : Tensor
            ``(N, T, C)`` with their position encoding.
        placed, image : Tensor
            ``(N, L, C)``, or ``(1, L, C)`` shared by all, with and without position encoding.

        Returns
        -------
        Tensor
            ``(N, T, C)``.
        """
        if not self._folds(tokens, image):
            attended: Tensor = self(tokens, placed.to(tokens.dtype), image.to(tokens.dtype))
            return attended
        n_prompts, n_tokens, dim = tokens.shape
        q = self._heads(self.q_proj(tokens))
        words = (q * q.shape[-1] ** -0.5) @ self._by_head(self.k_proj.weight)
        logits = _rows_by_rows(words.flatten(1, 2).to(image.dtype), placed)
        weights = logits.softmax(dim=-1)
        seen = _rows_by_rows(weights, image.transpose(1, 2)).to(tokens.dtype)
        by_head = seen.view(n_prompts, self.n_heads, n_tokens, dim)
        v = by_head @ self._by_head(self.v_proj.weight).transpose(1, 2)
        v = v + self.v_proj.bias.view(self.n_heads, 1, -1)
        out: Tensor = self.out_proj(v.transpose(1, 2).flatten(2))
        return out

    def image_to_tokens(self, placed: Tensor, placed_tokens: Tensor, tokens: Tensor) -> Tensor:
        """Attend from an image to a few tokens; folded as `tokens_to_image` is.

        Parameters
        ----------
        placed : Tensor
            ``(N or 1, L, C)`` image with its position encoding.
        placed_tokens, tokens : Tensor
            ``(N, T, C)`` with and without position encoding.

        Returns
        -------
        Tensor
            ``(N, L, C)`` in the dtype of `placed`.
        """
        if not self._folds(tokens, placed):
            told: Tensor = self(placed.to(tokens.dtype), placed_tokens, tokens)
            return told.to(placed.dtype)
        k, v = self._heads(self.k_proj(placed_tokens)), self._heads(self.v_proj(tokens))
        k = k * k.shape[-1] ** -0.5
        words = (k @ self._by_head(self.q_proj.weight)).flatten(1, 2)
        offsets = (k @ self.q_proj.bias.view(self.n_heads, -1, 1)).flatten(1, 2)
        logits = _rows_by_rows(words.to(placed.dtype), placed) + offsets.to(placed.dtype)
        weights = logits.reshape(len(logits), self.n_heads, -1, logits.shape[2]).softmax(dim=2).flatten(1, 2)
        words = v @ self._by_head(self.out_proj.weight.T)
        return _columns_by_rows(weights, words.flatten(1, 2).to(placed.dtype), self.out_proj.bias)

    def _by_head(self, weight: Tensor) -> Tensor:
        """Split a weight ``(inner, C)`` into ``(heads, d, C)``."""
        return weight.reshape(self.n_heads, -1, weight.shape[1])

    def _folds(self, tokens: Tensor, image: Tensor) -> bool:
        """Say whether the tokens are so few and the image so large that folding is less work."""
        projections = (self.q_proj, self.k_proj, self.v_proj, self.out_proj)
        inner, dim = self.k_proj.weight.shape
        return (
            self.n_heads * tokens.shape[1] <= inner
            and image.shape[1] * inner * dim >= WORTH_FOLDING
            and all(type(layer) is nn.Linear for layer in projections)
            and not needs_gradient(tokens, image, self.k_proj.weight)
        )


def _projected(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a linear layer ``(..., n_in)`` to ``(..., n_out)``: an image's tokens by the fastest product."""
    if needs_gradient(x, layer.weight):
        out: Tensor = layer(x)
        return out
    return linear(x, layer)


def _rows_by_rows(x: Tensor, y: Tensor) -> Tensor:
    """Multiply rows ``x (N, M, K)`` with rows ``y (N or 1, L, K)``; gives ``(N, M, L)``."""
    return product(x, y[0]) if len(y) == 1 else x @ y.transpose(1, 2)


def _columns_by_rows(weights: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
    """Mix ``rows (N, M, C)`` by ``weights (N, M, L)`` for each of L, and add ``bias (C,)``; ``(N, L, C)``."""
    bias = bias.to(rows.dtype)
    if len(rows) == 1:
        return product(weights[0].T, rows[0].T, bias)[None]
    return torch.baddbmm(bias.expand(len(rows), 1, -1), weights.transpose(1, 2), rows)


class TokenMLP(nn.Module):
    """The two-layer perceptron between the attentions of a block (ReLU)."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden_dim)
        self.lin2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, N, C)`` to the same shape."""
        out: Tensor = self.lin2(F.relu(self.lin1(x)))
        return out


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, perceptron, image to tokens.

    Parameters
    ----------
    dim, n_heads, mlp_dim : int
        Width, heads and hidden width of the perceptron.
    downsample_rate : int
        How much narrower the two cross attentions are than `dim`.
    first : bool
        In the first block the tokens are still their own position encoding, so
        that self-attention takes them bare and replaces them.
    """

    def __init__(self, dim: int, n_heads: int, mlp_dim: int, downsample_rate: int, first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(dim, n_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, n_heads, downsample_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = TokenMLP(dim, mlp_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, n_heads, downsample_rate)
        self.norm4 = nn.LayerNorm(dim)
        self.first = first

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, placed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update ``tokens (B, N, C)`` and ``image (B or 1, h*w, C)``.

        `placed` is the image with its position encoding, `token_pe` that of the tokens.
        """
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed_tokens = tokens + token_pe
            tokens = tokens + self.self_attn(placed_tokens, placed_tokens, tokens)
        tokens = self.norm1(tokens)
        tokens = self.norm2(
            tokens + self.cross_attn_token_to_image.tokens_to_image(tokens + token_pe, placed, image)
        )
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token.image_to_tokens(placed, tokens + token_pe, tokens)
        return tokens, normalise(image + told, self.norm4)


def normalise(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Apply a layer norm in the precision of ``x (..., C)``."""
    if x.dtype == norm.weight.dtype:
        out: Tensor = norm(x)
        return out
    return F.layer_norm(x, norm.normalized_shape, norm.weight.to(x.dtype), norm.bias.to(x.dtype), norm.eps)


class TwoWayTransformer(nn.Module):
    """A stack of two-way blocks and a last attention from the tokens to the image.

    Parameters
    ----------
    depth : int
        Number of blocks.
    dim, n_heads, mlp_dim : int
        Width, heads and hidden width of the perceptrons.
    downsample_rate : int
        How much narrower the cross attentions are than `dim`.
    """

    def __init__(self, depth: int, dim: int, n_heads: int, mlp_dim: int, downsample_rate: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(dim, n_heads, mlp_dim, downsample_rate, first=i == 0) for i in range(depth)
        )
        self.final_attn_token_to_image = Attention(dim, n_heads, downsample_rate)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Run the blocks.

        Parameters
        ----------
        image : Tensor
            ``(B, C, h, w)`` image embedding with the dense prompts added.
        image_pe : Tensor
            ``(1 or B, C, h, w)`` position encoding of the grid.
        tokens : Tensor
            ``(B, N, C)`` output tokens followed by the sparse prompts.

        Returns
        -------
        tuple of Tensor
            Tokens ``(B, N, C)`` and image ``(B, h*w, C)``.
        """
        flat, pe = image.flatten(2).transpose(1, 2), image_pe.flatten(2).transpose(1, 2)
        return self.mix(tokens, flat, flat + pe, pe)

    def mix(self, tokens: Tensor, image: Tensor, placed: Tensor, image_pe: Tensor) -> tuple[Tensor, Tensor]:
        """Run the blocks on an image that is flat already, and may be one for all prompts.

        Parameters
        ----------
        tokens : Tensor
            ``(B, N, C)``.
        image, placed : Tensor
            ``(B or 1, h*w, C)`` without and with its position encoding.
        image_pe : Tensor
            ``(B or 1, h*w, C)`` position encoding.

        Returns
        -------
        tuple of Tensor
            Tokens ``(B, N, C)`` and image ``(B, h*w, C)``.
        """
        state = tokens
        for layer in self.layers:
            state, image = layer(state, image, tokens, placed)
            placed = image + image_pe
        attended = self.final_attn_token_to_image.tokens_to_image(state + tokens, placed, image)
        return self.norm_final_attn(state + attended), image
