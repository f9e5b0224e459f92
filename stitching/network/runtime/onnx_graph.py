"""Rewriting an ONNX graph: parts that run only when they are asked for, weights of half the size."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

SMALL = 1024  # numbers; tensors of fewer stay as they are


def halve_weights(model: ModelProto) -> None:
    """Store large float32 weights as float16 and cast them in the graph, which ONNX Runtime does when it opens it."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _set_nodes(model.graph, [*casts, *model.graph.node])


def run_on_demand(model: ModelProto, parts: Mapping[str, Sequence[str]], needs: Mapping[str, Sequence[str]]) -> None:
    """Move what makes an output into an `If`, whose condition is a new input of the graph.

    ONNX Runtime computes the whole graph whatever is fetched; outputs of a part that is not asked for are empty.

    Args:
        model: a graph without subgraphs, whose outputs are all in `parts`. A node goes to the one part that uses it,
            or to the one that all others that use it need; the rest runs always.
        parts: name of the condition, a () bool, -> outputs.
        needs: part -> earlier parts that must run when it does; the caller sees to it.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    makers = {name: number for number, node in enumerate(graph.node) for name in node.output}
    users = _users(graph.node, makers, parts)
    owned = [(_owner(parts_, needs), node) for parts_, node in zip(users, graph.node, strict=True) if parts_]
    placed = [node for owner, node in owned if not owner]
    for part, outputs in parts.items():
        inside = [node for owner, node in owned if owner == part]
        used = {name for owner, node in owned if owner != part for name in node.input}
        made = [name for node in inside for name in node.output if name in used or name in outputs]
        placed.append(_branching(part, inside, {name: types[name] for name in made}))
        model.graph.input.append(helper.make_tensor_value_info(part, TensorProto.BOOL, []))
    _set_nodes(model.graph, placed)


def _users(nodes: Sequence[NodeProto], makers: Mapping[str, int], parts: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """The parts that need each node."""
    users: list[set[str]] = [set() for _ in nodes]
    for part, outputs in parts.items():
        waiting = [makers[name] for name in outputs]
        while waiting:
            number = waiting.pop()
            if part not in users[number]:
                users[number].add(part)
                waiting += [makers[name] for name in nodes[number].input if name in makers]
    return users


def _owner(users: set[str], needs: Mapping[str, Sequence[str]]) -> str:
    """The part that runs whenever one of these does; "": there is none."""
    return next((part for part in users if all(part == user or part in needs[user] for user in users)), "")


def _branching(part: str, nodes: Sequence[NodeProto], made: Mapping[str, int]) -> NodeProto:
    """`nodes` under a condition; `made`: what others use of it, with its type."""
    inner = {name: f"{name}/{part}" for name in made}  # names of an outer graph may not return
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [inner.get(name, name) for name in names]
    empty = {f"{name}/none": helper.make_tensor("", type_, (0,), []) for name, type_ in made.items()}
    constants = [helper.make_node("Constant", [], [name], value=value) for name, value in empty.items()]
    there = helper.make_graph(nodes, part, [], [_value(inner[name], type_) for name, type_ in made.items()])
    nothing = helper.make_graph(constants, f"no {part}", [], [_value(name, v.data_type) for name, v in empty.items()])
    return helper.make_node("If", [part], list(made), part, then_branch=there, else_branch=nothing)


def _value(name: str, type_: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, None)  # of any shape


def _set_nodes(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]  # they may be of this graph
    del graph.node[:]
    graph.node.extend(copies)
