"""The two-way transformer of the mask decoder.

Prompt and output tokens attend to the image, and the image attends back to them
(Kirillov et al., "Segment Anything", 2023, section 3 and appendix A).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


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
        q, k, v = self._heads(self.q_proj(q)), self._heads(self.k_proj(k)), self._heads(self.v_proj(v))
        # One side always is a handful of tokens: the plain product is faster than fused kernels here.
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1).to(v.dtype)
        out: Tensor = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        return out


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
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update ``tokens (B, N, C)`` and ``image (B, h*w, C)``, each with its position encoding."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        image_placed = image + image_pe
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, image_placed, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(image_placed, tokens + token_pe, tokens))
        return tokens, image


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
        flat = image.flatten(2).transpose(1, 2)
        pe = image_pe.flatten(2).transpose(1, 2)
        state = tokens
        for layer in self.layers:
            state, flat = layer(state, flat, tokens, pe)
        attended = self.final_attn_token_to_image(state + tokens, flat + pe, flat)
        return self.norm_final_attn(state + attended), flat
