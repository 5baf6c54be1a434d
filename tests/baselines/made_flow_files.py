"""State dicts as FlowNetPytorch saves them."""

from typing import Any

import torch
from keras_files import arrays

from vipbench.baselines import presets


def pytorch_state(bias: bool = False) -> dict[str, Any]:
    """FlowNet-S of the preset tiny in FlowNetPytorch's names."""
    sizes = presets.load("tiny", "vip").flow
    c1, c2, c3, c4, c5, c6 = sizes.encoder
    convs = [("conv1", 6, c1, 7), ("conv2", c1, c2, 5), ("conv3", c2, c3, 5), ("conv3_1", c3, c3, 3)]
    for i, (inputs, outputs) in enumerate(((c3, c4), (c4, c5), (c5, c6)), 4):
        convs += [(f"conv{i}", inputs, outputs, 3), (f"conv{i}_1", outputs, outputs, 3)]
    shapes = {f"{name}.0.weight": (outputs, inputs, k, k) for name, inputs, outputs, k in convs}
    shapes |= {f"{name}.0.bias": (outputs,) for name, _, outputs, _ in convs}
    inputs = c6
    for level, skip, width in zip((6, 5, 4, 3), (c5, c4, c3, c2), sizes.decoder, strict=True):
        shapes[f"predict_flow{level}.weight"] = (2, inputs, 3, 3)
        shapes[f"deconv{level - 1}.0.weight"] = (inputs, width, 4, 4)
        shapes[f"upsampled_flow{level}_to_{level - 1}.weight"] = (2, 2, 4, 4)
        if bias:
            shapes[f"predict_flow{level}.bias"] = shapes[f"upsampled_flow{level}_to_{level - 1}.bias"] = (2,)
            shapes[f"deconv{level - 1}.0.bias"] = (width,)
        inputs = skip + width + 2
    shapes["predict_flow2.weight"] = (2, inputs, 3, 3)
    return {name: torch.from_numpy(array) for name, array in arrays(shapes).items()}
