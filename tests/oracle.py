"""The published latency model of MODEL.md sections 1-6, in plain loops: slow, and meant to be read."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tile = tuple[int, ...]


@dataclass(frozen=True)
class Machine:
    """MODEL 1: the device symbols P, F, f, B, lambda, t0, kappa, q and how compute and memory combine."""

    pes: int
    lanes: int
    clock_hz: float
    dram_bandwidth: float
    l2_ratio: float
    kernel_s: float = 8e-6
    cycles_in_flight: int = 4
    transaction: int = 8
    overlap: str = "add"

    @property
    def beta(self) -> float:
        """MODEL 1: off-chip bandwidth in FP32 elements per second."""
        return self.dram_bandwidth / 4

    @property
    def beta2(self) -> float:
        """MODEL 1: on-chip (L2) bandwidth in FP32 elements per second."""
        return self.l2_ratio * self.beta

    @property
    def parallelism(self) -> int:
        """MODEL 1: F * kappa, the parallelism that fills a PE."""
        return self.lanes * self.cycles_in_flight


@dataclass(frozen=True)
class Result:
    """MODEL 1: latency of an operator with its compute and data-movement times, and the tile behind them."""

    latency_s: float
    compute_s: float
    memory_s: float
    tile: Tile | None


# --- section 2: helpers


def quantisation(x: float, p: float) -> float:
    """MODEL 2: quantisation efficiency e(x, p)."""
    return x / (math.ceil(x / p) * p)


def coalescing(machine: Machine, n: int, gap: int) -> float:
    """MODEL 2: coalescing efficiency c(n, gap)."""
    q = machine.transaction
    gap = max(gap, 0)
    if n > q:
        return quantisation(n, q)
    if n + gap > q:
        return n / q
    return n / (n + gap)


def powers(n: int) -> list[int]:
    """MODEL 2 and 5: the powers of two among the candidate tile edges of an extent n."""
    return [2**i for i in range(8) if 2**i <= 2 * n]


def edges(n: int) -> list[int]:
    """MODEL 2: candidate tile edges T(n)."""
    quotients = {math.ceil(n / i) for i in range(1, min(n, 8))}
    small = set(range(2, min(n, 8)))
    return sorted(set(powers(n)) | quotients | small)


@functools.cache
def density(n: int, c: int, p: float) -> float:
    """MODEL 2: D(n, c, p), the expected density of the fullest of n tiles of c channels."""
    if p >= 1:
        return 1.0
    if p <= 0:
        return 0.0
    total = 0.0
    phi = 0.0
    for k in range(c):
        phi += math.exp(math.log(math.comb(c, k)) + k * math.log(p) + (c - k) * math.log1p(-p))
        total += 1 - min(phi, 1.0) ** n
    return max(p, total / c)


def patch_count(height: int, width: int, S: int) -> int:
    """MODEL 2: n_p, the patches of edge S over a map."""
    return math.ceil(height / S) * math.ceil(width / S)


def active_patches(r: float, n_p: int) -> int:
    """MODEL 2: a, the active patches out of n_p."""
    return math.ceil(r * n_p - 1e-9)


def reduction(machine: Machine, batch: int, c: int, n: int) -> float:
    """MODEL 2: Red(c, n), the in-PE tree reduction of n values for c channels, over the batch."""
    F, f = machine.lanes, machine.clock_hz
    seconds = 0.0
    n = math.ceil(n / 2)
    while n > 1:
        seconds += math.ceil(n * c / F) / quantisation(n * c, machine.parallelism) / f
        n = math.ceil(n / 2)
    return seconds * batch


def combine(machine: Machine, compute: float, memory: float) -> float:
    """MODEL 1: compute (+) memory, added or overlapped."""
    if machine.overlap == "add":
        return compute + memory
    if machine.overlap == "max":
        return max(compute, memory)
    raise ValueError(f"overlap is 'add' or 'max', not {machine.overlap!r}")


def search(machine: Machine, axes: Sequence[list[int]], times: Callable[[Tile], tuple[float, float]]) -> Tile:
    """MODEL 2: the first tile, lexicographically, whose cost is within 1e-9 relative of the least."""
    candidates = []
    for tile in itertools.product(*axes):
        compute, memory = times(tile)
        candidates.append((combine(machine, compute, memory), tile))
    least = min(cost for cost, _ in candidates)
    for cost, tile in candidates:
        if cost <= least * (1 + 1e-9):
            return tile
    raise AssertionError("no candidate is the least")


def launch(machine: Machine, compute: float, memory: float, tile: Tile | None) -> Result:
    """MODEL 1: one kernel, (compute (+) memory) + t0."""
    return Result(combine(machine, compute, memory) + machine.kernel_s, compute, memory, tile)


def chain(parts: Sequence[Result]) -> Result:
    """MODEL 5: kernels one after the other, each with its own t0."""
    return Result(
        sum(part.latency_s for part in parts),
        sum(part.compute_s for part in parts),
        sum(part.memory_s for part in parts),
        None,
    )


# --- section 3: convolution


def conv(
    machine: Machine,
    batch: int,
    c_in: int,
    c_out: int,
    height: int,
    width: int,
    kernel: int,
    groups: int,
    stride: int,
) -> Result:
    """MODEL 3: dense convolution."""
    return channel_conv(machine, batch, c_in, c_out, height, width, kernel, groups, stride, 1.0, 1.0)


def channel_conv(
    machine: Machine,
    batch: int,
    c_in: int,
    c_out: int,
    height: int,
    width: int,
    kernel: int,
    groups: int,
    stride: int,
    r_in: float,
    r_out: float,
) -> Result:
    """MODEL 3: convolution with channel rates."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    k, g, s, rho_i, rho_o = kernel, groups, stride, r_in, r_out
    h, w, C = height // s, width // s, c_in // g
    rho_sum = 1.0 if g == c_in == c_out > 1 else rho_i  # one mask: what a depthwise output sums is on with it

    def times(tile: Tile) -> tuple[float, float]:
        c_t, h_t, w_t = tile
        n_c, n_h, n_w = math.ceil(c_out / c_t), math.ceil(h / h_t), math.ceil(w / w_t)
        n = n_c * n_h * n_w
        W_pe = c_t * C * k**2 * (rho_sum * rho_o if N == 1 else 1)
        I_pe = math.ceil(c_t / (c_out // g)) * C * (h_t + k - 1) * s * (w_t + k - 1) * s
        O_pe = c_t * h_t * w_t
        L2 = n * (W_pe + I_pe * rho_i * N + O_pe * rho_o * N)
        DRAM = (
            c_out * C * k**2 * (rho_o if N == 1 else 1) + c_in * h * s * w * s * N * rho_i + c_out * h * w * N * rho_o
        )
        memory = DRAM / beta + L2 / (beta2 * coalescing(machine, w_t, w - w_t))
        compute = (
            (c_t * h_t * w_t * C * k**2 * N / (f * F))
            * rho_sum
            * density(n_c, c_t, rho_sum * rho_o)
            / quantisation(c_t * h_t * w_t, Fk)
            * math.ceil(n / P)
        )
        return compute, memory

    tile = search(machine, [edges(c_out), edges(h), edges(w)], times)
    return launch(machine, *times(tile), tile)


# --- section 4: patch convolution


def dynamic_conv(
    machine: Machine,
    batch: int,
    c_in: int,
    c_out: int,
    height: int,
    width: int,
    kernel: int,
    groups: int,
    stride: int,
    S: int,
    r: float,
    indexed: bool,
    r_in: float = 1.0,
    r_out: float = 1.0,
) -> Result:
    """MODEL 4: convolution of the active patches; tile (m, c_t, h_t, w_t) chosen at the mean count."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    k, g, s, rho_i, rho_o = kernel, groups, stride, r_in, r_out
    h, w, C = height // s, width // s, c_in // g
    n_p = patch_count(h, w, S)
    rho_sum = 1.0 if g == c_in == c_out > 1 else rho_i

    def times(tile: Tile, x: float) -> tuple[float, float]:
        m, c_t, h_t, w_t = tile
        n_c, n_h, n_w = math.ceil(c_out / c_t), math.ceil(S / h_t), math.ceil(S / w_t)
        n = n_c * n_h * n_w
        W_pe = c_t * C * k**2 * (rho_sum * rho_o if N == 1 else 1)
        I_pe = math.ceil(c_t / (c_out // g)) * C * (h_t + k - 1) * s * (w_t + k - 1) * s * x
        O_pe = c_t * h_t * w_t * x
        L2 = n * (W_pe + I_pe * rho_i * N + O_pe * rho_o * N)
        I = c_in * h * s * w * s if indexed else x * c_in * (S + k - 1) * s * (S + k - 1) * s  # noqa: E741
        DRAM = c_out * C * k**2 + I * rho_i * N + x * c_out * S**2 * rho_o * N
        memory = DRAM / beta + L2 / beta2
        if x == 0:
            return 0.0, memory
        compute = (
            (c_t * h_t * w_t * C * k**2 * m)
            / (f * F * quantisation(c_t * h_t * w_t * N * m, Fk))
            * math.ceil(x / m)
            * rho_sum
            * density(n_c, c_t, rho_sum * rho_o)
            * N
            * math.ceil(n / P)
        )
        return compute, memory

    axes = [edges(256), edges(c_out), edges(S), edges(S)]
    tile = search(machine, axes, lambda tile: times(tile, (1 + n_p) / 2))
    return launch(machine, *times(tile, active_patches(r, n_p)), tile)


# --- section 5: element-wise and small operators


def add(machine: Machine, batch: int, channels: int, height: int, width: int) -> Result:
    """MODEL 5: add."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, Fk = machine.beta, machine.parallelism
    c, h, w = channels, height, width

    def times(tile: Tile) -> tuple[float, float]:
        c_t, h_t, w_t = tile
        n = math.ceil(c / c_t) * math.ceil(h / h_t) * math.ceil(w / w_t)
        memory = 3 * c_t * h_t * w_t * n * N / beta
        compute = c_t * h_t * w_t / (f * F * quantisation(c_t * h_t * w_t, Fk)) * math.ceil(n / P) * N
        return compute, memory

    tile = search(machine, [edges(c), edges(h), edges(w)], times)
    return launch(machine, *times(tile), tile)


def scatter_add(machine: Machine, batch: int, channels: int, height: int, width: int, S: int, r: float) -> Result:
    """MODEL 5: scatter-add; tile (m, c_t, h_t, w_t) chosen at the mean count."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    c, h, w = channels, height, width
    n_p = patch_count(h, w, S)

    def times(tile: Tile, x: float) -> tuple[float, float]:
        m, c_t, h_t, w_t = tile
        n = math.ceil(c / c_t) * math.ceil(S / h_t) * math.ceil(S / w_t)
        L2 = 3 * c_t * h_t * w_t * x * n * N
        DRAM = N * (x * c * S**2 + 2 * c * h * w)
        memory = DRAM / beta + L2 / (beta2 * coalescing(machine, w_t, S - w_t))
        compute = (
            (c_t * h_t * w_t * m)
            / (f * F * quantisation(c_t * h_t * w_t * N * m, Fk))
            * math.ceil(x / m)
            * N
            * math.ceil(n / P)
        )
        return compute, memory

    axes = [edges(n_p), edges(c), edges(S), edges(S)]
    tile = search(machine, axes, lambda tile: times(tile, (1 + n_p) / 2))
    return launch(machine, *times(tile, active_patches(r, n_p)), tile)


def gather(machine: Machine, batch: int, channels: int, height: int, width: int, S: int, r: float, pad: int) -> Result:
    """MODEL 5: gather (or scatter) on its own."""
    c, h, w, N = channels, height, width, batch
    beta, beta2 = machine.beta, machine.beta2
    p = S + 2 * pad
    a = active_patches(r, patch_count(h, w, S))
    E = c * a * p**2
    memory = N * ((c * h * w + E) / beta + E / (beta2 * coalescing(machine, p, w - p)) + E / beta2)
    return launch(machine, 0.0, memory, None)


def avg_pool(
    machine: Machine, batch: int, channels: int, height: int, width: int, out_height: int, out_width: int
) -> Result:
    """MODEL 5: average pool."""
    beta, beta2, N = machine.beta, machine.beta2, batch
    moved = channels * height * width + channels * out_height * out_width
    return launch(machine, 0.0, N * moved * (1 / beta + 1 / beta2), None)


def fc(machine: Machine, batch: int, c_in: int, c_out: int) -> Result:
    """MODEL 5: fully connected; tile (co_t, ci_t)."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism

    def times(tile: Tile) -> tuple[float, float]:
        co_t, ci_t = tile
        n = co_t * ci_t
        L2 = (co_t * ci_t + ci_t + co_t) * n * N
        DRAM = (c_in * c_out + c_in + c_out) * N
        memory = DRAM / beta + L2 / (beta2 * coalescing(machine, ci_t, c_in))
        compute = ci_t * co_t * N / (f * F * quantisation(ci_t * co_t * N, Fk)) * math.ceil(n / P)
        return compute, memory

    tile = search(machine, [edges(c_out), edges(c_in)], times)
    return launch(machine, *times(tile), tile)


def global_pool(machine: Machine, batch: int, channels: int, height: int, width: int) -> Result:
    """MODEL 5: the global pool inside SE; tile (c_t,)."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    c, h, w = channels, height, width

    def times(tile: Tile) -> tuple[float, float]:
        (c_t,) = tile
        n_c = math.ceil(c / c_t)
        n = n_c * h * w
        memory = N * (n * c_t * (1 / beta + 1 / beta2) + n_c * (c_t * h * w + c_t) / beta2)
        compute = c_t / (f * F * quantisation(c_t, Fk)) * math.ceil(n / P)
        return compute + reduction(machine, N, c_t, h * w), memory

    tile = search(machine, [powers(c)], times)
    return launch(machine, *times(tile), tile)


def multiply(machine: Machine, batch: int, channels: int, height: int, width: int) -> Result:
    """MODEL 5: channel-wise multiply; tile (c_t, h_t, w_t)."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    c, h, w = channels, height, width

    def times(tile: Tile) -> tuple[float, float]:
        c_t, h_t, w_t = tile
        n = math.ceil(c / c_t) * math.ceil(h / h_t) * math.ceil(w / w_t)
        L2 = n * (2 * c_t * h_t * w_t + c_t)
        DRAM = 2 * c * h * w + c
        memory = N * (DRAM / beta + L2 / (beta2 * coalescing(machine, w_t, w - w_t)))
        compute = c_t * h_t * w_t / (f * F * quantisation(c_t * h_t * w_t, Fk)) * math.ceil(n / P) * N
        return compute, memory

    tile = search(machine, [edges(c), edges(h), edges(w)], times)
    return launch(machine, *times(tile), tile)


def squeeze_and_excitation(
    machine: Machine, batch: int, channels: int, height: int, width: int, squeeze: int
) -> Result:
    """MODEL 5: squeeze-and-excitation."""
    return chain(
        [
            global_pool(machine, batch, channels, height, width),
            fc(machine, batch, channels, squeeze),
            fc(machine, batch, squeeze, channels),
            multiply(machine, batch, channels, height, width),
        ]
    )


se = squeeze_and_excitation  # the golden name; `block` has an argument of that name


def dynamic_pool(machine: Machine, batch: int, channels: int, height: int, width: int, S: int, r: float) -> Result:
    """MODEL 5: the pool over active patches inside dynamic SE; tile (m, c_t, h_t, w_t) at the mean count."""
    P, F, f, N = machine.pes, machine.lanes, machine.clock_hz, batch
    beta, beta2, Fk = machine.beta, machine.beta2, machine.parallelism
    c, h, w = channels, height, width
    n_p = patch_count(h, w, S)

    def times(tile: Tile, x: float, extent_h: int, extent_w: int) -> tuple[float, float]:
        m, c_t, h_t, w_t = tile
        n = math.ceil(c / c_t) * math.ceil(S / h_t) * math.ceil(S / w_t)
        L2 = (c_t * h_t * w_t * x + c_t) * n + c_t * math.ceil(h / h_t) * math.ceil(w / w_t) + c_t
        DRAM = x * c * S**2 + c * h * w
        memory = N * (DRAM / beta + L2 / (beta2 * coalescing(machine, w_t, S - w_t)))
        v = math.ceil(extent_h / h_t) * math.ceil(extent_w / w_t)
        sums = c_t * h_t * w_t * m / (f * F * quantisation(c_t * m, Fk)) * math.ceil(x / m)
        means = c_t * m / (f * F * quantisation(c_t, Fk))
        compute = N * (sums + means) * math.ceil(n / P) + reduction(machine, N, c_t, v)
        return compute, memory

    axes = [edges(n_p), edges(c), edges(S), edges(S)]
    tile = search(machine, axes, lambda tile: times(tile, (1 + n_p) / 2, S, S))
    return launch(machine, *times(tile, active_patches(r, n_p), h, w), tile)


def dynamic_se(
    machine: Machine, batch: int, channels: int, height: int, width: int, squeeze: int, S: int, r: float
) -> Result:
    """MODEL 5: dynamic squeeze-and-excitation."""
    return chain(
        [
            dynamic_pool(machine, batch, channels, height, width, S, r),
            fc(machine, batch, channels, squeeze),
            fc(machine, batch, squeeze, channels),
            multiply(machine, batch, channels, height, width),
        ]
    )


def channel_masker(
    machine: Machine, batch: int, channels: int, height: int, width: int, G: int, layers: int = 2
) -> Result:
    """MODEL 5: channel masker, an average pool and one or two FCs."""
    u = channels // G
    if u == 1:
        return Result(0.0, 0.0, 0.0, None)
    pool = avg_pool(machine, batch, channels, height, width, 1, 1)
    if layers == 1:
        return chain([pool, fc(machine, batch, channels, u)])
    hidden = u // min(16, u)
    return chain([pool, fc(machine, batch, channels, hidden), fc(machine, batch, hidden, u)])


def masker_conv1(
    machine: Machine,
    batch: int,
    c_in: int,
    c_out: int,
    height: int,
    width: int,
    S: int,
    r: float,
    force_fused: bool = False,
) -> Result:
    """MODEL 5: spatial masker and first convolution, the cheaper of fused and separate."""
    fused = conv(machine, batch, c_in, c_out + 1, height, width, 1, 1, 1)
    if force_fused:
        return fused
    separate = chain(
        [
            conv(machine, batch, c_in, 2, height, width, 1, 1, 1),
            dynamic_conv(machine, batch, c_in, c_out, height, width, 1, 1, 1, S, r, True),
        ]
    )
    return fused if fused.latency_s <= separate.latency_s else separate


# --- section 6: residual bottleneck block


def block(
    machine: Machine,
    batch: int,
    c_in: int,
    c_out: int,
    bottleneck_ratio: int,
    height: int,
    width: int,
    stride: int,
    groups: int,
    se: bool,
    paradigm: str,
    S: int | None = None,
    G: int | None = None,
    r: float | None = None,
) -> float:
    """MODEL 6: seconds of a residual bottleneck block for the whole batch; height and width of its input."""
    middle = c_out // bottleneck_ratio  # w of MODEL 6
    h, w = height // stride, width // stride
    squeeze = round(0.25 * c_in)

    def static_operators() -> list[Result]:
        operators = [
            conv(machine, batch, c_in, middle, height, width, 1, 1, 1),
            conv(machine, batch, middle, middle, height, width, 3, groups, stride),
            conv(machine, batch, middle, c_out, h, w, 1, 1, 1),
            add(machine, batch, c_out, h, w),
        ]
        if se:
            operators.append(squeeze_and_excitation(machine, batch, middle, h, w, squeeze))
        return operators

    shortcut = []
    if stride > 1:
        shortcut.append(conv(machine, batch, c_in, c_out, height, width, 1, 1, stride))

    if paradigm == "static":
        return sum(part.latency_s for part in static_operators() + shortcut)

    if r is None:
        raise ValueError(f"paradigm {paradigm!r} needs r")

    if paradigm == "spatial":
        if S is None:
            raise ValueError("paradigm 'spatial' needs S")
        operators = [
            masker_conv1(machine, batch, c_in, middle, height, width, S, r),
            dynamic_conv(machine, batch, middle, middle, height, width, 3, groups, stride, S, r, True),
            dynamic_conv(machine, batch, middle, c_out, h, w, 1, 1, 1, S, r, False),
            scatter_add(machine, batch, c_out, h, w, S, r),
        ]
        if se:
            operators.append(dynamic_se(machine, batch, middle, h, w, squeeze, S, r))
        return sum(part.latency_s for part in operators + shortcut)

    if paradigm == "channel":
        if G is None:
            raise ValueError("paradigm 'channel' needs G")
        operators = [
            channel_conv(machine, batch, c_in, middle, height, width, 1, 1, 1, 1.0, r),
            channel_masker(machine, batch, c_in, height, width, G),
            channel_conv(machine, batch, middle, middle, height, width, 3, groups, stride, r, r),
            channel_conv(machine, batch, middle, c_out, h, w, 1, 1, 1, r, 1.0),
            scatter_add(machine, batch, c_out, h, w, 1, 1.0),
        ]
        if se:
            operators.append(dynamic_se(machine, batch, middle, h, w, squeeze, 1, 1.0))
        return sum(part.latency_s for part in operators + shortcut)

    if paradigm == "layer":
        masker = channel_conv(machine, batch, c_in, middle + 1, height, width, 1, 1, 1, 1.0, 0.0)
        fixed = sum(part.latency_s for part in [masker, *shortcut])
        return fixed + r * sum(part.latency_s for part in static_operators())

    raise ValueError(f"unknown paradigm {paradigm!r}")
