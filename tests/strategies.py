"""What Hypothesis draws: small devices, maps, rates and blocks."""

from hypothesis import strategies as st

from latpred import Bottleneck, Channel, HardwareProfile, Layer, Spatial, load_profile

batches = st.sampled_from([1, 2, 7, 32])
rates = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.floats(0.01, 0.99))
shipped = st.sampled_from(["v100", "rtx3090", "rtx3060", "tx2", "nano"]).map(load_profile)
profiles = st.builds(
    HardwareProfile,
    name=st.just("drawn"),
    pes=st.integers(1, 90),
    fp32_lanes_per_pe=st.sampled_from([1, 24, 32, 64, 128]),
    clock_hz=st.floats(5e8, 3e9),
    dram_bandwidth=st.floats(1e10, 4e12),
    l2_bandwidth_ratio=st.floats(1, 8),
    transaction_elements=st.integers(1, 16),
    cycles_in_flight=st.integers(1, 8),
    kernel_s=st.sampled_from([0.0, 1e-6, 8e-6]),
    overlap=st.sampled_from(["add", "max"]),
)


@st.composite
def blocks(draw):
    """Bottlenecks with a small map, c_in = c_out where they are not strided."""
    groups, stride = draw(st.sampled_from([1, 1, 2, 4])), draw(st.sampled_from([1, 1, 2]))
    inner, ratio = groups * draw(st.integers(1, 12)), draw(st.sampled_from([1, 4]))
    edge = st.integers(2, 10)
    c_in = draw(st.integers(4, 64)) if stride > 1 else inner * ratio
    return Bottleneck(
        c_in=c_in,
        c_out=inner * ratio,
        bottleneck_ratio=ratio,
        height=draw(edge) * stride,
        width=draw(edge) * stride,
        stride=stride,
        groups=groups,
        se=c_in >= 4 and draw(st.booleans()),  # squeezed to a quarter of c_in
    )


def paradigms(block, r):
    """Every paradigm at rate `r`, with granularities that fit the block."""
    edge, channels = min(block.out_height, block.out_width), min(block.c_in, block.inner)
    return st.one_of(
        st.builds(Spatial, S=st.integers(1, edge), r=r),
        st.builds(Channel, G=st.integers(1, channels), r=r),
        st.builds(Layer, r=r),
    )
