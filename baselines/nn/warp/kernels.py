"""The warp in Triton, forward and backward; by the definition in taps.py. Imported where Triton is.

A program computes PIXELS x CHANNELS of one map. Maps are dense, [N, H, W, C] where LAST, else [N, C, H, W];
the flow is [N, 2, H, W]. Positions and sums are float32 whatever the features are. BORDER: 0 aten, 1 zeros,
2 clamp.
"""

import triton
import triton.language as tl


@triton.jit
def _axis(position, size, REACH: tl.constexpr):
    """Two cells, their weights, and how fast by the position the first falls and the second rises, 0 or 1."""
    low, high = -REACH, size - 1 + REACH
    held = tl.where(position >= low, position, low)
    held = tl.where(held <= high, held, high)
    floor = tl.floor(held)
    part = held - floor
    first = floor.to(tl.int32)
    second = first + 1
    before, after = 1.0 - part, part
    fall = tl.where(held == position, 1.0, 0.0)
    rise = fall
    if REACH:
        before = tl.where((first >= 0) & (first < size), before, 0.0)
        after = tl.where((second >= 0) & (second < size), after, 0.0)
        fall = tl.where((first >= 0) & (first < size), fall, 0.0)
        rise = tl.where((second >= 0) & (second < size), rise, 0.0)
    first = tl.minimum(tl.maximum(first, 0), size - 1)
    second = tl.minimum(tl.maximum(second, 0), size - 1)
    return first, second, before, after, fall, rise


@triton.jit
def _taps(flow, n, pixel, there, H, W, BORDER: tl.constexpr):
    """Of pixels [PIXELS]: four cells, the weights along x and y, and their slopes."""
    u = tl.load(flow + n * 2 * H * W + pixel, there, 0.0).to(tl.float32)
    v = tl.load(flow + (n * 2 + 1) * H * W + pixel, there, 0.0).to(tl.float32)
    x, y = (pixel % W).to(tl.float32) + u, (pixel // W).to(tl.float32) + v
    left, right, l, r, fall_x, rise_x = _axis(x, W, BORDER == 1)
    top, bottom, t, b, fall_y, rise_y = _axis(y, H, BORDER == 1)
    seen = (x >= 0) & (x < W) & (y >= 0) & (y < H) if BORDER == 0 else (x == x) & (y == y)
    t, b = tl.where(seen, t, 0.0), tl.where(seen, b, 0.0)
    l, r = tl.where(seen, l, 0.0), tl.where(seen, r, 0.0)
    top, bottom = top * W, bottom * W
    cells = (top + left, top + right, bottom + left, bottom + right)
    return cells, (l, r, t, b), (fall_x, rise_x, fall_y, rise_y)


@triton.jit
def _offsets(n, cell, channel, P, C, LAST: tl.constexpr):
    """[PIXELS, CHANNELS] places in a map."""
    within = cell[:, None] * C + channel[None, :] if LAST else channel[None, :] * P + cell[:, None]
    return n * P * C + within


@triton.jit
def _cell(features, n, cell, channel, there, P, C, LAST: tl.constexpr):
    """[PIXELS, CHANNELS] of the features, as float32."""
    return tl.load(features + _offsets(n, cell, channel, P, C, LAST), there, 0.0).to(tl.float32)


@triton.jit
def forward(
    out, features, flow, scale, keys, C, H, W,
    BORDER: tl.constexpr, LAST: tl.constexpr, SCALED: tl.constexpr, KEYED: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Grid: blocks of pixels, blocks of channels, maps."""
    P = H * W
    n = tl.program_id(2).to(tl.int64)
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    there = (pixel < P)[:, None] & (channel < C)[None, :]
    cells, weights, _ = _taps(flow, n, pixel, pixel < P, H, W, BORDER)
    nw, ne, sw, se = cells
    l, r, t, b = weights
    k = tl.load(keys + n) if KEYED else n
    value = _cell(features, k, nw, channel, there, P, C, LAST) * (t * l)[:, None]
    value += _cell(features, k, ne, channel, there, P, C, LAST) * (t * r)[:, None]
    value += _cell(features, k, sw, channel, there, P, C, LAST) * (b * l)[:, None]
    value += _cell(features, k, se, channel, there, P, C, LAST) * (b * r)[:, None]
    at = _offsets(n, pixel, channel, P, C, LAST)
    if SCALED:
        value *= tl.load(scale + at, there, 0.0).to(tl.float32)
    tl.store(out + at, value.to(out.dtype.element_ty), there)


@triton.jit
def _add(of_features, n, cell, channel, there, weight, grad, P, C, LAST: tl.constexpr):
    """Scatter; nothing where the weight is 0, as beyond the map and at the far cells of a whole shift."""
    used = there & (weight != 0)[:, None]
    tl.atomic_add(
        of_features + _offsets(n, cell, channel, P, C, LAST), grad * weight[:, None], used, sem="relaxed"
    )


@triton.jit
def backward(
    of_features, of_flow, of_scale, grad, features, flow, scale, keys, C, H, W,
    BORDER: tl.constexpr, LAST: tl.constexpr, SCALED: tl.constexpr, KEYED: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Grid: blocks of pixels, maps; each program sums the flow's gradient over all channels.

    of_features: float32, zeros before, added to in no fixed order.
    """
    P = H * W
    n = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    cells, weights, slopes = _taps(flow, n, pixel, pixel < P, H, W, BORDER)
    nw, ne, sw, se = cells
    l, r, t, b = weights
    fall_x, rise_x, fall_y, rise_y = slopes
    k = tl.load(keys + n) if KEYED else n
    # Sums over the channels of gradient x the four cells; du and dv are made of them below.
    in_nw, in_ne = tl.zeros([PIXELS], tl.float32), tl.zeros([PIXELS], tl.float32)
    in_sw, in_se = tl.zeros([PIXELS], tl.float32), tl.zeros([PIXELS], tl.float32)
    for first in range(0, C, CHANNELS):
        channel = first + tl.arange(0, CHANNELS)
        there = (pixel < P)[:, None] & (channel < C)[None, :]
        at = _offsets(n, pixel, channel, P, C, LAST)
        g = tl.load(grad + at, there, 0.0).to(tl.float32)
        f_nw = _cell(features, k, nw, channel, there, P, C, LAST)
        f_ne = _cell(features, k, ne, channel, there, P, C, LAST)
        f_sw = _cell(features, k, sw, channel, there, P, C, LAST)
        f_se = _cell(features, k, se, channel, there, P, C, LAST)
        if SCALED:
            warped = f_nw * (t * l)[:, None] + f_ne * (t * r)[:, None]
            warped += f_sw * (b * l)[:, None] + f_se * (b * r)[:, None]
            tl.store(of_scale + at, (g * warped).to(of_scale.dtype.element_ty), there)
            g *= tl.load(scale + at, there, 0.0).to(tl.float32)
        _add(of_features, k, nw, channel, there, t * l, g, P, C, LAST)
        _add(of_features, k, ne, channel, there, t * r, g, P, C, LAST)
        _add(of_features, k, sw, channel, there, b * l, g, P, C, LAST)
        _add(of_features, k, se, channel, there, b * r, g, P, C, LAST)
        in_nw += tl.sum(g * f_nw, 1)
        in_ne += tl.sum(g * f_ne, 1)
        in_sw += tl.sum(g * f_sw, 1)
        in_se += tl.sum(g * f_se, 1)
    du = t * (rise_x * in_ne - fall_x * in_nw) + b * (rise_x * in_se - fall_x * in_sw)
    dv = l * (rise_y * in_sw - fall_y * in_nw) + r * (rise_y * in_se - fall_y * in_ne)
    tl.store(of_flow + n * 2 * P + pixel, du, pixel < P)
    tl.store(of_flow + (n * 2 + 1) * P + pixel, dv, pixel < P)
