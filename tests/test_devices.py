"""Device profiles: numbers as a person types them, what is refused, and peaks that are known, absent or unknown."""

import json
import os

import pytest
import yaml

import latpred
from latpred.devices.libraries import NUMBERS
from latpred.devices.profile import HardwareProfile
from latpred.devices.writing import save_profile
from latpred.files import data_folder

LEAST = {"name": "mine", "pes": 46, "fp32_lanes_per_pe": 96, "clock_hz": 1.98e9, "dram_bandwidth": 50e9}
H200 = (data_folder("hardware") / "h200.yaml").read_text(encoding="utf-8")
BLOCK = latpred.load_block("r50-stage1")


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(latpred.DataError) as caught:
        latpred.load_profile(path)
    return str(caught.value).removeprefix(f"{path}: ")


# --- what a person types


def test_numbers_as_a_person_types_them(tmp_path):
    text = "name: mine\npes: '46'\nfp32_lanes_per_pe: 96.0\nclock_hz: 1.98e9\ndram_bandwidth: 504e9\nkernel_s: 5e-6\n"
    text += "default_batch: 1e2\ndatasheet: {fp32_peak_flops: 82.58e12, source: a sheet}\n"
    profile = latpred.load_profile(written(tmp_path, text))
    assert (profile.pes, profile.fp32_lanes_per_pe, profile.clock_hz, profile.dram_bandwidth) == (46, 96, 1.98e9, 504e9)
    assert (profile.kernel_s, profile.default_batch, profile.datasheet.fp32_peak_flops) == (5e-6, 100, 82.58e12)


def test_five_numbers_make_a_device():
    profile = HardwareProfile(**LEAST)
    assert (profile.l2_bandwidth_ratio, profile.kernel_s, profile.validated) == (4, 8e-6, False)  # the papers' values
    assert latpred.predict(BLOCK, profile).notes == (
        "mine's parameters were never validated: no prediction was compared with a measurement",
        "mine gives no l2_bandwidth_ratio: 4 is assumed",
    )
    assert latpred.predict(BLOCK, profile.replace(l2_bandwidth_ratio=4, validated=True)).notes == ()


def test_a_calibration_says_how_far_it_can_be_trusted_so_that_nothing_says_it_is_unknown(tmp_path):
    path = written(tmp_path, H200.replace("validated: true", "validated: false"))
    notes = {
        model: latpred.predict(BLOCK, latpred.load_profile(path), model=model).notes
        for model in ("published", "calibrated")
    }
    assert notes == {"published": (), "calibrated": ()}, "both were compared with measurements"
    without = latpred.load_profile("v100").replace(validated=False)  # single operators, which say nothing of blocks
    assert any("never validated" in note for note in latpred.predict(BLOCK, without).notes)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("clock_hz", 1300, "1300 would be 1.30 kHz; write 1.3e9 for 1.30 GHz"),  # typed in MHz
        ("clock_hz", "1300", "1300 would be 1.30 kHz; write 1.3e9 for 1.30 GHz"),
        ("clock_hz", 1.3, "1.3 would be 1.30 Hz; write 1.3e9 for 1.30 GHz"),  # in GHz
        ("clock_hz", 999_999, "999999 would be 1.00 MHz; write 999.999e6 for 1.00 GHz"),
        ("clock_hz", 1.3e12, "1.3e+12 would be 1.30 THz; write 1.3e9 for 1.30 GHz"),
        ("dram_bandwidth", 59.7, "59.7 would be 59.7 B/s; write 59.7e9 for 59.7 GB/s"),  # in GB/s
        ("dram_bandwidth", 4.8, "4.8 would be 4.80 B/s; write 4.8e12 for 4.80 TB/s"),  # in TB/s
        ("dram_bandwidth", 99_999_999, "1e+08 would be 100 MB/s; write 100e9 for 100 GB/s"),
        ("kernel_s", 8, "8 would be 8.00 s; write 8e-6 for 8.00 µs"),  # in µs
        ("pes", 10**7, "must be at most 1e+06, got 10000000"),
        ("l2_bandwidth_ratio", 0.5, "must be at least 1, got 0.5"),
        ("dram_bandwidth", "fast", "must be a number, got 'fast'"),
        ("clock_hz", "nan", "must be a number, got 'nan'"),
        ("clock_hz", float("nan"), "must be a finite number, got nan"),
        ("clock_hz", None, "must be a number, got nothing"),
        (
            "datasheet",
            {"fp32_peak_flops": 15.7, "source": ""},
            "15.7 would be 15.7 FLOP/s; write 15.7e12 for 15.7 TFLOP/s",
        ),
        ("datasheet", {"l2_bytes": 0, "source": ""}, "must be at least 1e-09, got 0"),
    ],
)
def test_what_no_device_has_is_refused_with_what_it_would_mean(field, value, message):
    with pytest.raises(latpred.ProfileError) as caught:
        HardwareProfile(**{**LEAST, field: value})
    assert str(caught.value).partition(": ")[2].endswith(message)


def test_the_least_clock_and_bandwidth():  # 1 MHz and 100 MB/s
    assert HardwareProfile(**{**LEAST, "clock_hz": 1e6, "dram_bandwidth": 1e8}).clock_hz == 1e6


# --- names


def test_a_device_by_record_name_or_path():
    tx2 = latpred.load_profile("tx2")
    assert latpred.load_profile(tx2) is tx2
    assert latpred.load_profile("TX2") == tx2 == latpred.load_profile(data_folder("hardware") / "tx2.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v10", "unknown device 'v10'; did you mean v100? Choose a100, "),
        ("RTX-3090", "unknown device 'RTX-3090'; did you mean rtx3090? "),
        ("", "unknown device ''; choose a100, "),
        ("abacus", "unknown device 'abacus'; choose a100, "),
        (5, "a device is a HardwareProfile, a name or the path of a YAML file, got 5"),
        (None, "a device is a HardwareProfile, a name or the path of a YAML file, got None"),
        ("x" * 10_000 + ".yaml", "there is no device file 'xxx"),
        ("\0.yaml", "there is no device file "),
    ],
)
def test_what_is_no_device(name, message):
    with pytest.raises(latpred.ProfileError) as caught:
        latpred.load_profile(name)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 500


def test_a_replaced_file_is_read_again(tmp_path):
    path = written(tmp_path, yaml.safe_dump(LEAST))
    assert latpred.load_profile(path).pes == 46
    stamp = path.stat()
    path.write_text(yaml.safe_dump({**LEAST, "pes": 47}), encoding="utf-8")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert latpred.load_profile(path).pes == 47


# --- peaks


@pytest.mark.parametrize(
    ("device", "tflops"),
    [  # dense, without sparsity; A100, H100: data sheets. RTX: half of FP16 with FP32 accumulation
        ("a100", 156),
        ("h100", 494.5),
        ("rtx3090", 35.5),
        ("rtx4090", 82.6),
        ("rtx3060", 12.74),
        ("orin", 21.3),
    ],
)
def test_the_tf32_peak_of_the_data_sheet(device, tflops):
    profile = latpred.load_profile(device)
    tf32, fp16 = (profile.replace(peaks=None).peak_macs(precision) for precision in ("tf32", "fp16"))
    assert tf32 == pytest.approx(tflops * 1e12 / 2)
    # TF32 is half of FP16 on tensor cores, and never below the FP32 lanes at the data sheet's clock.
    assert fp16 == pytest.approx(2 * tf32, rel=2e-3)
    sheet = profile.datasheet.fp32_peak_flops
    assert sheet is None or tf32 > 0.99 * sheet / 2


def test_a_bound_in_tf32_is_as_far_below_fp32_as_the_peaks_are_apart():
    conv = latpred.load_block("resnet50-stage4")
    a100 = latpred.load_profile("a100")
    fp32, tf32 = (latpred.predict(conv, a100, model="roofline", precision=p) for p in ("fp32", "tf32"))
    # 156/19.5 = 8 between the peaks: every compute time is 8 times shorter.
    for slow, fast in zip(fp32.operators, tf32.operators, strict=True):
        assert slow.compute_s == pytest.approx(8 * fast.compute_s, rel=2e-3)


@pytest.mark.parametrize("device", ["t4", "v100", "tx2", "nano"])
def test_tf32_is_refused_where_there_is_none(device):
    with pytest.raises(latpred.InputError, match=rf"^{device} has no TF32; choose fp32 or fp16$"):
        latpred.predict(BLOCK, latpred.load_profile(device), model="roofline", precision="tf32")


@pytest.mark.parametrize("device", ["tx2", "nano"])
def test_halves_go_in_pairs_without_tensor_cores(device):
    profile = latpred.load_profile(device)
    peaks = profile.replace(clock_hz=profile.datasheet.clock_hz).fp32_peak_macs
    assert profile.peak_macs("fp16") == pytest.approx(2 * peaks, rel=1e-4)


def test_a_peak_that_is_not_known_is_no_peak():
    mine = HardwareProfile(**LEAST)
    with pytest.raises(
        latpred.InputError, match=r"mine's peak in TF32 is not known; choose fp32, or give .*tf32_tensor"
    ):
        mine.peak_macs("tf32")
    with pytest.raises(latpred.InputError, match="mine's peak in FP16 is not known"):
        mine.peak_macs("fp16")
    with pytest.raises(latpred.InputError, match="unknown precision 'int8'; choose fp32"):
        mine.peak_macs("int8")
    known = mine.replace(datasheet={"fp16_tensor_peak_flops": "71e12", "source": "a sheet"})
    assert known.peak_macs("fp16") == 35.5e12


# --- calibrations


def calibrated(**changes):
    """The H200's file as a mapping, with entries of its first calibration changed."""
    content = yaml.safe_load(H200)
    first = content["calibrations"][0]
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = first
        for name in outer:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    content["calibrations"] = [first]
    return yaml.safe_dump(content, sort_keys=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numbers__serial_s": ...}, "calibrations 1: numbers serial_s: missing"),
        (
            {"numbers__serial_s": ..., "numbers__serail_s": 3e-7},
            "calibrations 1: numbers serial_s: missing; numbers 'serail_s': unknown number; did you mean serial_s?",
        ),
        ({"numbers__kernel_s": -1e-6}, "calibrations 1: numbers kernel_s: must be from 1.4e-08 to 0.00014, got -1e-06"),
        (
            {"numbers__large_efficiency": 1.01},
            "calibrations 1: numbers large_efficiency: must be from 0.0065 to 1, got 1.01",
        ),
        ({"numbers__overlap": 0.9}, "calibrations 1: numbers overlap: must be from 1 to 50, got 0.9"),
        (
            {"numbers__overlap": float("nan")},
            "calibrations 1 numbers 12: 'overlap': value: must be a finite number, got nan",
        ),
        ({"numbers__overlap": None}, "calibrations 1 numbers 12: 'overlap': value: must be a number, got nothing"),
        ({"numbers": None}, "calibrations 1 numbers: must be a list, got nothing"),
        ({"numbers": {}}, "calibrations 1: numbers kernel_s: missing; numbers large_efficiency: missing; "),
        ({"errors": {}}, "calibrations 1 errors: must not be empty"),
        ({"errors__channel__low": 1.5}, "calibrations 1 errors 12: 'channel': low=1.5 is above high=1."),
        ({"errors__channel__low": -0.5}, "calibrations 1 errors 12: 'channel': low: must be at least 1e-09, got -0.5"),
        ({"errors__channel__n": 0}, "calibrations 1 errors 12: 'channel': n: must be at least 1, got 0"),
        (
            {"errors__channel__median_error": -0.1},
            "calibrations 1 errors 12: 'channel': median_error: must be at least 0, got -0.1",
        ),
        ({"errors__channel": 5}, "calibrations 1 errors 12: 'channel': n: missing; median_error: missing; "),
        ({"batches": [128, 1]}, "calibrations 1 batches: the lowest comes first, got 128, 1"),
        ({"batches": [1, 0]}, "calibrations 1 batches 2: must be at least 1, got 0"),
        ({"library": "tritn"}, "calibrations 1 library: must be 'triton', 'tensorrt' or 'pytorch', got 'tritn'"),
        ({"precision": "fp8"}, "calibrations 1 precision: must be 'fp32', 'tf32' or 'fp16', got 'fp8'"),
        ({"granularity_regret_p95": -1}, "calibrations 1 granularity_regret_p95: must be at least 0, got -1"),
    ],
)
def test_a_calibration_is_checked_number_by_number(tmp_path, changes, message):
    assert refused(tmp_path, calibrated(**changes)).startswith(message)


def test_a_calibration_given_twice(tmp_path):
    content = yaml.safe_load(H200)
    content["calibrations"].append(content["calibrations"][0])
    text = yaml.dump(content, Dumper=type("NoAliases", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True}))
    assert refused(tmp_path, text) == "calibrations: fp16 with triton is given twice"


def test_peaks_are_plausible(tmp_path):
    text = H200.replace("copy_bandwidth: 4.234e+12", "copy_bandwidth: 4234").replace(
        "l2_bytes: 6.291456e+7", "l2_bytes: 0"
    )
    assert refused(tmp_path, text) == (
        "peaks copy_bandwidth: 4234 would be 4.23 kB/s; write 4.234e12 for 4.23 TB/s; "
        "peaks l2_bytes: must be at least 1e-09, got 0"
    )


@pytest.mark.parametrize("library", NUMBERS)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
def test_a_fit_starts_inside_the_range_of_every_number(library, precision):
    assert 0 < len(NUMBERS[library][precision]) <= 12
    for number in NUMBERS[library][precision].values():
        assert 0 < number.low < number.start < number.high


def test_the_middle_tile_has_a_number_where_there_are_three():
    from latpred.models.calibrated.tiles import TILES

    for precision, tiles in TILES.items():
        assert ("middle_efficiency" in NUMBERS["triton"][precision]) == (len(tiles) == 3)


# --- writing

START = (
    "# my card\nname: mine  # it\npes: 46\nfp32_lanes_per_pe: 96\nclock_hz: 1.98e9   # typed\ndram_bandwidth: 504e9\n"
)
OWN = yaml.safe_dump({"calibrations": yaml.safe_load(H200)["calibrations"][:1]}, sort_keys=False)


@pytest.mark.parametrize(
    "text",
    [
        START,
        START + "calibrations: []  # none yet\n# the end\nvalidated: true\ntitle: 'Mine'\n",
        START + OWN + "# compared in May\nvalidated: true  # twice\n# the end\n",
        START + OWN.replace("\n", "  # fitted\n", 1) + "# compared in May\nvalidated: true\n",
        START + f"calibrations: {json.dumps(yaml.safe_load(OWN)['calibrations'])}  # in one line\ntitle: Mine\n",
        "{name: mine, pes: 46, calibrations: [], fp32_lanes_per_pe: 96, clock_hz: 1.98e9, dram_bandwidth: 504e9}\n",
    ],
    ids=["none", "inline", "in the middle", "commented", "long", "flow"],
)
def test_a_calibration_is_written_over_ones_own_file_and_nothing_else_is_lost(tmp_path, text):
    path = written(tmp_path, text)
    profile = latpred.load_profile(path)
    fitted = profile.replace(calibrations=latpred.load_profile("h200").calibrations[1:])
    save_profile(fitted, path, like=path)
    again = path.read_text(encoding="utf-8")
    assert latpred.load_profile(path) == fitted
    assert again.count("calibrations:") == 1
    assert " " * 20 not in again  # a comment stays where its line now ends
    for line in text.replace(OWN.partition("\n")[2], "").splitlines():
        kept = line if "calibrations" not in line else "#" + line.partition("#")[2]
        assert kept.strip("#") in again
    save_profile(profile, path, like=path)
    assert latpred.load_profile(path) == profile


@pytest.mark.parametrize("device", latpred.list_profiles())
def test_a_shipped_device_is_written_as_it_stands_or_from_its_record_alone(tmp_path, device):
    shipped, profile = data_folder("hardware") / f"{device}.yaml", latpred.load_profile(device)
    save_profile(profile, tmp_path / "same.yaml", like=shipped)
    assert (tmp_path / "same.yaml").read_bytes() == shipped.read_bytes()
    save_profile(profile, tmp_path / "bare.yaml")
    assert latpred.load_profile(tmp_path / "bare.yaml") == profile
    # Plain YAML for any reader: numbers are numbers without latpred's help.
    content = yaml.safe_load((tmp_path / "bare.yaml").read_text(encoding="utf-8"))
    assert isinstance(content["clock_hz"], float)
    for calibration in content.get("calibrations", ()):
        assert all(isinstance(value, float) for value in calibration["numbers"].values())


@pytest.mark.parametrize("given", ["x" * 10_000, ["fp16"], None, 3, b"fp16"])
def test_names_of_precisions_and_libraries_that_are_none(given):
    device = latpred.load_profile("h200")
    for asked in (device.calibration, device.peak_macs):
        with pytest.raises(latpred.InputError, match=r"^unknown precision .{1,110} [cC]hoose fp32, tf32, fp16"):
            asked(given)
    if given is not None:  # the first one that is listed
        with pytest.raises(latpred.InputError, match=r"^h200 is not calibrated for fp16 with .{1,80}; it is for fp16"):
            device.calibration("fp16", given)
