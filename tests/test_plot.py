"""Pictures of sweeps: their axes, lines and colours, and that the same sweep gives the same file."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import latpred
from latpred import Channel, Layer, Spatial, Static, grid, sweep
from latpred.show.canvas import from_zero, save, supported_suffixes
from latpred.show.explanation_plots import draw_explanations
from latpred.show.plots import draw, latency, ratio

BLOCK, V100, TX2 = latpred.load_block("resnet50-stage1"), latpred.load_profile("v100"), latpred.load_profile("tx2")
RATES = [0.2, 0.4, 0.6, 0.8]
SWEEPS = {
    "r": sweep([BLOCK], [V100], grid(Spatial, granularity=[1, 4, 8], r=RATES)),
    "granularity": sweep([BLOCK], [V100, TX2], grid(Spatial, granularity=[1, 2, 4, 7, 8], r=[0.3, 0.6])),
    "batch": sweep([BLOCK], [V100, TX2], [Spatial(S=4, r=0.5)], batches=[1, 8, 64]),
}
LABELS = {
    "r": ("activation rate r", r"$r_\ell = \ell_{dyn}\,/\,\ell_{stat}$"),
    "granularity": ("patch edge S [pixels]", r"$r_\ell = \ell_{dyn}\,/\,\ell_{stat}$"),
    "batch": ("batch size [images]", "latency per image [ms]"),
}
STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def lines(axes):
    """Lines by label, with what they are drawn through."""
    return {line.get_label(): line for line in axes.get_lines()}


@pytest.mark.parametrize("kind", SWEEPS)
@pytest.mark.parametrize("suffix", STARTS)
def test_every_kind_of_plot_is_written_in_every_format(tmp_path, kind, suffix):
    path = tmp_path / f"a figure{suffix}"
    save(draw(SWEEPS[kind]), path)
    assert path.read_bytes().startswith(STARTS[suffix])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_sweep_gives_the_same_bytes(tmp_path, suffix):
    for name in ("one", "two"):
        save(draw(SWEEPS["r"]), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


@pytest.mark.parametrize("kind", SWEEPS)
def test_axes_say_what_they_show(kind):
    """What has the most values is on the x axis."""
    figure = draw(SWEEPS[kind])
    assert len(figure.legends) == 1
    for axes in figure.axes:
        assert (axes.get_xlabel(), axes.get_ylabel()) == LABELS[kind]
        assert axes.get_legend() is None
        assert axes.get_title().startswith("resnet50-stage1")
        assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize("kind", ["r", "granularity"])
def test_break_even_is_a_line_at_one(kind):
    for axes in draw(SWEEPS[kind]).axes:
        assert list(lines(axes)["break-even"].get_ydata()) == [1, 1]


def test_lines_go_through_the_rows_of_the_sweep():
    frame = SWEEPS["r"]
    drawn = lines(ratio(frame))
    assert set(drawn) == {"S = 1", "S = 4", "S = 8", "break-even"}
    rows = frame[frame["granularity"] == 4]
    assert list(drawn["S = 4"].get_xdata()) == RATES
    assert list(drawn["S = 4"].get_ydata()) == list(rows["ratio"])


def test_latency_over_batch_is_per_image_with_the_static_form_dashed():
    frame = SWEEPS["batch"]
    drawn = lines(latency(frame))
    assert set(drawn) == {"v100", "tx2", "_v100, static", "_tx2, static", "dashed: static"}
    rows = frame[frame["device"] == "v100"]
    assert list(drawn["v100"].get_ydata()) == pytest.approx(list(rows["latency_s"] / rows["batch"] * 1e3))
    assert drawn["_v100, static"].get_linestyle() == "--"
    assert to_hex(drawn["_v100, static"].get_color()) == to_hex(drawn["v100"].get_color())


def test_a_granularity_has_the_same_colour_in_every_picture():
    few = sweep([BLOCK], [TX2], grid(Spatial, granularity=[8, 4], r=RATES))
    one, two = lines(ratio(SWEEPS["r"])), lines(ratio(few))
    for label in ("S = 4", "S = 8"):
        assert one[label].get_color() == two[label].get_color()
    assert len({line.get_color() for label, line in one.items() if label != "break-even"}) == 3


def test_channel_sweeps_are_labelled_by_G():
    axes = ratio(sweep([BLOCK], [V100], grid(Channel, granularity=[1, 2, 4], r=[0.5])), "granularity")
    assert axes.get_xlabel() == "channels per group G"


def test_a_suffix_that_cannot_be_written(tmp_path):
    with pytest.raises(latpred.InputError, match=r"cannot write a plot as '\.bmp'; use .*\.png"):
        save(draw(SWEEPS["r"]), tmp_path / "f.bmp")
    assert not list(tmp_path.iterdir())
    assert {".png", ".svg", ".pdf"} <= set(supported_suffixes())


DEVICES = [latpred.load_profile(name) for name in latpred.list_profiles()]
MANY = {
    # The first panel's lines end lower than the second's.
    "two panels": lambda: draw(sweep([BLOCK], [TX2, V100], grid(Spatial, granularity=[1, 4], r=RATES))),
    "all devices": lambda: draw(sweep([BLOCK], DEVICES, grid(Spatial, granularity=[1, 4], r=RATES))),
    "all devices over the batch": lambda: draw(sweep([BLOCK], DEVICES, [Spatial(S=4, r=0.5)], batches=[1, 8, 64])),
    "many edges": lambda: draw(sweep([BLOCK], [V100], grid(Spatial, granularity=range(1, 29), r=RATES))),
    "many rates": lambda: draw(sweep([BLOCK], [V100], grid(Spatial, granularity=[4], r=np.linspace(0.01, 1, 200)))),
    "a line per edge": lambda: draw(sweep([BLOCK], [V100], grid(Spatial, granularity=range(1, 29), r=RATES)), "r"),
    "layers": lambda: draw(sweep([BLOCK], [V100], grid(Layer, r=RATES))),
}


@cache
def picture(kind):
    """Drawn once, with every text in its place."""
    figure = MANY[kind]()
    figure.draw_without_rendering()
    return figure


def data_lines(axes):
    """Those through data, not the proxies of the legend or the line at 1."""
    return [line for line in axes.get_lines() if len(line.get_xdata()) and line.get_label() != "break-even"]


@pytest.mark.parametrize("kind", MANY)
def test_no_data_is_outside_the_axes_and_no_legend_on_them(kind):
    figure = picture(kind)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        for line in data_lines(axes):
            values = np.asarray(line.get_ydata())
            assert low <= values.min()
            assert values.max() <= high
        (legend,) = figure.legends
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    edge = figure.bbox
    assert edge.x0 <= legend.get_window_extent().x0 < legend.get_window_extent().x1 <= edge.x1
    assert edge.y0 <= legend.get_window_extent().y0 < legend.get_window_extent().y1 <= edge.y1


@pytest.mark.parametrize("kind", MANY)
def test_titles_and_ticks_do_not_touch(kind):
    figure = picture(kind)
    for axes in figure.axes:
        ticks = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert not any(one.overlaps(other) for one, other in pairwise(ticks))
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(other) for one, other in pairwise(titles))


def test_of_many_batches_those_are_named_that_have_room():
    """A fourteenth of the axis from 1 to 64: 2^(6/14) = 1.346 times the one before at least; all of 1, 8 and 64."""
    axis = draw(sweep([BLOCK], [TX2], [Static()], batches=range(1, 65))).axes[0]
    named = [int(label.get_text()) for label in axis.get_xticklabels()]
    assert named == [1, 2, 3, 5, 7, 10, 14, 19, 26, 35, 48]
    assert [label.get_text() for label in draw(SWEEPS["batch"]).axes[0].get_xticklabels()] == ["1", "8", "64"]


def test_titles_say_model_precision_library_and_batch():
    h200 = latpred.load_profile("h200")
    setting = grid(Spatial, granularity=[4], r=RATES)
    published, calibrated = (
        draw(sweep([BLOCK], [h200], setting, batches=[16], model=model, precision=precision)).axes[0].get_title()
        for model, precision in (("published", "fp32"), ("calibrated", "fp16"))
    )
    assert published == "resnet50-stage1 on h200\nS = 4, batch 16, published model, fp32"
    assert calibrated == "resnet50-stage1 on h200\nS = 4, batch 16, calibrated model, fp16 with triton"


def test_eleven_devices_look_different():
    (axes,) = picture("all devices over the batch").axes
    drawn = [line for line in axes.get_lines() if line.get_label() in latpred.list_profiles()]
    looks = {(to_hex(line.get_color()), line.get_marker(), line.get_fillstyle()) for line in drawn}
    assert len(drawn) == len(looks) == len(latpred.list_profiles())


def test_edges_that_cannot_have_their_own_colour_still_look_different():
    (axes,) = picture("a line per edge").axes
    looks = {(to_hex(line.get_color()), line.get_marker(), line.get_fillstyle()) for line in data_lines(axes)}
    assert len(looks) == 28


def test_lines_on_one_another_are_dashed_in_turn():
    """Half of each period belongs to either; a line elsewhere is drawn through."""
    frame = SWEEPS["r"]
    same = frame.assign(ratio=frame["ratio"].where(frame["granularity"] == 1, frame["r"]))
    drawn = lines(ratio(same))
    assert drawn["S = 1"].get_linestyle() == "-"
    (first, on), (second, off) = (drawn[f"S = {S}"]._unscaled_dash_pattern for S in (4, 8))
    assert tuple(on) == tuple(off) == (4, 4)
    assert abs(first - second) == 4
    legend = ratio(same).get_legend()
    assert {line.get_linestyle() for line in legend.get_lines()[:3]} == {"-"}


def test_the_band_is_drawn_where_the_sweep_has_one():
    """By hand: bands of 0.9 to 1.2 times a latency of r seconds, the static form taking 2 s."""
    frame = SWEEPS["r"].query("granularity == 4").assign(static_latency_s=2.0)
    frame = frame.assign(latency_s=frame["r"], ratio=frame["r"] / 2)
    assert not ratio(frame).collections
    (band,) = ratio(frame.assign(latency_low_s=0.9 * frame["r"], latency_high_s=1.2 * frame["r"])).collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.9 * 0.2 / 2)
    assert heights.max() == pytest.approx(1.2 * 0.8 / 2)
    assert not ratio(frame.assign(latency_low_s=np.nan, latency_high_s=np.nan)).collections


def test_a_picture_says_what_the_shaded_areas_are_and_on_what_device():
    """The device is in the title where it is the only one, over batches too; several are in the legend."""
    settings = grid(Spatial, granularity=[4, 7], r=[0.5])
    calibrated = draw(sweep([BLOCK], ["h200"], settings, batches=[1, 8, 64], model="calibrated"))
    assert [text.get_text() for text in calibrated.legends[0].get_texts()][-1] == "shaded: 80 % band"
    assert calibrated.axes[0].get_title().splitlines()[0] == "resnet50-stage1 on h200"
    published = draw(sweep([BLOCK], ["h200", "v100"], settings, batches=[1, 8, 64]))
    names = [text.get_text() for text in published.legends[0].get_texts()]
    assert published.axes[0].get_title().splitlines()[0] == "resnet50-stage1"
    assert any("v100" in name for name in names)
    assert "shaded: 80 % band" not in names


def test_layers_and_channels_are_named_as_what_they_are():
    settings = [
        *grid(Spatial, granularity=[4], r=RATES),
        *grid(Channel, granularity=[4], r=RATES),
        *grid(Layer, r=RATES),
    ]
    drawn = lines(ratio(sweep([BLOCK], [V100], settings)))
    assert set(drawn) == {"S = 4", "G = 4", "layer", "break-even"}
    assert len({to_hex(drawn[name].get_color()) for name in ("S = 4", "G = 4", "layer")}) == 3


def test_settings_that_differ_in_nothing_but_their_options_are_told_apart():
    settings = [Spatial(S=4, r=r, unfuse=unfuse) for unfuse in ((), ("masker",)) for r in RATES]
    labels = [label for label in lines(ratio(sweep([BLOCK], [V100], settings))) if label != "break-even"]
    assert labels[0] == "S = 4"
    assert "masker" in labels[1]


def test_bars_begin_at_zero():
    how = {"model": "calibrated", "precision": "fp16"}
    (axes,) = draw_explanations([latpred.explain("resnet50", "h200", Spatial([4, 4, 2, 1], 0.5), **how)]).axes
    assert axes.get_xlim()[0] == 0


def test_the_largest_value_is_clear_of_the_edge():
    """A twentieth of it above; where all values lie close together that was a twentieth of what they differ by."""
    axes = Figure().subplots()
    axes.plot([0, 1], [1.14, 1.15])
    from_zero(axes)
    assert axes.get_ylim() == pytest.approx((0, 1.05 * 1.15))
