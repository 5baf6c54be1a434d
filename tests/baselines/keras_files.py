"""HDF5 files as the ATEN authors' Keras code writes them: layers and shapes, written out from that code."""

from pathlib import Path
from typing import Any

import numpy as np

from vipbench.baselines.presets import Preset

Shape = tuple[int, ...]
Graph = dict[str, Shape]


def conv(name: str, kernel: int, inputs: int, outputs: int, bias: bool = True) -> Graph:
    """Conv2D; a transposed one has its outputs before its inputs."""
    return {f"{name}/kernel": (kernel, kernel, inputs, outputs)} | (
        {f"{name}/bias": (outputs,)} if bias else {}
    )


def transposed(name: str, kernel: int, inputs: int, outputs: int) -> Graph:
    return {f"{name}/kernel": (kernel, kernel, outputs, inputs), f"{name}/bias": (outputs,)}


def dense(name: str, inputs: int, outputs: int) -> Graph:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def norm(name: str, channels: int) -> Graph:
    return {f"{name}/{w}": (channels,) for w in ("gamma", "beta", "moving_mean", "moving_variance")}


def block(stage: int, letter: str, inputs: int, planes: int) -> Graph:
    """conv_block (letter a, with a shortcut) and identity_block."""
    base, outputs = f"{stage}{letter}_branch", planes * 4
    graph = conv(f"res{base}2a", 1, inputs, planes, False) | norm(f"bn{base}2a", planes)
    graph |= conv(f"res{base}2b", 3, planes, planes, False) | norm(f"bn{base}2b", planes)
    graph |= conv(f"res{base}2c", 1, planes, outputs, False) | norm(f"bn{base}2c", outputs)
    if letter == "a":
        graph |= conv(f"res{base}1", 1, inputs, outputs, False) | norm(f"bn{base}1", outputs)
    return graph


LETTERS = {2: ["a", "b", "c"], 5: ["a", "b", "c"], 3: ["a", "b1", "b2", "b3"]}
LETTERS[4] = ["a", *(f"b{i}" for i in range(1, 23))]


def frame_graph(preset: Preset) -> Graph:
    """parsing_rcnn.h5: `layer/weight` -> shape."""
    f, h = preset.features, preset.heads
    graph, inputs = conv("conv1", 7, 3, f.stem, False) | norm("bn_conv1", f.stem), f.stem
    for stage, (planes, depth) in enumerate(zip(f.planes, f.blocks, strict=True), 2):
        for letter in LETTERS[stage][:depth]:
            graph |= block(stage, letter, inputs, planes)
            inputs = planes * 4
    parsing, c, width = "mrcnn_global_parsing", f.channels, h.mask
    for i, (kernel, depth) in enumerate(((1, inputs), (1, inputs), (3, inputs), (3, inputs), (3, inputs))):
        graph |= conv(f"{parsing}_encoder_c{i}", kernel, depth, f.aspp)
    graph |= conv(f"{parsing}_encoder_conconv", 1, 5 * f.aspp, f.aspp)
    graph |= conv(f"{parsing}_decoder_conv1", 1, f.stem, f.low)
    graph |= conv(f"{parsing}_decoder_conv2", 3, f.aspp + f.low, c)
    graph |= conv(f"{parsing}_decoder_conv3", 3, c, c)
    for i in (1, 2, 3):
        graph |= conv(f"{parsing}_c{i}", 3, c, 20)
    for name in ("rpn_conv1", "rpn_conv2", "recog_conv1", "recog_conv2"):
        graph |= conv(f"mrcnn_share_{name}", 3, c, c)
    graph |= conv("rpn_conv_shared", 3, c, h.rpn)
    graph |= conv("rpn_class_raw", 1, h.rpn, 30) | conv("rpn_bbox_pred", 1, h.rpn, 60)
    graph |= conv("mrcnn_class_conv1", 7, c, h.box) | conv("mrcnn_class_conv2", 1, h.box, h.box)
    graph |= dense("mrcnn_class_pascal_logits", h.box, 2) | dense("mrcnn_bbox_pascal_fc", h.box, 8)
    for i, inputs in enumerate((c, width, width, width), 1):
        graph |= conv(f"mrcnn_mask_conv{i}", 3, inputs, width) | norm(f"mrcnn_mask_bn{i}", width)
    graph |= transposed("mrcnn_mask_deconv", 2, width, width) | conv("mrcnn_mask_pascal", 1, width, 2)
    graph |= conv("mrcnn_mask_conv4_fc", 3, width, width) | norm("mrcnn_mask_bn4_fc", width)
    graph |= conv("mrcnn_mask_conv5_fc", 3, width, width // 2) | norm("mrcnn_mask_bn5_fc", width // 2)
    return graph | conv("time_distributed_1", 14, width // 2, 28 * 28 * 2)


def video_graph(preset: Preset, unit: str = "gru") -> Graph:
    """aten_p2l3.h5: the same with FlowNet-S and the recurrent unit."""
    name, c = "flownet_s1_", preset.features.channels
    c1, c2, c3, c4, c5, c6 = preset.flow.encoder
    graph = frame_graph(preset) | conv(f"{name}conv1", 7, 6, c1) | conv(f"{name}conv2", 5, c1, c2)
    for i, (kernel, inputs, outputs) in enumerate(((5, c2, c3), (3, c3, c4), (3, c4, c5), (3, c5, c6)), 3):
        graph |= conv(f"{name}conv{i}", kernel, inputs, outputs)
        graph |= conv(f"{name}conv{i}_1", 3, outputs, outputs)
    inputs = c6
    for level, skip, width in zip((6, 5, 4, 3), (c5, c4, c3, c2), preset.flow.decoder, strict=True):
        graph |= transposed(f"{name}deconv{level - 1}", 4, inputs, width)
        graph |= conv(f"{name}predict_conv{level}", 3, inputs, 2)
        graph |= transposed(f"{name}upsample_flow{level}to{level - 1}", 4, 2, 2)
        inputs = skip + width + 2
    graph |= conv(f"{name}predict_conv2", 3, inputs, 2) | conv(f"{name}predict_scale", 1, inputs, c, False)
    gates, layer = {"gru": 3, "lstm": 4}[unit], f"{unit}_recurrent_unit"
    kernels = {f"{layer}/{w}": (3, 3, c, gates * c) for w in ("kernel", "recurrent_kernel")}
    return graph | kernels | {f"{layer}/bias": (gates * c,)}


def arrays(graph: Graph, seed: int = 0) -> dict[str, Any]:
    """Small random weights; variances positive."""
    rng = np.random.default_rng(seed)
    found = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in graph.items()}
    return {n: np.abs(a) + 0.5 if n.endswith("variance") else a for n, a in found.items()}


def write(path: Path, weights: dict[str, Any], inside: str = "") -> Path:
    """As Keras's save_weights; inside: the group of a whole model. Layers without weights are groups too."""
    import h5py

    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        root.create_group("input_image")
        for name, array in weights.items():
            layer, weight = name.split("/")
            root.create_dataset(f"{layer}/{layer}/{weight}:0", data=array)
        root.attrs["layer_names"] = [b"input_image"]
    return path
