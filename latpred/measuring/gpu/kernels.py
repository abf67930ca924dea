"""The Triton kernels. Maps are NHWC; a filter's channels in, or its channels out, lie side by side. Sums are FP32.

One implicit-GEMM convolution with compile-time switches serves dense, patch, channel and layer skipping; the rest is
bandwidth: compaction of masks, pooling, small linear layers, scaling, and scatter-add.
"""

import triton
import triton.language as tl


@triton.jit
def convolution_kernel(
    x,
    weights,
    y,
    patches,
    groups_in,
    groups_out,
    mask_weights,
    scores,
    rows,
    height,
    width,
    out_height,
    out_width,
    channels,
    columns,
    x_pitch,
    y_pitch,
    weight_plane,
    weight_tap,
    weight_pitch,
    stride,
    patch_height,
    patch_width,
    patches_across,
    patches_per_map,
    slots,
    ALIGNMENT: tl.constexpr,
    INPUTS_ADJACENT: tl.constexpr,
    GROUP: tl.constexpr,
    RUN: tl.constexpr,
    SLOTS: tl.constexpr,
    KERNEL: tl.constexpr,
    PATCHES: tl.constexpr,
    GROUPS_IN: tl.constexpr,
    GROUPS_OUT: tl.constexpr,
    MASKER: tl.constexpr,
    MASKER_DOT: tl.constexpr,
    RELU: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """A tile of the convolution's GEMM: rows are pixels, columns output channels, the sum runs over taps × channels.

    PATCHES: rows are the pixels of the active patches listed in `patches`, and are stored one after another.
    GROUPS_IN, GROUPS_OUT: the third grid axis is the sample, with its own list of active channel groups; otherwise it
    is the convolution's group. GROUP channels switch together, and RUN of them are known to lie side by side.
    MASKER: the first tile of columns also writes x·mask_weights, a score per pixel.
    INPUTS_ADJACENT: the weights of an output channel and tap lie side by side, else those of an input channel and tap;
    `weight_pitch` is the step along the other axis. Channels, columns and pitches come in units of ALIGNMENT, so that
    the compiler can widen accesses.
    """
    channels = channels * ALIGNMENT
    columns = columns * ALIGNMENT
    x_pitch = x_pitch * ALIGNMENT
    y_pitch = y_pitch * ALIGNMENT
    weight_plane = weight_plane * ALIGNMENT
    weight_tap = weight_tap * ALIGNMENT
    row_pitch = 1 if INPUTS_ADJACENT else weight_pitch * ALIGNMENT
    column_pitch = weight_pitch * ALIGNMENT if INPUTS_ADJACENT else 1
    plane = tl.program_id(2)
    row = tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = tl.program_id(1) * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)
    valid = row < rows
    if PATCHES:
        patch_pixels = patch_height * patch_width
        inside_patch = row % patch_pixels
        patch = tl.load(patches + row // patch_pixels, mask=valid, other=0)
        sample = patch // patches_per_map
        patch = patch % patches_per_map
        out_y = (patch // patches_across) * patch_height + inside_patch // patch_width
        out_x = (patch % patches_across) * patch_width + inside_patch % patch_width
        valid = valid & (out_y < out_height) & (out_x < out_width)
    else:
        sample = row // (out_height * out_width)
        pixel = row % (out_height * out_width)
        out_y = pixel // out_width
        out_x = pixel % out_width
    per_sample: tl.constexpr = GROUPS_IN or GROUPS_OUT
    x_channel = 0
    weight_base = 0
    y_row = row
    y_column = column
    if per_sample:
        sample = plane + sample * 0
        y_row = plane * rows + row
    else:
        x_channel = plane * channels
        weight_base = plane * weight_plane
        y_column = plane * columns + column
    weight_column = column
    if GROUPS_OUT:
        of_column = tl.load(groups_out + plane * (columns // GROUP) + column // GROUP, mask=column < columns, other=0)
        weight_column = tl.max_contiguous(tl.multiple_of(of_column * GROUP + column % GROUP, RUN), RUN)
    first_y = out_y * stride - KERNEL // 2
    first_x = out_x * stride - KERNEL // 2
    total = tl.zeros((BLOCK_ROWS, BLOCK_COLUMNS), dtype=tl.float32)
    score = tl.zeros((BLOCK_ROWS,), dtype=tl.float32)
    scores_16 = tl.zeros((BLOCK_ROWS, 16), dtype=tl.float32)
    steps = tl.cdiv(channels, BLOCK_CHANNELS)
    slot = tl.arange(0, SLOTS)
    # All of a sample's groups at once: looked up in memory, they would delay every step's weights.
    listed = tl.load(groups_in + plane * slots + slot, mask=slot < slots, other=0) if GROUPS_IN else slot
    for step in range(KERNEL * KERNEL * steps):
        tap = step // steps
        channel = (step - tap * steps) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
        in_y = first_y + tap // KERNEL
        in_x = first_x + tap % KERNEL
        inside = valid & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
        pixel_start = ((sample * height + in_y) * width + in_x) * x_pitch + x_channel
        a = tl.load(
            x + pixel_start[:, None] + channel[None, :],
            mask=inside[:, None] & (channel < channels)[None, :],
            other=0.0,
        )
        weight_row = channel
        if GROUPS_IN:
            of_row = tl.gather(listed, tl.minimum(channel // GROUP, SLOTS - 1), 0)
            weight_row = tl.max_contiguous(tl.multiple_of(of_row * GROUP + channel % GROUP, RUN), RUN)
        b = tl.load(
            weights
            + (weight_base + tap * weight_tap)
            + (weight_row * row_pitch)[:, None]
            + (weight_column * column_pitch)[None, :],
            mask=(channel < channels)[:, None] & (column < columns)[None, :],
            other=0.0,
        )
        total = tl.dot(a, b, total, input_precision=PRECISION)
        if MASKER:
            if MASKER_DOT:
                # On the tensor cores, as the first of sixteen columns: `a` need not leave the shared memory.
                m_16 = tl.load(
                    mask_weights + channel[:, None] + tl.arange(0, 16)[None, :] * channels,
                    mask=(channel < channels)[:, None],
                    other=0.0,
                )
                scores_16 = tl.dot(a, m_16, scores_16, input_precision=PRECISION)
            else:
                m = tl.load(mask_weights + channel, mask=channel < channels, other=0.0)
                score += tl.sum(a * m[None, :], 1)
    if MASKER and tl.program_id(1) == 0:
        tl.store(scores + row, score + tl.sum(scores_16, 1), mask=row < rows)
    if RELU:
        total = tl.maximum(total, 0.0)
    tl.store(
        y + y_row[:, None] * y_pitch + y_column[None, :],
        total.to(y.dtype.element_ty),
        mask=(row < rows)[:, None] & (column < columns)[None, :],
    )


@triton.jit
def compaction_kernel(
    scores,
    thresholds,
    active_items,
    ranks,
    height,
    width,
    patch_height,
    patch_width,
    across,
    items,
    budget,
    item_offset,
    BLOCK_ITEMS: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
):
    """One map of scores: the items whose summed score exceeds their threshold, at most `budget`, and their ranks."""
    image = tl.program_id(0)
    found = 0
    for first in range(0, items, BLOCK_ITEMS):
        item = first + tl.arange(0, BLOCK_ITEMS)
        top = (item // across) * patch_height
        left = (item % across) * patch_width
        score = tl.zeros((BLOCK_ITEMS,), dtype=tl.float32)
        for start in range(0, patch_height * patch_width, BLOCK_PIXELS):
            pixel = start + tl.arange(0, BLOCK_PIXELS)
            row = top[:, None] + (pixel // patch_width)[None, :]
            column = left[:, None] + (pixel % patch_width)[None, :]
            inside = (item < items)[:, None] & (pixel < patch_height * patch_width)[None, :]
            inside = inside & (row < height) & (column < width)
            score += tl.sum(tl.load(scores + (image * height + row) * width + column, mask=inside, other=0.0), 1)
        threshold = tl.load(thresholds + image * items + item, mask=item < items, other=float("inf"))
        on = (score > threshold) & (item < items)
        rank = found + tl.cumsum(on.to(tl.int32), 0) - 1
        on = on & (rank < budget)
        tl.store(active_items + image * budget + rank, image * item_offset + item, mask=on)
        tl.store(ranks + image * items + item, tl.where(on, image * budget + rank, -1), mask=item < items)
        found += tl.sum(on.to(tl.int32), 0)


@triton.jit
def scatter_add_kernel(
    residual,
    compact,
    ranks,
    y,
    pixels,
    width,
    map_pixels,
    channels,
    patch_height,
    patch_width,
    patches_across,
    patches_per_map,
    ALIGNMENT: tl.constexpr,
    SPARSE: tl.constexpr,
    RELU: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """residual + the patches that are active, in one pass over the map; SPARSE off: residual + compact.

    Channels come in units of ALIGNMENT, so that the compiler can widen accesses.
    """
    channels = channels * ALIGNMENT
    pixel = tl.program_id(0) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    channel = tl.program_id(1) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
    value = tl.load(residual + pixel[:, None] * channels + channel[None, :], mask=inside, other=0.0).to(tl.float32)
    if SPARSE:
        sample = pixel // map_pixels
        row = (pixel % map_pixels) // width
        column = (pixel % map_pixels) % width
        patch = (row // patch_height) * patches_across + column // patch_width
        rank = tl.load(ranks + sample * patches_per_map + patch, mask=pixel < pixels, other=-1)
        source = (rank * patch_height + row % patch_height) * patch_width + column % patch_width
        present = inside & (rank >= 0)[:, None]
    else:
        source = pixel
        present = inside
    value += tl.load(compact + source[:, None] * channels + channel[None, :], mask=present, other=0.0).to(tl.float32)
    if RELU:
        value = tl.maximum(value, 0.0)
    tl.store(y + pixel[:, None] * channels + channel[None, :], value.to(y.dtype.element_ty), mask=inside)


@triton.jit
def pool_kernel(
    x,
    y,
    pixels,
    channels,
    splits,
    ALIGNMENT: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """The share of the mean that BLOCK_PIXELS pixels of one sample contribute, for a block of channels."""
    channels = channels * ALIGNMENT
    sample = tl.program_id(2)
    split = tl.program_id(0)
    channel = tl.program_id(1) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    pixel = split * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
    source = (sample * pixels + pixel)[:, None] * channels + channel[None, :]
    total = tl.sum(tl.load(x + source, mask=inside, other=0.0).to(tl.float32), 0)
    tl.store(y + (sample * splits + split) * channels + channel, total / pixels, mask=channel < channels)


@triton.jit
def linear_kernel(
    x,
    weights,
    y,
    splits,
    c_in,
    c_out,
    ACTIVATION: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK_IN: tl.constexpr,
    BLOCK_SPLITS: tl.constexpr,
):
    """A block of outputs of a fully connected layer for one sample, whose input is the sum of `splits` rows."""
    sample = tl.program_id(1)
    out = tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    total = tl.zeros((BLOCK_OUT,), dtype=tl.float32)
    for start in range(0, c_in, BLOCK_IN):
        channel = start + tl.arange(0, BLOCK_IN)
        value = tl.zeros((BLOCK_IN,), dtype=tl.float32)
        for first in range(0, splits, BLOCK_SPLITS):
            split = first + tl.arange(0, BLOCK_SPLITS)
            source = (sample * splits + split)[:, None] * c_in + channel[None, :]
            parts = tl.load(x + source, mask=(split < splits)[:, None] & (channel < c_in)[None, :], other=0.0)
            value += tl.sum(parts, 0)
        inside = (out < c_out)[:, None] & (channel < c_in)[None, :]
        w = tl.load(weights + out[:, None] * c_in + channel[None, :], mask=inside, other=0.0)
        total += tl.sum(w.to(tl.float32) * value[None, :], 1)
    if ACTIVATION == "relu":
        total = tl.maximum(total, 0.0)
    if ACTIVATION == "sigmoid":
        total = 1.0 / (1.0 + tl.exp(-total))
    tl.store(y + sample * c_out + out, total, mask=out < c_out)


@triton.jit
def scale_kernel(x, factors, y, elements, map_elements, channels, BLOCK: tl.constexpr):
    """Each channel of a map times its own number."""
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = element < elements
    factor = tl.load(factors + (element // map_elements) * channels + element % channels, mask=inside, other=0.0)
    value = tl.load(x + element, mask=inside, other=0.0).to(tl.float32) * factor
    tl.store(y + element, value.to(y.dtype.element_ty), mask=inside)
