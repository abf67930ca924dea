"""Which function reads which operator, and the graph that they make of a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from latpred.workloads.reading.graph import Graph, Node
from latpred.workloads.reading.operators import functions, moves, products
from latpred.workloads.reading.operators.asked import Asked, Constant, Value
from latpred.workloads.reading.tracing.calls import Call, Ref, flat

Reader: TypeAlias = Callable[[Asked], Value]

#: The operators that each function reads; of others torch itself says whether they are element-wise, or a view.
_OPERATORS: dict[Reader, str] = {
    products.convolution: """
        conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d conv_transpose3d""",
    products.linear: "linear",
    products.product: "addmm mm bmm baddbmm matmul",
    products.vectors: "mv dot vdot",
    products.einsum: "einsum",
    products.attention: """
        scaled_dot_product_attention _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention
        _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_cudnn_attention
        _scaled_dot_product_attention_math""",
    functions.norm: """
        batch_norm native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit
        _batch_norm_with_update layer_norm native_layer_norm group_norm native_group_norm instance_norm rms_norm
        _fused_rms_norm""",
    functions.elementwise: """
        hardswish prelu _prelu_kernel log_sigmoid rsub floor_divide true_divide multiply subtract tril triu where clip
        masked_fill""",
    functions.pool: """
        max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d""",
    functions.reduction: """
        mean sum amax amin max min var std var_mean linalg_vector_norm norm prod argmax argmin logsumexp any all""",
    functions.softmax: "softmax _softmax log_softmax _log_softmax",
    moves.view: "view reshape _unsafe_view unflatten view_as reshape_as squeeze unsqueeze flatten _reshape_alias",
    moves.permutation: "permute transpose t swapaxes swapdims movedim moveaxis numpy_T mT adjoint matrix_H",
    moves.expansion: "expand expand_as broadcast_to",
    moves.identity: """
        dropout feature_dropout alpha_dropout native_dropout alias detach contiguous clone to _to_copy type_as lift
        lift_fresh lift_fresh_copy float half bfloat16 positive requires_grad""",
    moves.part: "slice select narrow diagonal",
    moves.parts: "split split_with_sizes chunk unbind tensor_split unsafe_chunk unsafe_split hsplit vsplit",
    moves.copy: """
        roll flip repeat repeat_interleave tile upsample_nearest1d upsample_nearest2d upsample_linear1d
        upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa pixel_shuffle
        pixel_unshuffle channel_shuffle im2col col2im unfold gather index index_select index_put slice_scatter
        select_scatter copy rot90 take_along_dim fill zero resize""",
    moves.strided: "as_strided",
    moves.padding: "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d",
    moves.concatenation: "cat concat concatenate stack",
    moves.gated: "glu",
    moves.constant: """
        zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty
        new_empty_strided""",
}
_READERS = {op: reader for reader, ops in _OPERATORS.items() for op in ops.split()}
#: What computes even if only parameters come in: it is not known before the model runs, and PyTorch counts it.
_COUNTED = (products.convolution, products.linear, products.product, products.einsum, products.attention)
#: Operators with a number of outputs that their arguments say.
_SEVERAL = frozenset(_OPERATORS[moves.parts].split())


def graph_of(calls: Sequence[Call]) -> Graph:
    """The graph of a trace."""
    graph = Graph()
    values: dict[str, Value] = {}
    bases: dict[str, str] = {}
    names = _names(calls)
    for call in calls:
        if call.op == "output":
            for each in flat([values.get(name) for name in flat(call.given["outputs"]) if isinstance(name, Ref)]):
                if isinstance(each, Node):
                    each.is_output = True
            continue
        asked = Asked(call, values, graph, names[call.name])
        values[call.name] = value = _value(asked)
        source = call.given.get("self")
        if call.looks and isinstance(source, Ref):
            bases[call.name] = source
        if call.writes:
            _write(asked, bases, call.given[call.writes], value)
    return graph


def _value(asked: Asked) -> Value:
    """What a call becomes."""
    call = asked.call
    if call.op == "input":
        return asked.graph.add(call.name, "input", [], call.shape)
    if call.op == "constant":
        return Constant(call.shape)
    if call.op == "item":
        whole = asked.value("self")
        return whole[asked["index"]] if isinstance(whole, tuple) else whole if asked["index"] == 0 else None
    reader = _READERS.get(call.op)
    if not asked.nodes() and not (reader in _COUNTED and asked.tensors()):
        constants = tuple(None if shape is None else Constant(shape) for shape in call.shapes)
        return constants if len(constants) != 1 or call.op in _SEVERAL else constants[0]
    if reader is None:
        reader = functions.elementwise if call.elementwise else moves.look if call.looks else functions.unknown
    return reader(asked)


def _write(asked: Asked, bases: dict[str, str], name: str, value: Value) -> None:
    """Let what was changed in place be read from now on; of a view, what it is a view of, too."""
    values = asked.values
    values[name] = value
    while name in bases:
        name = bases[name]
        old = values.get(name)
        if isinstance(old, Node) or (isinstance(old, Constant) and isinstance(value, Node)):
            value = asked.add("copy", [old, value], old.shape, function="write")
        values[name] = value = old if isinstance(value, Constant) else value


def _names(calls: Sequence[Call]) -> dict[str, str]:
    """For people: the module that calls, with the name of the call where it makes several."""
    counts: dict[str, int] = {}
    for call in calls:
        counts[call.module] = counts.get(call.module, 0) + (call.op not in ("item", "input", "constant"))
    return {
        call.name: call.module if call.module and counts[call.module] == 1 else f"{call.module} {call.name}".lstrip()
        for call in calls
    }
