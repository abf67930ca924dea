"""The picture of measured and predicted rates: what is drawn, and in which colours."""

import pytest
from matplotlib.colors import to_hex

import latpred
from latpred import Channel, Layer, Spatial, Static
from latpred.measuring.measurements import Measurement
from latpred.measuring.validation import validate
from latpred.show.canvas import COLOURS, GRANULARITY_ORDER
from latpred.show.validation_plots import rate_curves

BLOCK, H200 = latpred.load_block("resnet50-stage1"), latpred.load_profile("h200")
RATES = [0.2, 0.4, 0.6, 0.8]


def rows(*settings, name="block"):
    """A block under some settings, in 1 ms without skipping and in 0.9·r ms with any."""
    times = {Static(): 1e-3} | {setting.at_rates(r): 0.9e-3 * r for setting in settings for r in RATES}
    block = BLOCK.replace(name=name)
    return [Measurement(block, setting, 2, "fp16", "triton", seconds, "h200") for setting, seconds in times.items()]


def drawn(measurements):
    """The picture, and colour and marker of each entry of its legend."""
    figure = rate_curves(validate(measurements, H200, ["calibrated"]))
    (legend,) = figure.legends
    entries = zip(legend.get_texts(), legend.get_lines(), strict=True)
    return figure, {text.get_text(): (to_hex(line.get_color()), line.get_marker()) for text, line in entries}


def test_colours_are_those_of_the_other_pictures():
    """S = 5 has none there, and takes one that is left; the legend is beside the panels, not on the points."""
    some = rows(Spatial(S=1, r=1), Spatial(S=4, r=1), Spatial(S=5, r=1), Channel(G=4, r=1), Layer(r=1))
    figure, entries = drawn([*some, *rows(Spatial(S=2, r=1), name="other")])
    assert [*entries] == [
        *("S = 1", "S = 2", "S = 4", "S = 5", "G = 4", "layer"),
        *("lines: predicted", "points: measured", "break-even"),
    ]
    for size in ("1", "2", "4"):
        assert entries[f"S = {size}"] == (to_hex(COLOURS[GRANULARITY_ORDER.index(size)]), "o")
    assert entries["G = 4"] == (entries["S = 4"][0], "^")
    assert len({entries[name][0] for name in ("S = 1", "S = 2", "S = 4", "S = 5", "layer")}) == 5
    assert [axes.get_title() for axes in figure.axes] == [
        f"{name}\nbatch 2, calibrated model, fp16" for name in ("block", "other")
    ]
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_lines_are_predicted_and_points_measured():
    figure, _ = drawn(rows(Spatial(S=4, r=1)))
    drawn_lines = [line for line in figure.axes[0].lines if list(line.get_xdata()) == RATES]
    line, points = sorted(drawn_lines, key=lambda line: line.get_linestyle())
    assert (line.get_linestyle(), points.get_linestyle()) == ("-", "None")
    assert list(points.get_ydata()) == pytest.approx([0.9 * r for r in RATES])
    kernels = {"batch": 2, "model": "calibrated", "precision": "fp16"}
    expected = [latpred.predict(BLOCK, H200, Spatial(S=4, r=r), **kernels).ratio for r in RATES]
    assert list(line.get_ydata()) == pytest.approx(expected)


def test_no_more_granularities_than_can_be_told_apart():
    """Those with a colour in other pictures come first."""
    _, entries = drawn(rows(*(Spatial(S=S, r=1) for S in (3, 5, 6, 1, 2, 4, 8, 7, 14))))
    assert [name for name in entries if name.startswith("S")] == [f"S = {S}" for S in (1, 2, 4, 7, 8, 14)]


def test_one_rate_makes_no_picture():
    with pytest.raises(latpred.InputError, match="no blocks measured under several rates"):
        drawn(rows(Spatial(S=4, r=1))[:2])


def test_the_largest_value_is_clear_of_the_edge():
    figure, _ = drawn(rows(Spatial(S=4, r=1)))
    top = max(value for line in figure.axes[0].lines for value in line.get_ydata())
    assert figure.axes[0].get_ylim() == pytest.approx((0, 1.05 * top))
