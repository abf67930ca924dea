"""How a block becomes operators: a module per form."""

from latpred.workloads.lowering import kernels, published
from latpred.workloads.lowering.forms import Form, Lowered, Step

#: The papers' lowering, its oddities included.
PUBLISHED = Form(
    "published", published.steps, omits_projections=True, scatters_channels=True, masks_input_channels=True
)
#: The same without its oddities: what any implementation has to do.
PLAIN = Form("plain", published.steps)
#: The kernels of `latpred.measuring.gpu`.
KERNELS = Form("kernels", kernels.steps, gathers_samples=True, was_timed=kernels.was_timed)

__all__ = ["KERNELS", "PLAIN", "PUBLISHED", "Form", "Lowered", "Step"]
