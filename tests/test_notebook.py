"""How results show themselves: a line at the prompt, a table in a notebook."""

import pytest

import latpred
from latpred.studies.comparison import compare

RESNET, TX2 = latpred.load_network("resnet50"), latpred.load_profile("tx2")
BLOCK = latpred.load_block("resnet50-stage1")
SPATIAL = latpred.Spatial(S=4, r=0.6)
#: With what the README says of it, and how many rows its table has.
SHOWN = {
    "report": (lambda: latpred.predict(BLOCK, TX2, SPATIAL), "829 µs, 0.781 of static", 4),
    "network report": (
        lambda: latpred.predict(RESNET, TX2, latpred.Layer(r=0.5)),
        "resnet50 on tx2, layer(r=0.5)",
        None,
    ),
    "recommendation": (lambda: latpred.recommend_granularity(RESNET, TX2, 0.6), "S = ", None),
    "explanation": (lambda: latpred.explain(BLOCK, TX2, SPATIAL), "829 µs", 4),
    "comparison": (lambda: compare(RESNET, TX2, 0.5, {"layer": latpred.Layer(r=1.0)})[0], "of static", 1),
    # Eight different blocks, each static and by layers.
    "table": (lambda: latpred.latency_table(RESNET, TX2), "16 entries of resnet50 on tx2, batch 1", 16),
    "device": (lambda: latpred.load_profile("h200"), "fp16 with triton", None),
    "network": (lambda: RESNET, "resnet50, 3-4-6-3 blocks, images of 224×224", 4),
    "transformer": (lambda: latpred.load_network("deit-s"), "deit-s, 12 blocks, 197 tokens", None),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_a_line_at_the_prompt_and_a_table_in_a_notebook(kind):
    make, says, rows = SHOWN[kind]
    result = make()
    assert says in result.summary
    assert repr(result) == f"<{type(result).__name__}: {result.summary}>"
    assert len(repr(result)) <= 200
    assert "\n" not in repr(result)
    frame = result.to_frame()
    assert len(frame) == (rows or len(frame)) > 0
    html = result._repr_html_()
    assert result.summary in html.replace("&#x27;", "'")
    assert all(f"<th>{column}</th>" in html for column in frame.columns)


def test_the_frame_adds_up_to_the_report():
    report = latpred.predict(RESNET, TX2, SPATIAL)
    assert report.to_frame()["latency_s"].sum() == pytest.approx(report.latency_s)
    assert report.to_frame()["macs"].sum() == pytest.approx(report.macs)


def test_names_are_no_html():
    report = latpred.predict(BLOCK.replace(name="<script>"), TX2)
    assert "<script>" not in report._repr_html_()
