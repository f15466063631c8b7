"""What teaches the encoder's coarse levels directly, and not by way of the decoder.

A network that answers well from its finer levels alone gives its coarse ones next to nothing to learn from:
six hundred steps of prompts left the embedding as good as constant. So its cells are asked what belongs
together as those of the finest level are (`napari_sam.models.grouping`), by a head that is not part of
the model: deep supervision, after Lee et al., "Deeply-supervised nets" (2015).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grouping import N_CHANNELS
from napari_sam.training.batches import Question
from napari_sam.training.losses import grouping_loss

__all__ = ["CoarseGrouping"]

LEAST_COVER = 0.6
"""Objects that cover no coarse cell by as much are not asked for."""

N_CELLS = 3
"""Cells that are asked in each object."""


class CoarseGrouping(nn.Module):
    """Groups the cells of the image embedding.

    Parameters
    ----------
    dim : int
        Channels of the embedding.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(dim, N_CHANNELS, 1)

    def forward(self, embedding: Tensor, question: Question) -> Tensor:
        """Give the loss of what cells of ``embedding (2P, C, h, w)`` say about a question's objects."""
        shrink = question.cells.shape[-1] // embedding.shape[-1]
        targets = F.avg_pool2d(question.cells[:, None], shrink)[:, 0]
        large = targets.flatten(1).amax(dim=1) > LEAST_COVER
        grouping = self.head(embedding).index_select(0, question.cells_image)
        return grouping_loss(grouping, targets, N_CELLS, large.float())
