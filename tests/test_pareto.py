"""Trained settings on a device: fronts by hand, latencies of single predictions, every mistake by row and column."""

import csv
import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred.show.pareto_plots import draw_pareto
from latpred.studies.pareto import ADDED, on_front

TX2, H200 = latpred.load_profile("tx2"), latpred.load_profile("h200")
COLUMNS = ("name", "network", "paradigm", "granularity", "r", "accuracy")
#: A row of each kind, and the setting that it means.
KINDS = {
    "static": (("resnet50", "static", "", ""), latpred.Static()),
    "empty": (("resnet50", "", "", ""), latpred.Static()),
    "spatial": (("resnet50", "spatial", "4-4-2-1", "0.5"), latpred.Spatial(S=[4, 4, 2, 1], r=0.5)),
    "one S": (("resnet50", "spatial", "2", "0.5-0.6-0.7-0.8"), latpred.Spatial(S=2, r=[0.5, 0.6, 0.7, 0.8])),
    "channel": (("resnet50", "channel", "2", "1e-1"), latpred.Channel(G=2, r=0.1)),
    "default G": (("resnet50", "channel", "", "0.5"), latpred.Channel(r=0.5)),
    "blocks": (("resnet50", "layer", "", "-".join(["0.25"] * 16)), latpred.Layer(r=[0.25] * 16)),
    "joint": (
        ("resnet50", "spatial+channel", "4-4-2-1+2", "0.5"),
        latpred.Joint(latpred.Spatial(S=[4, 4, 2, 1], r=0.5), latpred.Channel(G=2, r=0.5)),
    ),
    "method": (("resnet50", "skipnet", "", "0.5"), latpred.Layer(r=0.5, masker="pooled", hidden=10)),
    "block": (("r50-stage1", "spatial", "4", "0.6"), latpred.Spatial(S=4, r=0.6)),
    "transformer": (("deit-s", "token", "", "0.7"), latpred.Token(r=0.7)),
}


def write(path, rows, header=COLUMNS):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def points(tmp_path):
    rows = [(name, *cells, 70 + number) for number, (name, (cells, _)) in enumerate(KINDS.items())]
    return write(tmp_path / "points.csv", rows)


@pytest.mark.parametrize(("profile", "batch"), [(TX2, None), ("v100", 8)])
def test_every_point_is_predicted_as_it_is_meant(points, profile, batch):
    frame = latpred.pareto(points, profile, batch=batch)
    assert list(frame.columns) == [*COLUMNS, *ADDED]
    for (_, row), ((network, *_), paradigm) in zip(frame.iterrows(), KINDS.values(), strict=True):
        report = latpred.predict(network, profile, paradigm, batch=batch)
        figures = (report.latency_s, report.static_latency_s, report.ratio, report.macs, report.macs_ratio)
        columns = ["latency_s", "static_latency_s", "ratio", "macs", "macs_ratio"]
        assert tuple(row[columns]) == pytest.approx(figures, rel=1e-12), row["name"]
        assert (row["batch"], row["latency_per_image_s"]) == (report.batch, row["latency_s"] / report.batch)
        assert np.isnan(row["latency_low_s"])


def test_the_band_is_that_of_the_prediction(tmp_path):
    points = write(tmp_path / "points.csv", [("a", *KINDS["spatial"][0], 70), ("b", *KINDS["blocks"][0], 71)])
    frame = latpred.pareto(points, H200, model="calibrated", precision="fp16")
    for (_, row), kind in zip(frame.iterrows(), ("spatial", "blocks"), strict=True):
        report = latpred.predict("resnet50", H200, KINDS[kind][1], model="calibrated", precision="fp16")
        ends = (report.latency_low_s, report.latency_high_s)
        assert (row["latency_low_s"], row["latency_high_s"]) == pytest.approx(ends, rel=1e-12)


def test_several_devices_come_one_after_the_other(points):
    frame = latpred.pareto(points, ["tx2", "v100"])
    assert list(frame["device"]) == ["tx2"] * len(KINDS) + ["v100"] * len(KINDS)
    assert list(frame["name"]) == [*KINDS, *KINDS]
    for name, rows in frame.groupby("device"):
        alone = latpred.pareto(points, name)
        pandas.testing.assert_frame_equal(rows.reset_index(drop=True), alone)


def test_points_from_python_are_the_same_and_further_columns_are_kept(points):
    frame = pandas.read_csv(points)
    expected = latpred.pareto(points, TX2)
    figures = list(ADDED)
    pandas.testing.assert_frame_equal(latpred.pareto(frame, TX2)[figures], expected[figures])
    cells = [{"name": "x", "network": latpred.load_network("resnet50"), "paradigm": "spatial", "seed": 7}]
    cells = [one | {"granularity": [4, 4, 2, 1], "r": 0.5, "accuracy": np.float32(70)} for one in cells]
    row = latpred.pareto(cells, TX2).iloc[0]
    assert (row["latency_s"], row["seed"]) == (expected.iloc[2]["latency_s"], 7)


def test_the_front_by_hand():
    """Fast to slow: a, b beaten by a, c as fast as d but better, d, e as good as c but slower, f."""
    latency, accuracy = [1, 2, 3, 3, 4, 5], [70, 69, 74, 73, 74, 75]
    assert on_front(latency, accuracy).tolist() == [True, False, True, False, False, True]
    # Of two that are the same, both; the order of the points says nothing.
    assert on_front([2, 1, 2], [75, 70, 75]).tolist() == [True, True, True]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_the_front_is_what_no_other_beats(points):
    found = on_front(*zip(*points, strict=True))
    for (latency, accuracy), is_on_front in zip(points, found, strict=True):
        beaten = any((a <= latency and b > accuracy) or (a < latency and b >= accuracy) for a, b in points)
        assert is_on_front == (not beaten)


def test_the_front_of_each_device_is_its_own(points):
    frame = latpred.pareto(points, ["tx2", "v100"])
    for _, rows in frame.groupby("device"):
        assert rows["on_front"].tolist() == on_front(rows["latency_s"], rows["accuracy"]).tolist()


GOOD = ("a", "resnet50", "spatial", "4-4-2-1", "0.5", "70")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("name", "", "name: missing"),
        ("network", "", "network: missing"),
        ("network", "resnet5", "network: unknown network 'resnet5'; did you mean resnet50?"),
        ("network", "dynconv-resnet101", "network: dynconv-resnet101 is a preset"),
        ("paradigm", "spacial", "paradigm: unknown paradigm 'spacial'; did you mean spatial?"),
        ("paradigm", "spatial+spatial", "granularity: spatial+spatial takes S + S, got '4-4-2-1'"),
        ("paradigm", "dynconv", "granularity: dynconv has its own; leave it empty"),
        ("paradigm", "layer", "granularity: layer takes none, got '4-4-2-1'"),
        ("paradigm", "token", "granularity: token takes none"),
        ("paradigm", "static", "granularity: a static network has none; leave it empty"),
        ("granularity", "", "granularity: missing; give the patch edge S of spatial skipping"),
        ("granularity", "4-x", "granularity: must be a number, or several joined by -, got '4-x'"),
        ("granularity", "0", "granularity: must be whole numbers from 1, got '0'"),
        ("granularity", "2.5", "granularity: must be whole numbers from 1, got '2.5'"),
        ("granularity", "4-4", "S has 2 values; give one, or 4 (per stage)"),
        ("granularity", "4-4-2-8", "S=8 is larger than the 7×7 map of resnet50-stage4"),
        ("r", "", "r: missing; give the activation rate of spatial skipping"),
        ("r", "1.5", "r: must be from 0 to 1, got 1.5"),
        ("r", "half", "r: must be a number, or several joined by -, got 'half'"),
        ("r", "0.5-2", "r: must be from 0 to 1, got 2"),
        ("r", "nan", "r: must be from 0 to 1, got nan"),
        ("r", "0.5-0.5", "r has 2 values; give one, 4 (per stage) or 16 (per block)"),
        ("accuracy", "", "accuracy: missing"),
        ("accuracy", "good", "accuracy: must be a number"),
        ("accuracy", "inf", "accuracy: must be a finite number, got 'inf'"),
        ("accuracy", "70-71", "accuracy: must be a finite number, got '70-71'"),
    ],
)
def test_a_mistake_is_told_with_row_and_column(run, tmp_path, column, cell, message):
    wrong = [cell if name == column else value for name, value in zip(COLUMNS, GOOD, strict=True)]
    write(tmp_path / "points.csv", [GOOD, wrong])
    code, _, err = run("pareto --points points.csv --device tx2")
    assert (code, err.partition(message)[0]) == (1, "latpred: points.csv: row 2, "), err


def test_all_mistakes_are_told_at_once(run, tmp_path):
    write(tmp_path / "points.csv", [("", *GOOD[1:]), GOOD, (*GOOD[:4], "2", "70"), (*GOOD[:5], "")])
    assert run("pareto --points points.csv --device tx2")[2] == (
        "latpred: points.csv: row 1, name: missing; row 3, r: must be from 0 to 1, got 2; row 4, accuracy: missing\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no points; give a row for each, with the columns name, network, paradigm, granularity, r, accuracy"),
        ("name,network,paradigm,granularity,r,accuracy\n", "has no points"),
        ("name,network,paradigm,granularity,r,acuracy\na,b,c,d,e,f\n", "column accuracy is missing; is that acuracy?"),
        ("name,name\na,b\n", "column 'name' is there twice"),
        (f"{','.join(COLUMNS)}\n{','.join(GOOD)},1\n", "row 1 has more cells than the header's 6"),
        (f'{",".join(COLUMNS)}\n"a\n', "is no CSV: unexpected end of data"),
    ],
)
def test_files_that_are_no_points(run, tmp_path, text, message):
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    code, _, err = run("pareto --points points.csv --device tx2")
    assert (code, err.startswith(f"latpred: points.csv: {message}")) == (1, True), err


@pytest.mark.parametrize("points", [3, "missing.csv", [1], [], object()])
def test_objects_that_are_no_points(points):
    with pytest.raises(latpred.LatpredError):
        latpred.pareto(points, TX2)
    with pytest.raises(latpred.InputError, match="give a device at least"):
        latpred.pareto([dict(zip(COLUMNS, GOOD, strict=True))], [])
    with pytest.raises(latpred.InputError, match="at most 1,000 devices are compared"):
        latpred.pareto([dict(zip(COLUMNS, GOOD, strict=True))], [TX2] * 1001)


# --- as it is shown


def test_what_programs_read(run, points):
    found = json.loads(run("pareto --points points.csv --device tx2,v100 --format json")[1])
    frame = latpred.pareto(points, ["tx2", "v100"])
    assert [row["latency_s"] for row in found] == list(frame["latency_s"])
    assert [row["on_front"] for row in found] == list(frame["on_front"])
    printed = list(csv.DictReader(run("pareto --points points.csv --device tx2,v100 --format csv")[1].splitlines()))
    assert [float(row["latency_s"]) for row in printed] == list(frame["latency_s"])


def test_the_table_is_the_front(run, points):
    out = run("pareto --points points.csv --device tx2")[1].splitlines()
    front = latpred.pareto(points, TX2).query("on_front").sort_values("latency_s")
    assert out[0] == f"tx2, batch 1, published model, fp32: {len(front)} of {len(KINDS)} points are on the front"
    assert [line.split("   ")[0].strip() for line in out[4 : 4 + len(front)]] == list(front["name"])


def many(count, seed=0):
    rng = np.random.default_rng(seed)
    rates = np.sort(rng.random(count))
    return [
        dict(zip(COLUMNS, (f"run {number}", "resnet50", "layer", "", rate, 70 + 8 * rate + rng.random()), strict=True))
        for number, rate in enumerate(rates)
    ]


@pytest.mark.parametrize("count", [1, 8, 30, 100])
def test_names_cover_neither_one_another_nor_a_point(count):
    """All within the axes; what has no room is counted."""
    figure = draw_pareto(latpred.pareto(many(count), ["tx2", "v100"]))
    figure.draw_without_rendering()
    for axes in figure.axes:
        names = [text for text in axes.texts if text.get_text().startswith("run ")]
        boxes = [text.get_window_extent().extents if not text.arrow_patch else box_of(text) for text in names]
        for number, (left, bottom, right, top) in enumerate(boxes):
            for x0, y0, x1, y1 in boxes[:number]:
                assert x1 <= left or right <= x0 or y1 <= bottom or top <= y0
            inside = axes.get_window_extent()
            assert inside.x0 <= left + 1e-6
            assert right <= inside.x1 + 1e-6
            assert inside.y0 <= bottom + 1e-6
            assert top <= inside.y1 + 1e-6
            for line in axes.get_lines():
                if line.get_linestyle() == "None":
                    for x, y in axes.transData.transform(line.get_xydata()):
                        assert not (left < x < right and bottom < y < top)
        left_out = [text.get_text() for text in axes.texts if text.get_text().endswith("are left out")]
        assert left_out == ([f"{count - len(names)} of {count} names are left out"] if len(names) < count else [])
        if count <= 30:
            assert len(names) == count


def box_of(text):
    """The box of an annotation without its line."""
    from matplotlib.text import Text

    return Text.get_window_extent(text).extents


def test_the_line_is_the_front(points):
    frame = latpred.pareto(points, TX2)
    (axes,) = draw_pareto(frame).axes
    (line,) = (line for line in axes.get_lines() if line.get_label() == "front")
    front = frame[frame["on_front"]].sort_values("latency_s")
    assert line.get_xydata() == pytest.approx(np.column_stack([front["latency_per_image_s"] * 1e3, front["accuracy"]]))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latency per image [ms]", "accuracy")


def test_a_picture_is_written(run, points, tmp_path):
    code, _, err = run("pareto --points points.csv --device tx2 --plot front.svg")
    assert (code, err) == (0, "wrote front.svg\n")
    assert (tmp_path / "front.svg").read_bytes().startswith(b"<?xml")
    assert run("pareto --points points.csv --device tx2 --plot front.xyz")[0] == 2
