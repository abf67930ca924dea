"""How a block becomes operators: a module per form."""

from latpred.workloads.lowering import attention, kernels, layers, published, static
from latpred.workloads.lowering.forms import Form, Lowered, Step

#: The papers' lowering, its oddities included.
PUBLISHED = Form(
    "published",
    published.steps,
    attention.steps,
    layers.as_on_paper,
    omits_projections=True,
    scatters_channels=True,
    masks_input_channels=True,
)
#: The same without its oddities: what any implementation has to do.
PLAIN = Form("plain", published.steps, attention.steps, layers.as_on_paper)
#: The kernels of `latpred.measuring.gpu`.
KERNELS = Form(
    "kernels",
    kernels.steps,
    attention.steps,
    layers.as_on_paper,
    gathers_samples=True,
    was_timed=kernels.was_timed,
)
#: Eager PyTorch: a kernel for everything that a layer does; and with normalisations folded into the convolutions.
EAGER = Form("eager", static.steps, static.transformer, layers.eager, is_static=True)
FOLDED = Form("folded", static.steps, static.transformer, layers.folded, is_static=True)
#: An engine that takes into a layer what follows it.
FUSED = Form("fused", static.steps, static.explicit, layers.fused, is_static=True)

__all__ = ["EAGER", "FOLDED", "FUSED", "KERNELS", "PLAIN", "PUBLISHED", "Form", "Lowered", "Step"]
