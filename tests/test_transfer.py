"""One device's calibration on another: by hand, and on an H100 whose measurements were never fitted."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import latpred
from latpred import Layer, Spatial, Static, predict
from latpred.devices.writing import save_profile
from latpred.measuring.measurements import read_measurements
from latpred.measuring.validation import validate
from latpred.models.calibrated import device_of
from latpred.precision import PRECISIONS
from latpred.show.tables import verdict

ROOT = Path(__file__).parents[1]
H100, H200, V100, TX2, NANO = map(latpred.load_profile, ("h100", "h200", "v100", "tx2", "nano"))
ADD = latpred.Add(channels=256, height=56, width=56)
BLOCK = latpred.load_block("resnet50-stage1")
SKIPPING = Spatial(S=4, r=0.6)


def carried(target, device, precision="fp32", paradigm=Static(), batch=8, **more):  # noqa: B008
    return predict(target, device, paradigm, batch=batch, model="calibrated", precision=precision, **more)


def addition(precision, *, moved, slower, dram, l2, l2_bytes):
    """Time of an addition [s]: what the L2 holds comes from it, and times are `slower` times as long as on the H200."""
    n = {number.name: number.value for number in H200.calibration(precision).numbers}
    missing = moved**3 / (moved**3 + (n["cache_share"] * l2_bytes) ** 3)
    memory = missing * moved / dram + (1 - missing) * moved / l2
    p = n["overlap"]
    return slower * n["kernel_s"] + ((slower * n["serial_s"]) ** p + memory**p) ** (1 / p)


# --- by hand


def test_an_addition_on_a_device_that_has_only_a_data_sheet():
    """89 % of the A100's 1.555 TB/s, 88 % of the 5.42 TB/s that others read from its L2 of 40 MiB; by the clocks."""
    expected = addition(
        "fp32",
        moved=4 * 3 * 256 * 56 * 56 * 8,
        slower=1.98 / 1.41,
        dram=0.89 * 1.555e12,
        l2=0.88 * 5.42e12,
        l2_bytes=40 * 2**20,
    )
    assert carried(ADD, "a100", library="triton").latency_s == pytest.approx(expected, rel=1e-12)


def test_an_addition_on_a_device_with_measured_peaks():
    """The H100's own, with the H200's clock."""
    moved = 4 * 3 * 256 * 56 * 56 * 8
    expected = addition("fp32", moved=moved, slower=1, dram=3.017e12, l2=9.278e12, l2_bytes=50 * 2**20)
    assert carried(ADD, H100).latency_s == pytest.approx(expected, rel=1e-12)


def test_an_addition_of_halves_without_tensor_cores():
    """What FP32 was fitted to, at 921.6 MHz; two bytes an element; the L2 four times as fast as 25.6 GB/s."""
    expected = addition(
        "fp32",
        moved=2 * 3 * 256 * 56 * 56 * 8,
        slower=1.98e9 / 921.6e6,
        dram=0.89 * 25.6e9,
        l2=0.88 * 4 * 25.6e9,
        l2_bytes=256 * 2**10,
    )
    assert carried(ADD, NANO, "fp16", library="triton").latency_s == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("device", "precision", "macs", "lane_macs"),
    [  # data sheets' peaks [FLOP/s]: FP32 0.91, tensor cores 0.77 of them; halves in pairs are lanes
        ("a100", "fp32", 0.91 * 19.5e12, 0.91 * 19.5e12),
        ("a100", "tf32", 0.77 * 156e12, 0.91 * 19.5e12),
        ("a100", "fp16", 0.77 * 312e12, 0.91 * 19.5e12),
        ("v100", "fp16", 0.77 * 125e12, 0.91 * 15.7e12),
        ("tx2", "fp16", 0.91 * 1.3312e12, 0.91 * 1.3312e12),
        ("h100", "tf32", 2 * 201.5e12, 2 * 30.47e12),
    ],
)
def test_peaks_that_shares_of_the_h200_are_of(device, precision, macs, lane_macs):
    found = device_of(latpred.load_profile(device), precision, H200)
    assert (found.macs, found.lane_macs) == pytest.approx((macs / 2, lane_macs / 2), rel=1e-12)


def test_shares_of_a_data_sheet_are_of_the_data_sheet():
    """The V100's were fitted to its data sheet, of which they are shares: nothing is derived, nothing measured."""
    found = device_of(H100, "fp16", V100)
    assert (found.macs, found.lane_macs, found.dram) == (989e12 / 2, 67e12 / 2, 3.35e12)


def test_a_convolution_of_tensorrt_at_another_clock():
    """Half the clock, with the peaks and bandwidths halved too, takes twice as long, whatever bounds it."""
    sheet = V100.datasheet
    halves = {name: getattr(sheet, name) / 2 for name in ("clock_hz", "dram_bandwidth", "fp32_peak_flops")}
    slow = V100.replace(name="slow", calibrations=(), datasheet=sheet.replace(**halves))
    for kernel in (1, 3):
        conv = latpred.Convolution(c_in=64, c_out=128, height=28, width=28, kernel=kernel)
        there, here = carried(conv, V100), carried(conv, slow, like="v100")
        assert here.latency_s == pytest.approx(2 * there.latency_s, rel=1e-9)


def test_the_same_device_under_another_name():
    """The same to the last bit; in logarithms the band's half-width grows by squares with 0.06."""
    twin = H200.replace(name="twin", calibrations=())
    own, other = carried(BLOCK, H200, "fp16", SKIPPING), carried(BLOCK, twin, "fp16", SKIPPING, like=H200)
    assert other.latency_s == own.latency_s
    halves = [np.log(report.band.high / report.band.low) / 2 for report in (own, other)]
    assert halves[1] ** 2 - halves[0] ** 2 == pytest.approx(0.06**2, rel=1e-9)
    far = carried(BLOCK, twin.replace(pes=100), "fp16", SKIPPING, like=H200)
    assert (np.log(far.band.high / far.band.low) / 2) ** 2 - halves[0] ** 2 == pytest.approx(0.15**2, rel=1e-9)


def test_power_modes():
    """Max-P: 1122 of 1300 MHz. Arithmetic takes 1300/1122 as long, and traffic what it took."""
    slow = latpred.load_profile("TX2@Max-P")
    assert (slow.name, slow.clock_hz) == ("tx2@max-p", 1.122e9)
    assert slow.datasheet.fp16_lane_peak_flops == pytest.approx(1.3312e12 * 1122 / 1300)
    assert slow.datasheet.dram_bandwidth == TX2.datasheet.dram_bandwidth
    conv = latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    (fast,), (found,) = (predict(conv, device, model="roofline").operators for device in (TX2, slow))
    assert found.compute_s == pytest.approx(fast.compute_s * 1300 / 1122, rel=1e-12)
    assert found.memory_s == fast.memory_s
    assert latpred.load_profile("tx2@max-n") == TX2
    # At a clock of its own it has no other: tx2@max-p@max-n is none.
    assert (slow.power_modes, [source.field for source in slow.sources if source.field == "power_modes"]) == ((), [])
    # 5 W: 640 MHz of the data sheet's 921.6, which the papers have as 921.
    assert latpred.load_profile("nano@5w").datasheet.fp32_peak_flops == pytest.approx(2 * 128 * 640e6, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tx2@max-q", "unknown power mode 'max-q'; did you mean max-p? Choose max-n, max-p"),
        ("v100@max-p", "there are no power modes of v100"),
        ("tx3@max-p", "unknown device 'tx3'; did you mean tx2?"),
    ],
)
def test_power_modes_that_are_none(name, message):
    with pytest.raises(latpred.ProfileError) as error:
        latpred.load_profile(name)
    assert str(error.value).startswith(message)


# --- every device


@pytest.mark.parametrize("device", latpred.list_profiles())
def test_every_shipped_device_answers(device):
    """All in FP32 and FP16, those since Ampere in TF32; of the own kernels, and never faster than the data sheet."""
    for precision in PRECISIONS:
        if precision == "tf32" and device in ("v100", "t4", "tx2", "nano", "agx-xavier", "xavier-nx"):
            with pytest.raises(latpred.InputError, match=rf"^{device} has no TF32; choose fp32 or fp16$"):
                carried(BLOCK, device, precision)
            continue
        report = carried(BLOCK, device, precision, SKIPPING)
        bound = predict(BLOCK, latpred.load_profile(device), SKIPPING, batch=8, model="roofline", precision=precision)
        assert report.library == "triton"
        assert report.latency_s > bound.latency_s * 0.6  # the papers' parameters of the V100 and RTX 3090 are slower
        assert report.latency_low_s < report.latency_s < report.latency_high_s
        if device != "h200":
            assert report.to_dict()["like"] == report.like == "h200"
            judged = (
                r"median error [35]\.[69]% on 506 blocks measured here" if device == "h100" else "never measured here"
            )
            assert re.search(f"fitted on h200, carried over: {judged}", verdict(report).replace("\n", " "))


def test_what_was_judged_is_said_of_what_was_judged_alone():
    """An H100's blocks with an H200's numbers, not with a V100's, and not of another library."""
    judged = {"library": "triton", "precision": "fp16", "like": "h200", "of": "blocks", "rows": 5, "source": "by hand"}
    mine = latpred.load_profile("h100").replace(name="mine", judged=[judged | {"median_error": 0.125}])
    expected = "fitted on h200, carried over: median error 12.5% on 5 blocks measured here"
    assert expected in verdict(carried(BLOCK, mine, "fp16", SKIPPING)).replace("\n", " ")
    other = latpred.Convolution(c_in=64, c_out=64, height=56, width=56)
    assert "never measured here" in verdict(carried(other, mine, "fp16", library="triton")).replace("\n", " ")
    at_batch = mine.replace(judged=[judged | {"median_error": 0.125, "batch": 8}])
    assert f"{expected} at batch 8;" in verdict(carried(BLOCK, at_batch, "fp16", SKIPPING)).replace("\n", " ")
    twin = latpred.load_profile("h200").replace(name="twin")
    for precision, like, library in (("fp32", None, "triton"), ("fp16", None, "pytorch"), ("fp16", twin, "triton")):
        report = carried(BLOCK, mine, precision, like=like, library=library)
        assert "carried over: never measured here but for its peaks" in verdict(report).replace("\n", " ")
    with pytest.raises(latpred.ProfileError, match="median_error"):
        mine.replace(judged=[judged | {"median_error": -0.1}])


def test_what_is_not_there_is_said_in_a_line_each():
    assert "nano has no tensor cores: halves are taken as FP32 in pairs, at twice its rate" in (
        carried(BLOCK, NANO, "fp16").notes
    )
    assert "triton makes no kernels for tx2, which is older than Volta: times are what they would take" in (
        carried(BLOCK, TX2).notes
    )
    mine = latpred.load_profile(ROOT / "examples" / "my_device.yaml")
    assert "orin-like gives no l2_bytes: all maps are taken to come from the off-chip memory" in (
        carried(BLOCK, mine, like="h200").notes
    )


def test_operators_take_the_nearest_library_and_blocks_one_that_has_them():
    """A T4 is like a V100, whose convolutions of TensorRT were fitted, and that like an H200, whose blocks were."""
    conv = latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    assert (carried(conv, "t4").library, carried(conv, "t4").like) == ("tensorrt", "v100")
    assert (carried(BLOCK, "t4").library, carried(BLOCK, "t4").like) == ("triton", "h200")
    assert carried(conv, V100).like is None
    assert carried(conv, H100, like="v100").library == "tensorrt"


# --- on an H100, of which nothing was fitted


@pytest.mark.parametrize("precision", PRECISIONS)
def test_blocks_on_an_h100_that_was_never_fitted(precision):
    """506 measurements of shapes never fitted: at most 7 % with measured peaks, 10 % from the data sheet."""
    rows = read_measurements(ROOT / "measurements" / "h100_held_out.csv.gz")
    for device, most in ((H100, 0.07), (H100.replace(peaks=None), 0.10)):
        (found,) = validate(rows, device, ["calibrated"], precision=precision, like="h200")
        assert found.blocks.n == 506
        assert found.blocks.mape <= most
        assert 0.70 <= found.blocks.band_coverage <= 0.95


# --- bad input


def mine(tmp_path, name, like, **fields):
    path = tmp_path / f"{name}.yaml"
    save_profile(
        latpred.HardwareProfile(
            name=name, pes=46, fp32_lanes_per_pe=96, clock_hz=1.98e9, dram_bandwidth=5e11, calibrate_like=like, **fields
        ),
        path,
    )
    return path


ASK = "--block r50-stage1 --S 4 --r 0.5 --model calibrated"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            f"predict --device h100 --like rtx3090 {ASK}",
            "h100 cannot be like rtx3090, which is not calibrated for fp32; ",
        ),
        (
            f"predict --device h100 --like v100 --precision tf32 {ASK}",
            "h100 cannot be like v100, which is not calibrated for tf32; it is for fp16 with tensorrt, fp32 with",
        ),
        (
            f"predict --device h100 --like h200 --library tensorrt {ASK}",
            "h100 cannot be like h200, which is not calibrated for fp32 with tensorrt; it is for fp16 with triton,",
        ),
        (f"predict --device h100 --like h20 {ASK}", "unknown device 'h20'; did you mean h200?"),
        (
            f"predict --device t4 --library cudnn {ASK}",
            "; nor is any that it is calibrated like (agx-xavier, v100, h200)",
        ),
        (
            "predict --device h100 --like h200 --block r50-stage1 --S 4 --r 0.5",
            "the published model takes no calibration; leave `like` out, or use the calibrated model",
        ),
        (
            f"predict --device mine.yaml {ASK} --precision fp16",
            "mine's peak in FP16 is not known; choose fp32, or give",
        ),
    ],
)
def test_calibrations_that_there_are_not(run, tmp_path, command, message):
    mine(tmp_path, "mine", "h200")
    code, _, err = run(command)
    assert code == 2
    assert message in err


def test_a_circle(run, tmp_path):
    mine(tmp_path, "a", "b.yaml")
    mine(tmp_path, "b", "a.yaml")
    mine(tmp_path, "self", "self.yaml")
    mine(tmp_path, "lost", "h20")
    code, _, err = run(f"predict --device a.yaml {ASK}")
    assert code == 2
    assert err.startswith("latpred: a is not calibrated for fp32; ")
    assert err.endswith("; nor is any that it is calibrated like (b); calibrate_like of b leads back to a.yaml\n")
    assert "; calibrate_like of self leads back to self.yaml\n" in run(f"predict --device self.yaml {ASK}")[2]
    assert run(f"predict --device lost.yaml {ASK}")[2].startswith("latpred: lost: calibrate_like: unknown device 'h20'")
    for name, said in (("a", "calibrate_like of b leads back to a.yaml; leave one of them out"), ("lost", "lost: cal")):
        code, _, err = run(f"devices validate {name}.yaml")
        assert code == 1
        assert err.startswith(f"latpred: {said}")


def test_a_circle_with_a_calibration_in_it_answers(tmp_path, monkeypatch):
    """What is found before the circle closes is taken."""
    monkeypatch.chdir(tmp_path)
    mine(tmp_path, "a", "b.yaml")
    mine(tmp_path, "b", "a.yaml", calibrations=H200.calibrations)
    assert carried(BLOCK, "a.yaml").like == "b"


# --- every command heeds it


@pytest.mark.parametrize(
    "command",
    [
        "predict --network resnet50 --S 4-4-2-1 --r 0.5 --format json",
        "sweep --block r50-stage1 --S 4 --r 0.5 --format csv",
        "recommend-granularity --network resnet50 --r 0.6 --format json",
        "explain --block r50-stage1 --S 4 --r 0.5 --format json",
        "compare --network resnet50 --format json",
        "budget --network resnet50 --latency 5ms --format json",
        "pareto --points points.csv --format json",
    ],
)
def test_every_command_takes_it(run, tmp_path, command):
    """A slower start of kernels than the H200's changes every answer, and each names the device it is from."""
    first = H200.calibration("fp32")
    numbers = tuple(
        number.replace(value=2 * number.value) if number.name == "kernel_s" else number for number in first.numbers
    )
    slow = H200.replace(name="slow", calibrations=(first.replace(numbers=numbers),))
    save_profile(slow, tmp_path / "slow.yaml")
    (tmp_path / "points.csv").write_text(
        "name,network,paradigm,granularity,r,accuracy\nours,resnet50,spatial,4-4-2-1,0.5,0.77\n"
    )
    h200, other = (
        run(f"{command} --device h100 --model calibrated --like {like}")[1] for like in ("h200", "slow.yaml")
    )
    assert "slow" in other
    assert h200 != other.replace("slow", "h200")
    # The H100 is calibrated like the H200 where nothing else is said.
    assert run(f"{command} --device h100 --model calibrated")[1] == h200


def test_tables_of_latencies_keep_it(run, tmp_path):
    run("lut --device a100 --network resnet50 --model calibrated --like h200 --output lut.npz")
    table = latpred.LatencyTable.load(tmp_path / "lut.npz")
    assert table.like == "h200"
    assert "fp32 with triton like h200" in table.summary
    entry = table.index("resnet50-stage1", "layer")
    expected = latpred.predict(BLOCK, "a100", Layer(r=1.0), model="calibrated").latency_s
    assert table.lookup([entry], [1.0])[0] == pytest.approx(expected)


def test_validate_takes_it(run):
    file = ROOT / "measurements" / "h100_held_out.csv.gz"
    asked = f"validate {file} --device h100 --precision fp32 --like"
    code, _, err = run(f"{asked} h200 --model published")
    assert code == 2
    assert "`like` is for the calibrated model; leave it out, or judge that model too" in err
    _, out, _ = run(f"{asked} h200 --model calibrated --format json")
    found = json.loads(out)["models"]["calibrated"]
    assert (found["blocks"]["n"], found["like"]) == (506, ["h200"])
    code, _, err = run(f"{asked} v100 --model calibrated")
    assert code == 2
    assert "h100 cannot be like v100, which is not calibrated for fp32 with triton; it is for fp16 with tensorrt" in err
