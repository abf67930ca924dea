"""Pictures of sweeps: their axes, lines and colours, and that the same sweep gives the same file."""

import pytest
from matplotlib.colors import to_hex

import latpred
from latpred import Channel, Spatial, grid, sweep
from latpred.show.plots import draw, latency, ratio, save, supported_suffixes

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
    for axes in draw(SWEEPS[kind]).axes:
        assert (axes.get_xlabel(), axes.get_ylabel()) == LABELS[kind]
        assert axes.get_legend() is not None
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
    assert set(drawn) == {"v100", "tx2", "v100, static", "tx2, static"}
    rows = frame[frame["device"] == "v100"]
    assert list(drawn["v100"].get_ydata()) == pytest.approx(list(rows["latency_s"] / rows["batch"] * 1e3))
    assert drawn["v100, static"].get_linestyle() == "--"
    assert to_hex(drawn["v100, static"].get_color()) == to_hex(drawn["v100"].get_color())


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
