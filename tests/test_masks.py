"""Rates from masks: against a slow loop over pixels, and the recommendation that follows from them."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

import latpred
from latpred.workloads import masks as mask_module
from latpred.workloads.masks import rates_from_masks

MAPS = (56, 28, 14, 7)


def saved(folder, *arrays, compressed=False):
    path = folder / "masks.npz"
    (np.savez_compressed if compressed else np.savez)(path, *arrays)
    return path


def slow_rate(masks, S):
    """Every pixel of every patch is looked at; patches that stick out of the map count."""
    samples, height, width = masks.shape
    active = patches = 0
    for sample in range(samples):
        for top in range(0, height, S):
            for left in range(0, width, S):
                rows = range(top, min(top + S, height))
                columns = range(left, min(left + S, width))
                active += any(masks[sample, row, column] for row in rows for column in columns)
                patches += 1
    return active / patches


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 7), (5, 9), (13, 6), (1, 4)])
def test_counts_as_a_slow_loop_does(tmp_path, height, width):
    masks = np.random.default_rng(height * width).random((11, height, width)) < 0.15
    found = rates_from_masks(saved(tmp_path, masks, compressed=True), S=[3, 5])
    assert (found.samples, found.maps) == (11, ((height, width),))
    assert {1, 2 ** (min(height, width).bit_length() - 1), 3 if min(height, width) >= 3 else 1} <= set(found.rates[0])
    assert found.layer_rates == (np.mean([sample.any() for sample in masks]),)
    for S, rate in found.rates[0].items():
        assert rate == slow_rate(masks, S)


def test_reads_in_pieces(tmp_path, monkeypatch):
    masks = np.random.default_rng(0).random((23, 6, 6)) < 0.2
    path = saved(tmp_path, masks)
    whole = rates_from_masks(path)
    monkeypatch.setattr(mask_module, "_CHUNK_BYTES", 5 * 36)
    assert rates_from_masks(path) == whole


def blobs(rng, samples, edge, share):
    """One solid square per sample, of the given share of the map's pixels on average."""
    masks = np.zeros((samples, edge, edge), bool)
    for mask in masks:
        # Squares of the edges around √share, so that the mean share is met to a few parts in a thousand.
        side = share**0.5 * edge
        side = int(side) + (rng.random() < (share * edge**2 - int(side) ** 2) / (2 * int(side) + 1))
        top, left = rng.integers(edge - side + 1, size=2)
        mask[top : top + side, left : left + side] = True
    return masks


def test_scattered_pixels_want_a_finer_granularity_than_blobs(tmp_path):
    """The same share of active pixels, 0.3; only their places differ."""
    rng, network, profile = np.random.default_rng(0), latpred.load_network("resnet50"), latpred.load_profile("v100")
    solid = rates_from_masks(saved(tmp_path, *(blobs(rng, 400, edge, 0.3) for edge in MAPS)))
    scattered = rates_from_masks(saved(tmp_path, *(rng.random((400, edge, edge)) < 0.3 for edge in MAPS)))
    for one, other in zip(solid.rates, scattered.rates, strict=True):
        assert one[1] == pytest.approx(0.3, abs=0.02)
        assert other[1] == pytest.approx(0.3, abs=0.02)
    coarse = latpred.recommend_granularity(network, profile, solid).S
    fine = latpred.recommend_granularity(network, profile, scattered).S
    assert all(one <= other for one, other in zip(fine, coarse, strict=True))
    assert sum(fine) < sum(coarse)


def test_layer_skipping_runs_where_any_pixel_is_active(tmp_path):
    """On a map that is not square no S covers all of it."""
    network = latpred.load_network("resnet50", (64, 512))
    empty = [np.zeros((10, *size), bool) for size in network.maps]
    for masks in empty:
        masks[:4, 0, 0] = True
    found = latpred.recommend_granularity(
        network, latpred.load_profile("v100"), rates_from_masks(saved(tmp_path, *empty))
    )
    assert [row.rate for row in found.candidates if row.granularity is None] == [0.4] * 4


def test_the_recommendation_is_the_fastest_s_at_its_own_rate(tmp_path):
    """By hand: the latency of every S at the rate that the masks have there."""
    rng, network, profile = np.random.default_rng(1), latpred.load_network("resnet50"), latpred.load_profile("v100")
    rates = rates_from_masks(saved(tmp_path, *(blobs(rng, 50, edge, 0.3) for edge in MAPS)))
    found = latpred.recommend_granularity(network, profile, rates)
    for number, chosen in enumerate(found.S, start=1):
        divisors = [S for S in range(1, MAPS[number - 1]) if MAPS[number - 1] % S == 0]
        stage = network.stage(number)
        latency = {
            S: latpred.predict(stage, profile, latpred.Spatial(S=S, r=rates.rate(number, S))).latency_s
            for S in divisors
            if rates.rate(number, S) <= 0.99
        }
        assert latency[chosen] == min(latency.values())


ARRAYS = {
    "got bool (3, 7)": np.ones((3, 7), bool),
    "got uint8 (3, 7, 7)": np.ones((3, 7, 7), np.uint8),
    "got bool (0, 7, 7)": np.ones((0, 7, 7), bool),
    "in column-major order": np.asfortranarray(np.ones((3, 7, 7), bool)),
    "got object (2,)": np.array([None, 1], dtype=object),
}


@pytest.mark.parametrize("message", ARRAYS)
def test_arrays_that_are_no_masks(tmp_path, message):
    with pytest.raises(latpred.DataError) as error:
        rates_from_masks(saved(tmp_path, ARRAYS[message]))
    assert "masks.npz: arr_0: expected boolean masks of shape (samples, height, width)" in str(error.value)
    assert message in str(error.value)


def test_every_stage_has_the_same_samples(tmp_path):
    path = saved(tmp_path, np.ones((3, 8, 8), bool), np.ones((2, 4, 4), bool))
    with pytest.raises(latpred.DataError, match="got 3 in arr_0, 2 in arr_1"):
        rates_from_masks(path)


def damaged(tmp_path, how):
    path = saved(tmp_path, np.random.default_rng(0).random((50, 28, 28)) < 0.5, compressed=True)
    content = bytearray(path.read_bytes())
    if how == "truncated":
        del content[len(content) // 2 :]
    if how == "scrambled":
        content[300:1300] = bytes(1000)
    if how == "empty":
        content.clear()
    path.write_bytes(content)
    if how in ("no array", "short", "no members"):
        path = saved(tmp_path)
        with zipfile.ZipFile(path, "w") as archive:
            if how == "no array":
                archive.writestr("stage1.npy", b"hello")
            if how == "short":
                np.save(tmp_path / "full.npy", np.ones((3, 28, 28), bool))
                archive.writestr("stage1.npy", (tmp_path / "full.npy").read_bytes()[:-1])
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", "is no whole .npz file"),
        ("scrambled", "is no whole .npz file"),
        ("empty", "is no whole .npz file"),
        ("no members", "holds no arrays"),
        ("no array", "stage1: is no NumPy array"),
        ("short", "stage1: ends early"),
    ],
)
def test_damaged_files(tmp_path, how, message):
    with pytest.raises(latpred.DataError, match=message):
        rates_from_masks(damaged(tmp_path, how))


def test_a_header_of_a_billion_pixels_is_not_believed(tmp_path):
    """Every edge up to 10⁹ was tried as a divisor, for 36 s, before a byte was read."""
    text = f"{{'descr': '|b1', 'fortran_order': False, 'shape': {(1, 10**9, 10**9)}}}\n".encode()
    with zipfile.ZipFile(tmp_path / "masks.npz", "w") as archive:
        archive.writestr("stage1.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(latpred.DataError, match="stage1: maps of 1000000000×1000000000 pixels are too large"):
        rates_from_masks(tmp_path / "masks.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_stage_that_is_held_twice(tmp_path):
    path = saved(tmp_path, np.ones((1, 4, 4), bool))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("arr_0.npy", b"")
    with pytest.raises(latpred.DataError, match=r"masks.npz: holds 'arr_0' twice"):
        rates_from_masks(path)


def test_the_tenth_stage_comes_after_the_second(tmp_path):
    """In the order of names as text it came between the first and the second."""
    path = saved(tmp_path, *(np.ones((1, edge, edge), bool) for edge in range(12, 0, -1)))
    assert rates_from_masks(path).maps == tuple((edge, edge) for edge in range(12, 0, -1))


def test_no_file_and_no_edge(tmp_path):
    with pytest.raises(latpred.DataError, match="cannot be read"):
        rates_from_masks(tmp_path / "absent.npz")
    with pytest.raises(latpred.InputError, match="S must be at least 1, got -2"):
        rates_from_masks(saved(tmp_path, np.ones((1, 4, 4), bool)), S=[-2])


def test_another_number_of_stages_or_other_maps(tmp_path):
    rates = rates_from_masks(saved(tmp_path, np.ones((1, 8, 8), bool), np.ones((1, 4, 4), bool)))
    with pytest.raises(latpred.InputError, match="S has 3 values; the masks have 2 stages"):
        rates.for_granularity([4, 2, 1])
    with pytest.raises(latpred.InputError, match="the masks are of maps 8×8, 4×4; resnet50 has 56×56"):
        rates.check(latpred.load_network("resnet50"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_files_are_streamed(tmp_path):
    """45 MiB of masks cost no more memory than 4.5 MiB; benchmarks/image_sizes.py does it with 50,000 of them.

    Not by getrusage, whose maximum is inherited from the parent.
    """
    program = (
        "import sys; from latpred.workloads.masks import rates_from_masks; rates_from_masks(sys.argv[1]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    peaks = []
    for samples in (1_500, 15_000):
        path = saved(tmp_path, np.zeros((samples, 56, 56), bool), compressed=True)
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 20  # MiB; the file holds 43 more
