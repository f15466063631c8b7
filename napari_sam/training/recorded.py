"""Steps of training that a GPU repeats by itself.

A step of the small model starts twenty thousand kernels, nearly all of them short: starting them from Python
takes three times as long as computing them. So a step is recorded as a CUDA graph, from the question to the
gradients, and repeated with other questions of the same shapes. What chance decides in Python (box or click,
how loose, how many corrections) stays as it was recorded, so that several recordings of each shape take
turns; what it decides on the GPU is drawn anew each time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_sam.training.batches import Question

__all__ = ["RecordedSteps"]

_Loss = Callable[[Question, torch.Generator], Tensor]


@dataclass
class _Shape:
    """What was recorded for questions of one shape."""

    question: Question
    graphs: list[tuple[torch.cuda.CUDAGraph, Tensor]] = field(default_factory=list)


class RecordedSteps:
    """Computes gradients, recording the first steps of each shape.

    Parameters
    ----------
    parameters : sequence of nn.Parameter
        Their ``grad`` is kept in place from the first step on: never set it to None.
    loss : callable
        Gives the loss of a question without ever waiting for the GPU.
    n_each : int
        Recordings of each shape.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], loss: _Loss, n_each: int = 14) -> None:
        self._parameters, self._loss, self._n_each = list(parameters), loss, n_each
        self._shapes: dict[tuple[torch.Size, ...], _Shape] = {}
        self._pool: Any = None
        self._order = random.Random(0)

    def take(self, question: Question, rng: torch.Generator) -> Tensor:
        """Leave the gradients of a question with the parameters.

        Parameters
        ----------
        question : Question
            On the GPU.
        rng : Generator
            Decides, where a step is recorded, what is decided in Python.

        Returns
        -------
        Tensor
            The loss, a scalar.
        """
        key = tuple(tensor.shape for tensor in question.tensors)
        shape = self._shapes.get(key)
        if shape is None:
            self._shapes[key] = _Shape(Question(*(torch.clone(tensor) for tensor in question.tensors)))
            return self._run_once(question, rng)
        for kept, given in zip(shape.question.tensors, question.tensors, strict=True):
            kept.copy_(given)
        if len(shape.graphs) < self._n_each:
            shape.graphs.append(self._record(shape.question, rng))
            graph, loss = shape.graphs[-1]
        else:
            graph, loss = self._order.choice(shape.graphs)
        graph.replay()
        return loss.clone()

    def _run_once(self, question: Question, rng: torch.Generator) -> Tensor:
        """Take a step as it is: libraries prepare for new shapes then, which cannot be recorded."""
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            loss = self._compute(question, rng)
        torch.cuda.current_stream().wait_stream(beside)
        return loss

    def _record(self, question: Question, rng: torch.Generator) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            loss = self._compute(question, rng)
        self._pool = graph.pool()
        return graph, loss

    def _compute(self, question: Question, rng: torch.Generator) -> Tensor:
        loss = self._loss(question, rng)
        fresh = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        kept = [cast("Tensor", parameter.grad) for parameter in self._parameters]
        torch._foreach_zero_(kept)
        used = [(old, new) for old, new in zip(kept, fresh, strict=True) if new is not None]
        torch._foreach_copy_([old for old, _ in used], [new for _, new in used])
        return loss.detach()
