"""Triton's interpreter runs the kernels where there is no GPU; without torch and Triton what needs them is left out."""

import os
from importlib.util import find_spec

if find_spec("torch") and find_spec("triton"):
    import torch

    # The interpreter works on small pieces: threads only get into one another's way.
    torch.set_num_threads(1)
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"
else:
    collect_ignore_glob = ["latpred/measuring/gpu/*", "latpred/workloads/reading/*"]
