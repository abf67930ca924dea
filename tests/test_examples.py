"""Every example runs; the papers' figures come out."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import latpred
from latpred.show import canvas, plots

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
import paper_front  # noqa: E402
import paper_numbers  # noqa: E402


def run(script, *arguments):
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_example_has_a_test():
    tested = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in EXAMPLES.iterdir() if path.is_file() and path.stem not in tested] == []


@pytest.fixture(scope="module")
def comparisons():
    return paper_numbers.compare()


def test_static_points_of_the_papers_agree_to_two_permille(comparisons):
    static = [row for row in comparisons if not row.published.preset and row.published.network in paper_numbers.STATED]
    assert len(static) == 11
    assert {row.published.device for row in static} == {"v100", "tx2", "nano", "rtx3060"}
    for row in static:
        assert abs(row.difference) < 0.002, row


def test_dynamic_points_of_the_papers_agree_at_equal_macs(comparisons):
    dynamic = [row for row in comparisons if row.published.preset and not row.published.is_reduction]
    assert len(dynamic) > 80
    assert sorted(abs(row.difference) for row in dynamic)[len(dynamic) // 2] < 0.01


def test_layer_skipping_halves_the_latency_as_quoted(comparisons):
    quoted = [row for row in comparisons if row.published.is_reduction and row.published.kind == "layer"]
    assert len(quoted) == 5
    for row in quoted:
        assert row.difference > 0 if "at least" in row.published.item else abs(row.difference) < 1, row


def test_every_figure_of_the_table_names_its_source():
    with paper_numbers.FIGURES.open(encoding="utf-8") as file:
        assert all(row["paper"] and row["kind"] for row in csv.DictReader(file))


def test_reproduce_paper_makes_every_picture(tmp_path):
    output = tmp_path / "figures"
    assert "11 pictures" in run("reproduce_paper.py", "--output", output)
    pictures = sorted(output.glob("*.png"))
    assert len(pictures) == 11
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    text = (output / "paper_numbers.md").read_text(encoding="utf-8")
    assert "Largest difference: 0.11%" in text
    assert text.count("\n| ") == len(paper_numbers.read()) + 4


def test_the_rates_of_the_papers_points_follow_from_their_multiply_adds():
    """Where they count with the rate, and not in patches, `predict` says the paper's share, stem and head included."""
    rows = paper_front.rows()
    assert [row["r"] for row in rows] == [paper_front.rate(row) for row in rows]
    smooth = {"layer": "laudnet-layer", "skipnet": "skipnet", "convaig": "convaig", "bas": "bas"}
    for row in (row for row in rows if row["paradigm"] in smooth):
        preset, network = latpred.load_preset(f"{smooth[row['paradigm']]}-{row['network']}")
        paradigm = preset.paradigm.at_rates(float(row["r"]))
        share = latpred.predict(network.including("stem", "head"), "v100", paradigm).macs_ratio
        assert share == pytest.approx(float(row["gmacs"]) / float(row["static_gmacs"]), abs=1e-4), row["name"]


def test_the_papers_points_are_fastest_where_the_paper_says():
    """On the V100 and the TX2 none but LAUDNet's points are on the front, as its figure shows."""
    frame = latpred.pareto(paper_front.POINTS, ["v100", "tx2"])
    assert set(frame[frame["on_front"]]["name"].str.split().str[0]) <= {"LAUD-s", "LAUD-c", "LAUD-l"}
    static = frame[(frame["device"] == "tx2") & (frame["paradigm"] == "static")].set_index("network")
    # The figure's static points: 32.25 and 17.24 ms, to half a pixel.
    assert static["latency_s"].to_dict() == pytest.approx({"resnet101": 32.2496e-3, "resnet50": 17.2449e-3}, rel=2e-3)


def test_paper_front_draws_any_device(tmp_path):
    assert "points are on a front" in run("paper_front.py", "--device", "orin", "--output", tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def test_my_device_and_my_network_predict():
    profile = latpred.load_profile(EXAMPLES / "my_device.yaml")
    network = latpred.load_network(EXAMPLES / "my_network.yaml")
    assert latpred.predict(network, profile, latpred.Spatial(S=[4, 2, 2], r=0.5)).ratio < 1


def test_my_model_is_that_of_the_documentation():
    page = (EXAMPLES.parent / "docs" / "own_network.md").read_text(encoding="utf-8")
    (model,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert (EXAMPLES / "my_model.py").read_text(encoding="utf-8").partition("\n\n")[2] == model


def test_granularity_from_masks_depends_on_the_device():
    *_, v100, _, tx2 = run("granularity_from_masks.py").splitlines()
    assert v100.startswith("NVIDIA Tesla V100 (SXM2): S = 4-4-2-1, rℓ = ")
    assert tx2.startswith("NVIDIA Jetson TX2: S = ")


def test_make_masks_makes_the_masks_that_are_shipped(tmp_path):
    shipped = np.load(EXAMPLES / "masks.npz")
    subprocess.run([sys.executable, shutil.copy(EXAMPLES / "make_masks.py", tmp_path)], check=True)
    made = np.load(tmp_path / "masks.npz")
    assert sorted(made) == sorted(shipped)
    assert all(np.array_equal(made[name], shipped[name]) for name in made)


def test_search_stays_within_its_budget():
    assert "ms of 12 ms" in run("search.py")


def colours(frame, x="r"):
    axes = plots.ratio(frame, x)
    return {line.get_label(): line.get_color() for line in axes.get_lines()}


def test_a_granularity_has_the_same_colour_in_every_picture():
    profile, rates = latpred.load_profile("tx2"), [0.5, 1.0]

    def drawn(target, granularity):
        settings = latpred.grid(latpred.Spatial, granularity=granularity, r=rates)
        return colours(latpred.sweep([target], [profile], settings))

    block, network = latpred.load_block("resnet50-stage1"), latpred.load_network("resnet50")
    all_edges, two_edges = drawn(block, [1, 2, 4, 7, 8, 14, 28]), drawn(block, [8, 4])
    assert len(set(all_edges.values())) == 7 + 1
    assert two_edges["S = 8"] == all_edges["S = 8"]
    assert two_edges["S = 4"] == all_edges["S = 4"]
    settings = drawn(network, [(1, 1, 1, 1), (4, 4, 2, 1), (8, 4, 7, 1)])
    assert settings["S = 4-4-2-1"] == all_edges["S = 4"]
    assert settings["S = 8-4-7-1"] == all_edges["S = 8"]
    # Where the first stage does not tell settings apart, their order does.
    assert len(set(drawn(network, [(4, 4, 2, 1), (4, 4, 7, 1)]).values())) == 3


def test_rates_have_colours_of_their_own():
    settings = latpred.grid(latpred.Spatial, granularity=[1, 2, 4], r=[0.2, 0.5, 0.8])
    frame = latpred.sweep([latpred.load_block("resnet50-stage1")], [latpred.load_profile("tx2")], settings)
    found = colours(frame, "granularity")
    assert len(set(found.values())) == 3 + 1
    assert not set(found.values()) & set(canvas.COLOURS)


def test_style_is_a_context_that_ends():
    before = matplotlib.rcParams["axes.spines.top"]
    with canvas.style():
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert matplotlib.rcParams["axes.spines.top"] == before


def test_a_shared_legend_names_each_line_once():
    with canvas.style():
        figure = Figure()
        for axes in figure.subplots(1, 2):
            axes.axhline(1, label="break-even")
            axes.plot([0, 1], label="S = 1")
            axes.legend()
        canvas.share_legend(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["S = 1", "break-even"]
    assert all(axes.get_legend() is None for axes in figure.axes)
