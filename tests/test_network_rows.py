"""Whole networks that were timed: reading them, judging by them, and fitting to them."""

import json
from dataclasses import replace

import numpy as np
import pytest

import latpred
from latpred.errors import DataError
from latpred.measuring import fitting
from latpred.measuring.judging import judged, validate_networks
from latpred.measuring.networks import NetworkRow, is_of_networks, read_networks

HEADER = "device,library,precision,model,image_size,batch,seconds,source"
NAMES = ("resnet50", "resnet101", "regnety-400mf", "regnety-800mf", "vit-b", "deit-s", "mobilenetv2")
V100 = latpred.load_profile("v100")


def predicted(row):
    network = latpred.load_network(row.model, (row.image_size, row.image_size))
    network = network.including("stem", "transitions", "head") if hasattr(network, "including") else network
    how = {"batch": row.batch, "model": "calibrated", "precision": row.precision, "library": row.library}
    return latpred.predict(network, row.device, **how).latency_s


def rows(library="tensorrt", device="v100", batches=(1, 8), slower=1.0):
    """As predicted, times `slower`."""
    bare = [NetworkRow(device, library, "fp32", name, 224, batch, 1.0) for name in NAMES for batch in batches]
    return [NetworkRow(*list(vars(row).values())[:6], seconds=predicted(row) * slower) for row in bare]


def written(path, measured):
    lines = [
        f"{row.device},{row.library},{row.precision},{row.model},{row.image_size},{row.batch},{row.seconds!r},"
        for row in measured
    ]
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return path


def test_a_file_of_networks_is_known_by_its_columns(tmp_path):
    path = written(tmp_path / "networks.csv", rows())
    assert is_of_networks(path)
    assert read_networks(path) == rows()
    assert {row.family for row in read_networks(path)} == {"resnet", "regnety", "vit", "deit", "mobilenetv"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("v100,tensorrt,fp33,resnet50,224,8,0.01,", "line 2: unknown precision 'fp33'; did you mean fp32"),
        ("v100,tensorrt,fp32,resnet50,224,8,-0.01,", "line 2: image_size, batch and seconds must be positive"),
        ("v100,tensorrt,fp32,resnet50,224,8,nan,", "line 2: image_size, batch and seconds must be positive"),
        ("v100,tensorrt,fp32,resnet50,224,eight,0.01,", "line 2: batch"),
        ("v100,tensorrt,fp32,resnet50,224,8", "line 2: has not as many cells as the header, 8"),
        ("", "has no rows"),
    ],
)
def test_a_row_that_cannot_be_is_named_by_its_line(tmp_path, line, message):
    path = tmp_path / "networks.csv"
    path.write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as problem:
        read_networks(path)
    assert str(problem.value).startswith(f"{path}")
    assert message in str(problem.value)


def test_a_column_that_is_there_twice_has_no_one_meaning(tmp_path):
    path = tmp_path / "networks.csv"
    path.write_text(f"{HEADER},device\nv100,tensorrt,fp32,resnet50,224,8,0.01,,t4\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: the column device is there twice"):
        read_networks(path)


def test_times_as_predicted_have_no_error_and_slower_ones_a_bias():
    (exact,) = validate_networks(rows())
    assert (exact.title, exact.networks.n) == ("v100, fp32 with tensorrt", 14)
    assert exact.networks.mape == pytest.approx(0, abs=1e-12)
    (slow,) = validate_networks(rows(slower=1.25))
    assert slow.networks.bias == pytest.approx(1 / 1.25 - 1, rel=1e-9)
    assert slow.by_family["resnet"].n == 4


def test_devices_and_libraries_apart_and_what_has_no_prediction():
    more = [*rows(), *rows("pytorch", batches=(32,)), NetworkRow("v100", "tensorrt", "fp16", "resnet50", 224, 8, 0.01)]
    found = {item.title: item for item in validate_networks(more)}
    assert list(found) == ["v100, fp32 with pytorch", "v100, fp16 with tensorrt", "v100, fp32 with tensorrt"]
    (note,) = found["v100, fp16 with tensorrt"].notes
    assert note.startswith(
        "v100, fp16 with tensorrt: no prediction for 1 of 1 rows: the calibrated (tensorrt) model has"
    )
    with pytest.raises(DataError, match="no row has a prediction; v100, fp16 with tensorrt: no prediction for 1 of 1"):
        validate_networks(more[-1:])


def test_another_devices_numbers_are_asked_for_by_name():
    """As `latpred.predict` with `like`."""
    (row,) = rows()[:1]
    (other,) = validate_networks([NetworkRow("t4", "tensorrt", "fp32", row.model, 224, 1, row.seconds)], like="v100")
    expected = latpred.predict(row.network, "t4", batch=1, model="calibrated", library="tensorrt", like="v100")
    assert other.predictions[0].seconds == expected.latency_s


def test_the_command_shows_a_table_json_csv_and_a_picture(run, tmp_path):
    path = written(tmp_path / "networks.csv", rows(slower=1.25))
    _, text, _ = run(f"validate --networks {path} --plot {tmp_path / 'scatter.png'}")
    assert "v100, fp32 with tensorrt" in text
    assert " all " in text
    assert "-20.0%" in text
    assert (tmp_path / "scatter.png").stat().st_size > 10_000
    (found,) = json.loads(run(f"validate --networks {path} --device v100 --format json")[1])
    assert found["networks"]["n"] == 14
    assert set(found["by_family"]) == {"resnet", "regnety", "vit", "deit", "mobilenetv"}
    _, text, _ = run(f"validate --networks {path} --format csv")
    assert text.splitlines()[1].startswith("v100,tensorrt,fp32,all,14,")


WRONG = {
    "v100,tensorrt,fp32,resnet51,224,8,0.01,": "unknown network 'resnet51'; did you mean resnet50?",
    "v101,tensorrt,fp32,resnet50,224,8,0.01,": "unknown device 'v101'; did you mean v100?",
    "h200,tensorrt,fp32,resnet50,224,8,0.01,": "no row has a prediction; h200, fp32 with tensorrt: no prediction for 1",
}


@pytest.mark.parametrize("line", WRONG)
def test_rows_that_cannot_be_predicted_are_one_line(run, tmp_path, line):
    path = tmp_path / "networks.csv"
    path.write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    code, out, err = run(f"validate --networks {path}")
    assert (code, out) == (1, "")
    assert WRONG[line] in err.strip().splitlines()[-1]


def test_networks_beside_what_is_not_theirs(run, tmp_path):
    path = written(tmp_path / "networks.csv", rows())
    code, _, err = run(f"validate --networks {path} --model roofline")
    assert (code, "leave the rest out" in err) == (2, True)
    code, _, err = run("validate")
    assert (code, "give a file of measurements and its --device, or --networks FILE.csv" in err) == (2, True)
    code, _, err = run(f"validate --networks {path} --device t4")
    assert (code, "has no row of t4" in err) == (1, True)


def test_a_fit_to_networks_finds_the_numbers_that_made_them():
    """From another start; what is given stays."""
    measured = rows()
    design = fitting.design(measured, V100)
    truth = {number.name: number.value for number in V100.calibration("fp32", "tensorrt", "networks").numbers}
    given = {name: value for name, value in truth.items() if name not in ("kernel_s", "dram_efficiency")}
    start = {**truth, "kernel_s": 2e-5, "dram_efficiency": 0.9}
    seconds = np.array([row.seconds for row in measured])
    assert design.seconds(truth) == pytest.approx(seconds, rel=1e-9)
    found = fitting.fit(design, seconds, "fp32", "networks", start=start, given=given, check=False)
    assert found == pytest.approx(truth, rel=1e-3)


def test_networks_of_a_family_are_left_out_together():
    measured = rows()
    folds = dict(zip([(row.model, row.batch) for row in measured], fitting.folds_of(measured), strict=True))
    assert len({folds[name, batch] for name in ("resnet50", "resnet101") for batch in (1, 8)}) == 1
    assert len(set(folds.values())) > 1


def test_the_command_calibrates_on_networks(run, tmp_path):
    path = written(tmp_path / "networks.csv", rows(slower=1.0, batches=(1, 2, 4, 8, 16, 32)))
    output = tmp_path / "v100.yaml"
    code, _, err = run(f"calibrate {path} --device v100 --like v100 -o {output}")
    assert code in (0, None), err
    profile = latpred.load_profile(output)
    error = profile.calibration("fp32", "tensorrt", "networks").error_of("networks")
    assert (error.n, error.median_error < 0.05) == (42, True)
    # Numbers of single operators are kept.
    assert profile.calibration("fp32", "tensorrt") == V100.calibration("fp32", "tensorrt")


def test_networks_of_a_library_of_blocks_are_not_fitted(run, tmp_path):
    path = written(tmp_path / "networks.csv", [replace(row, library="triton") for row in rows(batches=range(1, 9))])
    code, _, err = run(f"calibrate {path} --device v100")
    expected = f"latpred: {path}: triton is fitted to blocks and operators: networks are those of pytorch, tensorrt"
    assert (code, err.strip().splitlines()[-1]) == (1, expected)


def test_operators_are_judged_by_networks_that_do_not_wait_for_the_host():
    h200 = latpred.load_profile("h200")
    own = h200.calibration("fp32", "pytorch")
    large, small = (rows("pytorch", "h200", batches=(batch,), slower=1.1) for batch in (128, 1))
    error = judged(own, [*large, *small], h200).error_of("networks")
    waits = [row.model for row in small if row.model != "vit-b"]
    assert len(large) <= error.n <= len(large) + len(small) - len(waits) + 1
    assert error.median_error == pytest.approx(1 - 1 / 1.1, rel=1e-3)
    with pytest.raises(DataError, match="no network was timed in fp32 with pytorch on h200 that does not wait"):
        judged(own, [], h200)


@pytest.mark.parametrize(
    ("device", "library", "of", "why"),
    [
        ("v100", "tensorrt", "operators", "predicts no networks"),
        ("h200", "triton", "operators", "predicts no networks"),
        ("v100", "tensorrt", "networks", "is fitted to networks, and has their errors"),
    ],
)
def test_networks_judge_no_calibration_that_does_not_predict_them(device, library, of, why):
    """TensorRT's networks have numbers of their own; errors of rows that were fitted stand for none left out."""
    profile = latpred.load_profile(device)
    with pytest.raises(DataError, match=f"fp32 with {library} on {device} {why}: none judge it"):
        judged(profile.calibration("fp32", library, of), rows(), profile)


def test_a_file_to_judge_by_is_read_before_anything_is_fitted(run, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "calibrate", lambda *_, **__: pytest.fail("it was fitted first"))
    path = written(tmp_path / "networks.csv", rows(batches=range(1, 9)))
    code, _, err = run(f"calibrate {path} --device v100 --judge {tmp_path / 'none.csv'}")
    assert (code, "none.csv: cannot be read" in err) == (1, True)
