"""The Triton kernels of the microbenchmarks: the bandwidth of the cache, and the peak of the FP32 lanes."""

import triton
import triton.language as tl


@triton.jit
def copy_kernel(x, y, elements, passes, BLOCK: tl.constexpr):
    """`passes` times over a buffer: read, and add up; for the bandwidth of the cache that the buffer fits into."""
    programs = tl.num_programs(0)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    blocks = tl.cdiv(elements, BLOCK)
    for number in range(passes * blocks // programs):
        block = (tl.program_id(0) + number * programs) % blocks
        total += tl.load(x + block * BLOCK + tl.arange(0, BLOCK))
    tl.store(y + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), total)


@triton.jit
def multiply_add_kernel(x, y, steps, BLOCK: tl.constexpr):
    """Eight chains of FP32 multiply-adds per element, out of registers: the peak of the lanes."""
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(x + offset)
    c0 = a + 1.0
    c1 = a + 2.0
    c2 = a + 3.0
    c3 = a + 4.0
    c4 = a + 5.0
    c5 = a + 6.0
    c6 = a + 7.0
    c7 = a + 8.0
    for _ in range(steps):
        c0 = tl.fma(a, c0, a)
        c1 = tl.fma(a, c1, a)
        c2 = tl.fma(a, c2, a)
        c3 = tl.fma(a, c3, a)
        c4 = tl.fma(a, c4, a)
        c5 = tl.fma(a, c5, a)
        c6 = tl.fma(a, c6, a)
        c7 = tl.fma(a, c7, a)
    tl.store(y + offset, c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7)
