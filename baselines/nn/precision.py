"""Numbers of mixed precision: networks may compute in bfloat16, losses never do."""

import torch
from torch import Tensor


def exact(x: Tensor) -> Tensor:
    """In single precision at least; a tensor that is stays as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
