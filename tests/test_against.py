"""A dynamic network beside the static one that PyTorch or TensorRT runs."""

import json
import pickle

import pytest

import latpred
from latpred import InputError, Spatial, Static, predict
from latpred.devices.transfer import Fitted
from latpred.question import ask
from latpred.studies.stage_curves import network_curves

HALF = {"model": "calibrated", "precision": "fp16"}
V100_AT_8 = {"model": "calibrated", "batch": 8}
SETTING = Spatial(S=[4, 4, 2, 1], r=0.5)


def test_the_rival_is_the_library_asked_for_itself():
    report = predict("resnet50", "h200", SETTING, **HALF, against="pytorch")
    alone = predict("resnet50", "h200", Static(), **HALF, library="pytorch")
    assert report.rival.library == "pytorch"
    assert report.rival.latency_s == alone.latency_s
    own = predict("resnet50", "h200", SETTING, **HALF)
    assert (report.latency_s, report.ratio, own.rival) == (own.latency_s, own.ratio, None)


def test_the_best_is_the_fastest_there_is():
    """The V100 has both in FP32, the H200 has no TensorRT."""
    found = {
        name: predict("resnet50", "v100", SETTING, **V100_AT_8, against=name).rival for name in ("tensorrt", "pytorch")
    }
    best = predict("resnet50", "v100", SETTING, **V100_AT_8, against="best").rival
    assert best == min(found.values(), key=lambda rival: rival.latency_s) == found["tensorrt"]
    assert predict("resnet50", "h200", SETTING, **HALF, against="best").rival.library == "pytorch"


def test_a_rival_is_there_beside_any_model_of_the_own_kernels():
    report = predict("resnet50", "tx2", SETTING, against="tensorrt")
    like_v100 = predict("resnet50", "tx2", Static(), model="calibrated", library="tensorrt", like="v100")
    assert report.rival.latency_s == like_v100.latency_s
    assert (
        "against: calibrated model, fp32 with tensorrt: fitted on v100, carried over: never measured here"
        in report.notes
    )


def test_what_of_the_rival_was_not_measured_is_noted_as_beside_the_library_itself():
    """The V100's PyTorch was timed at batches 6 to 100; a Nano multiplies halves in pairs."""
    beyond = "extrapolated: v100 was calibrated with batches 6 to 100, not 1"
    assert beyond in predict("resnet50", "v100", batch=1, model="calibrated", library="pytorch").notes
    assert f"against: {beyond}" in predict("resnet50", "v100", SETTING, batch=1, against="pytorch").notes
    frame = latpred.sweep("resnet50", "v100", SETTING, batches=[1, 8, 128], against="pytorch")
    assert f"against: {beyond}, 128" in frame.attrs["notes"]
    pairs = "nano has no tensor cores: halves are taken as FP32 in pairs, at twice its rate"
    notes = predict("resnet50", "nano", SETTING, model="roofline", precision="fp16", against="tensorrt").notes
    assert f"against: {pairs}" in notes
    assert not [
        note for note in predict("resnet50", "v100", SETTING, batch=8, against="pytorch").notes if beyond in note
    ]


@pytest.mark.parametrize(
    ("against", "problem"),
    [
        ("tensorrt+graph", "tensorrt has no graph: eager PyTorch alone is run with it or without"),
        ("best+compile", "unknown way to run a library 'compile'"),
        ("pytorch+", "unknown way to run a library ''"),
    ],
)
def test_a_way_to_run_that_a_rival_does_not_have_is_refused(against, problem):
    """On the V100 the best was TensorRT's, and nothing was said of PyTorch's."""
    with pytest.raises(InputError) as refused:
        predict("resnet50", "v100", SETTING, batch=8, against=against)
    assert problem in str(refused.value)


def test_ways_to_run_pytorch_add_up(run):
    asked = "predict --device h200 --network resnet50 --model calibrated --format json --library pytorch"
    both = [run(f"{asked}{ways}") for ways in ("+fold --graph", "+fold+graph", " --fold --graph")]
    assert [json.loads(out)["library"] for _, out, _ in both] == ["pytorch+fold+graph"] * 3


def test_a_sweep_and_a_recommendation_have_it_too():
    frame = latpred.sweep(
        "resnet50", "v100", [SETTING, Spatial(S=1, r=0.9)], batches=8, model="calibrated", against="tensorrt"
    )
    rival = predict("resnet50", "v100", SETTING, **V100_AT_8, against="tensorrt").rival
    assert frame["against"].tolist() == ["tensorrt"] * 2
    assert frame["against_latency_s"].tolist() == pytest.approx([rival.latency_s] * 2, rel=1e-12)
    assert frame["against_ratio"].tolist() == pytest.approx(frame["latency_s"] / rival.latency_s, rel=1e-12)
    assert "against" not in latpred.sweep("resnet50", "v100", SETTING, batches=8)
    found = latpred.recommend_granularity("resnet50", "v100", 0.5, **V100_AT_8, against="tensorrt")
    stages = [latpred.load_network("resnet50").stage(number) for number in (1, 2, 3, 4)]
    static = [predict(stage, "v100", Static(), **V100_AT_8, library="tensorrt").latency_s for stage in stages]
    chosen = sum(candidate.latency_s for candidate in found.candidates if candidate.chosen)
    assert found.to_dict()["against"] == {
        "library": "tensorrt",
        "static_latency_s": pytest.approx(sum(static), rel=1e-12),
        "ratio": pytest.approx(chosen / sum(static), rel=1e-12),
    }


def test_the_command_line_says_it_in_a_line_and_in_json(run):
    command = "predict --device v100 --model calibrated --network resnet50 --S 4-4-2-1 --r 0.5 --batch 8 --against best"
    rival = predict("resnet50", "v100", SETTING, **V100_AT_8, against="best").rival
    _, text, _ = run(command)
    assert f"against tensorrt: ℓ_stat = {rival.latency_s * 1e3:.2f} ms; rℓ = " in text
    report = json.loads(run(f"{command} --format json")[1])
    assert report["against"] == rival.to_dict(report["latency_s"])
    _, out, err = run(f"{command} --format csv")
    assert "against" not in out
    assert err.startswith(f"note: resnet50 on v100, against tensorrt: ℓ_stat = {rival.latency_s * 1e3:.2f} ms; rℓ = ")
    _, text, _ = run(command.replace("predict", "sweep"))
    assert "rℓ to tensorrt" in text
    assert f"{report['against']['ratio']:.3f}" in text
    _, text, _ = run(command.replace("--S 4-4-2-1 --r 0.5", "--r 0.5").replace("predict", "recommend-granularity"))
    assert "All stages, against tensorrt: ℓ_stat = " in text
    stages = command.replace("--S 4-4-2-1 --r 0.5", "--r 0.5 --format csv").replace("predict", "recommend-granularity")
    assert run(stages)[2].startswith("note: resnet50 on v100, against tensorrt: ℓ_stat = ")


def test_pytorch_folded_and_in_a_graph(run):
    """The same as library="pytorch+fold+graph"; folding takes a norm with its long constant time for a bias."""
    at_1 = {**HALF, "batch": 1}
    eager, small = (predict("resnet50", "h200", **at_1, library=f"pytorch{fold}+graph") for fold in ("", "+fold"))
    assert small.latency_s < eager.latency_s
    folded = predict("resnet50", "h200", **HALF, library="pytorch+fold+graph")
    command = "predict --device h200 --model calibrated --precision fp16 --network resnet50 --format json"
    report = json.loads(run(f"{command} --library pytorch --fold --graph")[1])
    assert (report["library"], report["latency_s"]) == ("pytorch+fold+graph", folded.latency_s)
    report = json.loads(run(f"{command} --S 4 --r 0.5 --against pytorch --fold --graph")[1])
    assert report["against"]["static_latency_s"] == folded.latency_s


BAD = {
    "--device v100 --against tensort": "'tensort' is not one of 'pytorch', 'tensorrt', 'best'; did you mean tensorrt?",
    "--device h200 --against tensorrt": "h200 is not calibrated for fp32 with tensorrt; it is for fp16 with triton",
    "--device v100 --precision fp16 --against tensorrt": "no whole network to compare with: v100 has fp16 with",
    "--device v100 --precision tf32 --against best": "v100 has no TF32; choose fp32 or fp16",
}


@pytest.mark.parametrize("options", BAD)
def test_a_library_that_is_not_there_is_one_line(run, options):
    code, out, err = run(f"predict {options} --model calibrated --network resnet50 --S 4 --r 0.5")
    assert code
    assert out == ""
    (line,) = err.strip().splitlines()[-1:]
    assert BAD[options] in line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--fold", "--fold and --graph are of PyTorch: add --library pytorch or --against pytorch"),
        ("--graph --against tensorrt", "--fold and --graph are of PyTorch"),
    ],
)
def test_ways_of_pytorch_without_pytorch(run, options, line):
    code, _, err = run(f"predict --device h200 --model calibrated --network resnet50 --S 4 --r 0.5 {options}")
    assert code == 2
    assert line in err


def test_in_python_what_is_no_library_is_refused():
    for given in ("tensort", 7, ["pytorch"]):
        with pytest.raises(InputError, match="unknown library of static networks"):
            predict("resnet50", "v100", against=given)


def test_a_rival_travels_to_other_processes():
    """A question is asked again there: of the same libraries, run in the same way."""
    asked = ask("resnet50", "h200", **HALF, against="pytorch+fold+graph")
    again = pickle.loads(pickle.dumps(asked))
    assert again == asked
    assert [model.library for model in again.rivals] == ["pytorch+fold+graph"]


NOTHING_SKIPS = {
    "evaluate": lambda how: latpred.evaluate("resnet50", "h200", Spatial(S=4, r=1.0), [[0.5] * 16], **how),
    "budget": lambda how: latpred.budget("resnet50", "h200", latency_s=0.01, **how),
    "break-even": lambda how: latpred.break_even_rate("resnet50", "h200", Spatial(S=4, r=0.5), **how),
    "page": lambda how: network_curves(ask("resnet50", "h200", **how)),
}


@pytest.mark.parametrize("question", NOTHING_SKIPS)
def test_no_question_of_a_dynamic_network_is_answered_with_static_kernels(question):
    with pytest.raises(InputError, match="pytorch has no kernels of dynamic networks, triton has"):
        NOTHING_SKIPS[question]({"model": "calibrated", "library": "pytorch"})


def test_what_carrying_pytorch_over_costs():
    """±6 % to the same engines and clock, ±33 % to others (docs/accuracy.md)."""
    h200 = latpred.load_profile("h200")
    fitted = Fitted(h200.calibration("fp16", "pytorch"), h200)
    spreads = [fitted.spread(latpred.load_profile(name)) for name in ("h200", "h100", "rtx3090")]
    assert spreads == [0.0, 0.06, 0.33]


@pytest.mark.parametrize("batch", [1, 64])
def test_a_recommendation_waits_for_the_host_once_as_the_prediction_of_what_it_chose(batch):
    """Stage by stage the host and the device would be waited for in turn: 4 % more at batch 64."""
    how = {"batch": batch, **HALF, "against": "pytorch"}
    found = latpred.recommend_granularity("resnet50", "h200", 0.5, **how)
    predicted = predict("resnet50", "h200", Spatial(S=found.S, r=0.5), **how)
    assert found.rival.library == predicted.rival.library
    assert found.rival.latency_s == pytest.approx(predicted.rival.latency_s, rel=1e-12)
    assert found.to_dict()["against"]["ratio"] == pytest.approx(predicted.to_dict()["against"]["ratio"], rel=1e-12)
