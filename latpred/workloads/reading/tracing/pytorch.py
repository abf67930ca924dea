"""Tracing of a PyTorch module to calls of ATen's operators: three of torch's own means, one after the other."""

from __future__ import annotations

import logging
import operator
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from inspect import signature
from io import StringIO
from typing import Any, NamedTuple

import torch

from latpred.errors import NetworkError
from latpred.wording import listed
from latpred.workloads.reading.tracing.calls import Call, Ref, Shape, first_line, flat

#: Operators by which a program reads numbers out of a tensor, and decides.
_DECIDING = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero"}
#: Operators that run one graph or another.
_BRANCHING = {"cond", "while_loop"}
_NO_GRAPH = "no one graph says what it runs"


class Traced(NamedTuple):
    """The calls of a module, and how they were found."""

    calls: list[Call]
    path: str
    refused: str = ""


def traced(module: torch.nn.Module, image_size: tuple[int, int]) -> Traced:
    """The calls of one image's way through a module in evaluation mode; it is left as it was.

    `torch.export` is asked first, then `torch.fx`, whose tracer asks less of a module, then a run is recorded.

    Raises
    ------
    NetworkError
        The module does not run on such an image, or decides by what it sees.
    """
    _check_inputs(module)
    if any(torch.nn.parameter.is_lazy(each) for each in module.parameters()):
        raise NetworkError(f"{type(module).__name__} has lazy layers, whose sizes are open; run it once on an image")
    image = _image(module, image_size)
    refused = ""
    for path, trace in {"torch.export": _exported, "torch.fx": _by_fx, "a recorded run": _recorded}.items():
        try:
            with _evaluating(module), _silence():
                return Traced(trace(module, image), path, refused)
        except NetworkError:
            raise
        except (Exception, SystemExit) as error:
            failure = f"{type(error).__name__}: {first_line(error)}"
            refused = refused or failure
    size = "×".join(map(str, image.shape[1:]))
    raise NetworkError(f"{type(module).__name__} does not run on an image of {size}: {failure}")


def _check_inputs(module: torch.nn.Module) -> None:
    """Raise NetworkError for a module that needs other inputs than one batch of images."""
    try:
        given = signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [
        each.name
        for each in given
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    if len(needed) > 1:
        kind = type(module).__name__
        raise NetworkError(f"{kind} takes {listed(needed)}; a module that takes one batch of images is wanted")


def _image(module: torch.nn.Module, image_size: tuple[int, int]) -> torch.Tensor:
    """An image where the module is, and of its precision."""
    first = next((each for each in module.parameters() if each.is_floating_point()), None)
    where = {} if first is None else {"device": first.device, "dtype": first.dtype}
    return torch.zeros(1, 3, *image_size, **where)


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Without gradients and in evaluation mode; afterwards every part has the attributes that it had."""
    before = []
    for part in module.modules():
        kept = [
            each for each in (part.__dict__, part._parameters, part._buffers, part._modules) if isinstance(each, dict)
        ]
        before.append((part, part.training, [(each, dict(each)) for each in kept]))
    try:
        # A program that was exported is as it is, and refuses to be changed.
        with torch.no_grad(), suppress(NotImplementedError):
            module.eval()
        with torch.no_grad():
            yield
    finally:
        for part, training, contents in before:
            for each, content in contents:
                each.clear()
                each.update(content)
            part.training = training


@contextmanager
def _silence() -> Iterator[None]:
    """Without what torch and the module print and log: of a graph that is refused, all of it."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def _exported(module: torch.nn.Module, image: torch.Tensor) -> list[Call]:
    """By `torch.export`."""
    program = torch.export.export(module, (image,), strict=False)
    inputs = set(program.graph_signature.user_inputs)
    return list(_calls(program.graph.nodes, inputs))


def _by_fx(module: torch.nn.Module, image: torch.Tensor) -> list[Call]:
    """By `torch.fx`, with tensors that have shapes and no numbers."""
    from torch.fx.experimental.proxy_tensor import make_fx

    trace = make_fx(module, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True)
    return list(_calls(trace(image).graph.nodes, None))


def _calls(nodes: Any, inputs: set[str] | None) -> Iterator[Call]:
    """The calls of an FX graph; placeholders that are no inputs are parameters."""
    for node in nodes:
        shapes = _shapes(node.meta.get("val"))
        stack = node.meta.get("nn_module_stack") or {}
        module = next(reversed(stack.values()))[0] if stack else ""
        if node.op == "placeholder":
            yield Call(node.name, "input" if inputs is None or node.name in inputs else "constant", {}, shapes)
        elif node.op == "get_attr":
            yield Call(node.name, "constant", {}, shapes)
        elif node.op == "output":
            yield Call(node.name, "output", {"outputs": _plain(node.args, _name)})
        else:
            arguments = (_plain(node.args, _name), _plain(node.kwargs, _name))
            yield called(node.name, node.target, *arguments, shapes, module)


def _name(value: Any) -> Any:
    return Ref(value.name) if isinstance(value, torch.fx.Node) else value


def _plain(value: Any, named: Callable[[Any], Any]) -> Any:
    """Arguments with the names of calls in place of tensors."""
    if isinstance(value, list | tuple):
        return [_plain(each, named) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each, named) for name, each in value.items()}
    return named(value)


def _shapes(value: Any) -> tuple[Shape | None, ...]:
    """The sizes of what a call puts out."""
    if isinstance(value, torch.Tensor):
        return (tuple(int(edge) for edge in value.shape),)
    if isinstance(value, list | tuple):
        return tuple(_shapes(each)[0] if isinstance(each, torch.Tensor) else None for each in value)
    return ()


def called(
    name: str, target: Any, args: list[Any], kwargs: dict[str, Any], shapes: tuple[Shape | None, ...], module: str
) -> Call:
    """A call with its arguments by the names that ATen's schema gives them, defaults included."""
    if target is operator.getitem:
        return Call(name, "item", {"self": args[0], "index": args[1]}, shapes, module)
    schema = getattr(target, "_schema", None)
    if schema is None:
        if str(target) in _BRANCHING:
            raise NetworkError(
                f"the module decides by numbers that it computes{_within(module)} ({target}); {_NO_GRAPH}"
            )
        return Call(name, str(getattr(target, "__name__", target)), {"arguments": [*args, kwargs]}, shapes, module)
    given = {
        argument.name: kwargs.get(argument.name, args[place] if place < len(args) else _default(argument))
        for place, argument in enumerate(schema.arguments)
    }
    namespace, _, op = schema.name.partition("::")
    aliases = [(argument.name, argument.alias_info) for argument in schema.arguments if argument.alias_info]
    writes = next((each for each, alias in aliases if alias.is_write), None)
    looks = bool(aliases) and writes is None and bool(schema.returns) and schema.returns[0].alias_info is not None
    elementwise = torch.Tag.pointwise in getattr(target, "tags", ())
    op = op.rstrip("_") or op if namespace == "aten" else schema.name
    return Call(name, op, given, shapes, module, elementwise, looks, writes)


def _within(module: str) -> str:
    return f" in {module}" if module else ""


def _default(argument: Any) -> Any:
    return argument.default_value if argument.has_default_value() else None


def _recorded(module: torch.nn.Module, image: torch.Tensor) -> list[Call]:
    """By a run of the module."""
    with _Recorder(module, image) as recorder:
        out = module(image)
    found = [each for each in flat(out) if isinstance(each, torch.Tensor)]
    return [*recorder.calls, Call("output", "output", {"outputs": [recorder.named(each) for each in found]})]


def _is_of_no_one_size(func: Any, args: Any) -> bool:
    """Whether the size of an operator's output follows from numbers: those of a mask, where it indexes."""
    if torch.Tag.dynamic_output_shape not in func.tags:
        return False
    indices = [each for each in flat(args[1:]) if isinstance(each, torch.Tensor)]
    return "index" not in func._schema.name or any(each.dtype in (torch.bool, torch.uint8) for each in indices)


class _Recorder(torch.utils._python_dispatch.TorchDispatchMode):
    """Writes down every operator that runs, and on whose outputs."""

    def __init__(self, module: torch.nn.Module, image: torch.Tensor) -> None:
        super().__init__()
        self.calls = [Call("image", "input", {}, (tuple(image.shape),))]
        #: Tensors by their identity, kept so that none is used twice.
        self.names: dict[int, tuple[Ref, torch.Tensor]] = {id(image): (Ref("image"), image)}
        self.computed = {"image"}
        self.modules: list[str] = []
        self.hooks = [hook for name, part in module.named_modules() if name for hook in self._watch(part, name)]

    def _watch(self, part: torch.nn.Module, name: str) -> Iterator[Any]:
        yield part.register_forward_pre_hook(lambda *_: self.modules.append(name))
        yield part.register_forward_hook(lambda *_: self.modules.pop() and None)

    def __exit__(self, *error: Any) -> None:
        """Forget the hooks."""
        for hook in self.hooks:
            hook.remove()
        super().__exit__(*error)

    def named(self, value: Any) -> Any:
        """The name of the call that put out a tensor; of one that was there before, a constant's."""
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in self.names:
            name = Ref(f"constant_{len(self.names)}")
            self.names[id(value)] = name, value
            self.calls.append(Call(name, "constant", {}, _shapes(value)))
        return self.names[id(value)][0]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and write it down; raises NetworkError where the program reads what was computed."""
        given = _plain(args, self.named), _plain(kwargs or {}, self.named)
        op = func._schema.name.partition("::")[2]
        depends = any(isinstance(each, Ref) and each in self.computed for each in flat(given))
        if depends and (op in _DECIDING or _is_of_no_one_size(func, args)):
            where = _within(self.modules[-1] if self.modules else "")
            raise NetworkError(f"the module decides by numbers that it computes{where} ({op}); {_NO_GRAPH}")
        out = func(*args, **(kwargs or {}))
        name = f"{op}_{len(self.calls)}"
        call = called(name, func, *given, _shapes(out), self.modules[-1] if self.modules else "")
        self.calls.append(call)
        several = isinstance(out, list | tuple)
        for place, each in enumerate(out if several else [out]):
            if isinstance(each, torch.Tensor) and not (call.writes and not several):
                own = f"{name}_{place}" if several else name
                if several:
                    self.calls.append(Call(own, "item", {"self": Ref(name), "index": place}, _shapes(each)))
                self.names[id(each)] = Ref(own), each
                self.computed |= {own} if depends else set()
        return out
