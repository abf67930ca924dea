"""The device file that `latpred measure --profile-only` writes, with numbers in place of a GPU's."""

import pytest

pytest.importorskip("torch", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")
pytest.importorskip("triton", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")

import latpred
from latpred.devices.writing import save_profile
from latpred.measuring.gpu import microbenchmarks


def test_the_device_file_is_ready_to_use(monkeypatch, tmp_path):
    here = {"device": "NVIDIA Test", "driver": "1", "torch": "2", "sm_clock_hz": 2e9}
    measured = {
        "environment": here,
        "engines": 100,
        "copy_bandwidth": 1.00004e12,
        "l2_bandwidth": 3e12,
        "fma_peak": 2.4e13,  # 120 a clock and engine: 128 lanes
        "kernel_floors": (1.3e-6, 6e-6),
        "cache_bytes": 4e7,
    }
    for name, value in measured.items():
        monkeypatch.setattr(microbenchmarks, name, lambda value=value: value)
    monkeypatch.setattr(microbenchmarks, "tensor_peak", {"tf32": 1e14, "fp16": 2e14}.get)
    path = tmp_path / "mine.yaml"
    save_profile(microbenchmarks.profile("mine"), path)
    profile = latpred.load_profile(path)
    assert (profile.name, profile.title, profile.pes, profile.fp32_lanes_per_pe) == ("mine", "NVIDIA Test", 100, 128)
    assert (profile.dram_bandwidth, profile.l2_bandwidth_ratio, profile.kernel_s) == (1e12, 3.0, 1.3e-6)
    assert (profile.peaks.fp16_macs, profile.peaks.l2_bytes, profile.validated) == (2e14, 4e7, False)
    assert latpred.predict(latpred.load_block("r50-stage1"), profile, model="roofline", precision="fp16").latency_s > 0
