"""The page: its tables are latpred's predictions, it stands alone, and a browser shows what predict prints."""

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import latpred
from latpred.question import ask
from latpred.show import page as pages
from latpred.studies.stage_curves import network_curves
from latpred.units import seconds

SMALL = Path(__file__).parent.parent / "examples" / "my_network.yaml"
RESNET = latpred.load_network("resnet50")


def data_of(text):
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    return json.loads(found.replace("<\\/", "</"))


def decoded(code, place):
    return code if isinstance(code, float) else float(np.frombuffer(base64.b64decode(code), "<f4")[place])


def looked_up(data, paradigm, granularities, rate):
    """The sum of the stages' tables at a tabulated rate, and their squares."""
    (device,) = data["devices"]
    (of,) = (each for each in device["paradigms"] if each["name"] == paradigm)
    place = round((rate - of["first"]) / of["step"])
    chosen = [
        next(curve for curve in options if curve["granularity"] == granularity)
        for options, granularity in zip(of["stages"], granularities, strict=True)
    ]
    latency = sum(decoded(part["latency_s"], place) for curve in chosen for part in curve["parts"])
    macs = sum(decoded(curve["macs"], place) for curve in chosen)
    around = sum(part["latency_s"] for part in device["around"])
    squares = sum(decoded(curve.get("squares_s2", 0.0), place) for curve in chosen)
    return latency + around, macs + sum(part["macs"] for part in device["around"]), squares, of["band"]


@pytest.mark.parametrize(
    ("network", "device", "paradigm", "granularities", "how"),
    [
        ("resnet50", "tx2", latpred.Spatial(S=1, r=0.37), [4, 4, 2, 1], {}),
        (RESNET.including("stem", "head"), "v100", latpred.Channel(G=1, r=0.61), [1, 2, 4, 2], {}),
        (SMALL, "tx2", latpred.Layer(r=0.2), [0, 0, 0], {}),
        ("deit-s", "tx2", latpred.Token(r=0.65), [0], {}),
        ("resnet50", "h200", latpred.Spatial(S=1, r=0.5), [7, 7, 7, 1], {"model": "calibrated", "precision": "fp16"}),
        ("resnet50", "h200", latpred.Layer(r=0.43), [0] * 4, {"model": "calibrated", "batch": 8}),
    ],
)
def test_the_tables_are_predictions(network, device, paradigm, granularities, how):
    if paradigm.granularity:
        paradigm = paradigm.replace(**{paradigm.granularity_field: granularities})
    data = data_of(pages.page([network_curves(ask(network, device, **how))]))
    report = latpred.predict(network, device, paradigm, **how)
    latency, macs, squares, band = looked_up(data, paradigm.name, granularities, paradigm.rate)
    assert latency == pytest.approx(report.latency_s, rel=1e-6)
    assert macs == pytest.approx(report.macs, rel=1e-6)
    assert data["devices"][0]["static_latency_s"] == pytest.approx(report.static_latency_s, rel=1e-12)
    assert (band is None) == (report.band is None)
    if band:  # the half-widths shrink as errors of different shapes do (latpred.models.bands)
        middle = (band[0] * band[1]) ** 0.5
        low = latency * middle * (band[0] / middle) ** (squares**0.5 / latency)
        assert low == pytest.approx(report.latency_low_s, rel=1e-6)


def test_a_page_stands_alone():
    text = pages.page([network_curves(ask("resnet50", "tx2"))])
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)[a-z]*:?//""", text)
    assert len(text.encode()) < pages.MOST_BYTES
    assert text == pages.page([network_curves(ask("resnet50", "tx2"))])


def test_names_cannot_end_the_script(tmp_path):
    network = latpred.load_network(SMALL).replace(title="</script><b>bold</b>")
    text = pages.page([network_curves(ask(network, "tx2"))])
    assert "</script><b>" not in text
    assert "&lt;/script&gt;&lt;b&gt;bold" in text


def test_a_large_page_is_thinned_and_says_how_far_off_it_is(monkeypatch):
    found = [network_curves(ask("resnet50", "tx2"), ["layer"])]
    whole = len(pages.page(found).encode())
    assert "nothing is interpolated" in data_of(pages.page(found))["notes"][0]
    monkeypatch.setattr(pages, "MOST_BYTES", whole - 1000)
    data = data_of(pages.page(found))
    assert data["notes"] == [
        "One of 2 rates of the slider was computed beforehand; between them a stage's time is interpolated, off by "
        "0.00% at most."  # the published model takes the share of a body's time: a line
    ]
    assert data["devices"][0]["paradigms"][0]["count"] == 51
    monkeypatch.setattr(pages, "MOST_BYTES", 1000)
    with pytest.raises(latpred.InputError, match=r"the page would have 0.1 MB; give fewer devices"):
        pages.page(found)


def test_a_single_head_has_no_rate_to_move():
    """At any rate below 1 none is kept: the page has no such slider, and says why."""
    stage = latpred.Stage(kind="transformer", c_in=8, c_out=8, blocks=1, heads=1, head_dim=8, hidden=16)
    network = latpred.Network(
        name="single", stem=latpred.Stem(c_out=8, kernel=3, stride=2), stages=[stage], image_size=(28, 28)
    )
    (device,) = data_of(pages.page([network_curves(ask(network, "tx2"))]))["devices"]
    assert [one["name"] for one in device["paradigms"]] == ["layer", "token"]
    assert device["notes"] == ["head skipping is left out: single keeps anything at r = 1 alone"]


def test_what_no_page_is_made_of(run, tmp_path):
    for command, code, message in [
        ("page --network densenet-none --device tx2 -o x.html", 2, "unknown network 'densenet-none'"),
        ("page --network resnet50 --device tx2 -o x.pdf", 2, "cannot write a page as '.pdf'"),
        ("page --network resnet50 --device tx2 --paradigm token -o x.html", 2, "has no token skipping"),
        ("page --network resnet50,deit-s --device tx2 -o x.html", 2, "a page is of one network"),
        ("page --network resnet50 --device tx2 --latency ten -o x.html", 2, "'ten' is no latency; write 10ms"),
    ]:
        found, _, err = run(command)
        assert (found, message in err) == (code, True), err
        assert err.count("\n") == 1


# --- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="the page is tried in a browser by selenium")
    if not BROWSER or not DRIVER:
        pytest.skip("no Chromium with its chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    folder = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        "--window-size=900,1400", f"--user-data-dir={folder}",
    ):  # fmt: skip
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page at an address; no line may be on the console when the test ends."""

    def opener(found, address="", **settings):
        path = tmp_path / "page.html"
        pages.write_page(found, path, **settings)
        browser.get("about:blank")
        browser.get(f"file://{path}{address}")
        return browser

    yield opener
    assert browser.get_log("browser") == []


def shown(driver, name):
    return driver.find_element("id", name).text


def move(driver, name, value):
    """As a person does: the event follows the new value; the time until the answer stands there [ms]."""
    script = """
        const control = document.getElementById(arguments[0]), before = performance.now();
        control.value = arguments[1];
        control.dispatchEvent(new Event("input", {bubbles: true}));
        return performance.now() - before;
    """
    return driver.execute_script(script, name, value)


def test_the_slider_shows_what_predict_says(opened):
    driver = opened([network_curves(ask("resnet50", "tx2"))], "#paradigm=spatial&S=4-4-2-1&r=0.5")
    for rate in (0.5, 0.13, 1.0, 0.0):
        took_ms = move(driver, "rate", rate)
        report = latpred.predict("resnet50", "tx2", latpred.Spatial(S=[4, 4, 2, 1], r=rate))
        assert shown(driver, "latency") == f"ℓ = {seconds(report.latency_s)}"
        assert f"rℓ = {report.ratio:.3f}" in shown(driver, "verdict")
        assert f"({seconds(report.static_latency_s)})" in shown(driver, "verdict")
        assert took_ms < 500  # 50 wanted, on a machine that does nothing else
        times = [seconds(stage.latency_s) for stage in report.stages]
        assert all(time in shown(driver, "stages") for time in times)
    assert driver.current_url.endswith("#device=tx2&paradigm=spatial&S=4-4-2-1&r=0.00")


def test_the_address_holds_the_settings(opened):
    curves = [network_curves(ask("resnet50", name)) for name in ("tx2", "v100")]
    driver = opened(curves, "#device=v100&paradigm=channel&G=2-2-4-1&r=0.25&budget=90ms")
    report = latpred.predict("resnet50", "v100", latpred.Channel(G=[2, 2, 4, 1], r=0.25))
    assert shown(driver, "latency") == f"ℓ = {seconds(report.latency_s)}"
    assert "Fits into 90.0 ms" in shown(driver, "fits")
    driver.refresh()
    assert shown(driver, "latency") == f"ℓ = {seconds(report.latency_s)}"
    driver.find_element("css selector", "#paradigms input[value='2']").send_keys(" ")  # by the keyboard
    layer = latpred.predict("resnet50", "v100", latpred.Layer(r=0.25))
    assert shown(driver, "latency") == f"ℓ = {seconds(layer.latency_s)}"
    move(driver, "budget", 1)
    assert "Over the budget of 1.00 ms" in shown(driver, "fits")
    assert driver.current_url.endswith("#device=v100&paradigm=layer&r=0.25&budget=1ms")


def test_an_address_that_says_nothing_sensible_shows_the_page(opened):
    driver = opened([network_curves(ask("resnet50", "tx2"))], "#device=x&paradigm=y&S=-1-z&r=7&budget=no")
    assert shown(driver, "rate-text") == "1.00"


def test_the_band_is_shown_where_there_is_one(opened):
    how = {"model": "calibrated", "precision": "fp16"}
    driver = opened([network_curves(ask("resnet50", "h200", **how))], "#S=4-4-2-1&r=0.5")
    report = latpred.predict("resnet50", "h200", latpred.Spatial(S=[4, 4, 2, 1], r=0.5), **how)
    number, unit = seconds(report.latency_s).split()
    scale = {"ms": 1e3, "µs": 1e6}[unit]
    decimals = len(number.partition(".")[2])
    low, high = (f"{end * scale:.{decimals}f}" for end in (report.latency_low_s, report.latency_high_s))
    assert shown(driver, "band") == f"80 % band ({low}–{high})"
    assert "80 % band" in shown(driver, "legend")
    driver = opened([network_curves(ask("resnet50", "tx2"))])
    assert shown(driver, "band") == ""
    assert "80 % band" not in shown(driver, "legend")
