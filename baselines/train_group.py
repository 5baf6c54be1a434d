"""Several processes that train one model together, as torchrun starts them; or one process alone.

Each takes its share of every batch. Gradients are averaged by one explicit sum over the processes, so that
all take the same step. Samples are drawn by their place in the whole batch and losses are means over images:
the result is that of one process, up to rounding. Norms that are live see the share alone, as everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from vipbench.errors import UserError

RENDEZVOUS = ("RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets beside WORLD_SIZE


@dataclass(frozen=True)
class Group:
    """This process, number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether it is the one process that writes files and reports."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` samples are this process's."""
        return range(self.rank, count, self.size)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()

    def agreed(self, number: int, path: str) -> int:
        """What each process found at a path. Raises UserError in all of them unless they found the same."""
        found = [number] * self.size
        if self.size > 1:
            dist.all_gather_object(found, number)
        if len(set(found)) > 1:
            raise UserError(
                f"{path} is not the same for all {self.size} processes: expected --out to be a folder "
                "that all their machines share"
            )
        return number

    def mean(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalars by name, each averaged over the processes, without gradients."""
        if self.size == 1:
            return {name: term.detach() for name, term in terms.items()}
        means = _averaged(torch.stack([term.detach().float() for term in terms.values()]), self.size)
        return dict(zip(terms, means.unbind(), strict=True))

    def numbers(self, values: dict[str, float], device: str) -> dict[str, float]:
        """Numbers by name, each averaged over the processes."""
        if self.size == 1:
            return values
        means = self.mean({name: torch.tensor(value, device=device) for name, value in values.items()})
        return {name: mean.item() for name, mean in means.items()}

    def average(self, model: nn.Module) -> None:
        """Average gradients, and the statistics of norms that are live.

        A gradient that some processes lack is zero there, as in one process; one that all lack stays away.
        """
        if self.size == 1:
            return
        trained = [p for p in model.parameters() if p.requires_grad]
        there = torch.tensor([p.grad is not None for p in trained], device=trained[0].device).float()
        used = [p for p, some in zip(trained, _averaged(there, self.size).tolist(), strict=True) if some]
        for p in used:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        _average_all([p.grad for p in used if p.grad is not None], self.size)
        _average_all([b for b in model.buffers() if b.is_floating_point()], self.size)


def _average_all(tensors: list[Tensor], size: int) -> None:
    """In place, all in one message."""
    if not tensors:
        return
    flat = _averaged(torch.cat([t.flatten() for t in tensors]), size)
    for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _averaged(tensor: Tensor, size: int) -> Tensor:
    dist.all_reduce(tensor)
    return tensor / size


ALONE = Group()


@contextmanager
def joined(device: str) -> Iterator[tuple[Group, str]]:
    """The group of this process and its device: with `cuda`, the one of its number on its machine.

    Processes find each other by the environment that torchrun sets. A process group that is there already is
    used and left as it is: one process joins one group in its life. Raises UserError where that environment
    is not whole.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE, device
        return
    lacking = [name for name in RENDEZVOUS if name not in os.environ]
    if lacking and not dist.is_initialized():
        raise UserError(
            f"WORLD_SIZE is {size}, but {', '.join(lacking)} is not set. Start several processes with "
            "torchrun, or one without WORLD_SIZE"
        )
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if here := not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Group(dist.get_rank(), size), device
    finally:
        if here:
            dist.destroy_process_group()
