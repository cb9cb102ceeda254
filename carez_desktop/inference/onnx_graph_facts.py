"""What an ONNX file would make a runtime do, read from its bytes before any runtime sees it.

A minimal walk over the protobuf wire format (varint, 64-bit, length-delimited, 32-bit fields);
field numbers are those of onnx/onnx.proto. It reads names only and never a weight, so it costs
milliseconds, and it needs no onnx package at run time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from carez_desktop.errors import ModelError

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
HIGHEST_OPSET = 23
_REPAIR = "Export the graph again (docs/reference/model-package.md says how)"


@dataclass(frozen=True, slots=True)
class OnnxGraphFacts:
    """Names found in an ONNX file.

    Attributes:
        opsets: Domain -> version that the file imports.
        operators: (domain, operator) of every node, in every subgraph.
        external_files: Locations of tensors that are kept outside the file.
        function_count: Functions that the file defines itself.
    """

    opsets: dict[str, int]
    operators: frozenset[tuple[str, str]]
    external_files: frozenset[str]
    function_count: int


def read_graph_facts(content: bytes, *, subject: str) -> OnnxGraphFacts:
    """Read the facts of an ONNX model.

    Args:
        content: The whole file.
        subject: Its name, for the error.

    Raises:
        ModelError: The bytes are no ONNX model.
    """
    facts = _Collected()
    graphs = 0
    try:
        view = memoryview(content)
        for number, value in _fields(view):
            if number == 7 and isinstance(value, memoryview):
                graphs += 1
                _walk_graph(value, facts, depth=0)
            elif number == 8 and isinstance(value, memoryview):
                domain, version = _opset(value)
                facts.opsets[domain] = version
            elif number == 25:
                facts.function_count += 1
    except (ValueError, IndexError, UnicodeDecodeError):
        graphs = 0
    if graphs != 1:
        raise ModelError("This file is no ONNX model", subject=subject, hint=_REPAIR)
    return OnnxGraphFacts(
        dict(facts.opsets),
        frozenset(facts.operators),
        frozenset(facts.external_files),
        facts.function_count,
    )


def refuse_unsafe_graph(facts: OnnxGraphFacts, *, subject: str, listed: frozenset[str]) -> None:
    """Refuse what a generator graph must not contain.

    Args:
        facts: From `read_graph_facts`.
        subject: Path of the graph inside its package (POSIX, relative).
        listed: Files that the package's manifest names.

    Raises:
        ModelError: Naming the operator, the domain or the outside file.
    """
    for domain, version in sorted(facts.opsets.items()):
        if domain not in STANDARD_DOMAINS:
            _refuse(f"The graph asks for operators of the unknown domain {domain}", subject)
        if version > HIGHEST_OPSET:
            _refuse(f"The graph uses opset {version}; up to {HIGHEST_OPSET} is read", subject)
    if facts.function_count:
        _refuse("The graph defines operators of its own", subject)
    for domain, operator in sorted(facts.operators):
        if domain not in STANDARD_DOMAINS:
            _refuse(f"The graph has the unknown operator {domain}.{operator}", subject)
        if operator in CONTROL_FLOW:
            _refuse(f"The graph has a loop or a branch ({operator})", subject)
        if operator in RANDOM:
            _refuse(f"The graph draws random numbers ({operator})", subject)
    _refuse_outside_weights(facts, subject, listed)


def _refuse_outside_weights(facts: OnnxGraphFacts, subject: str, listed: frozenset[str]) -> None:
    folder = PurePosixPath(subject).parent
    for location in sorted(facts.external_files):
        path = PurePosixPath(location.replace("\\", "/"))
        inside = not path.is_absolute() and ".." not in path.parts and ":" not in location
        if not inside or (folder / path).as_posix() not in listed:
            _refuse(f"The graph keeps weights in {location}, outside its package", subject)


def _refuse(what: str, subject: str) -> None:
    raise ModelError(what, subject=subject, hint=_REPAIR)


class _Collected:
    """Names while the walk goes on."""

    def __init__(self) -> None:
        self.opsets: dict[str, int] = {}
        self.operators: set[tuple[str, str]] = set()
        self.external_files: set[str] = set()
        self.function_count = 0


def _walk_graph(message: memoryview, facts: _Collected, depth: int) -> None:
    """GraphProto: node = 1, initializer = 5, sparse_initializer = 15."""
    if depth > 16:
        raise ValueError("too deep")
    for number, value in _fields(message):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            _walk_node(value, facts, depth)
        elif number == 5:
            _walk_tensor(value, facts)
        elif number == 15:
            _walk_sparse_tensor(value, facts)


def _walk_node(message: memoryview, facts: _Collected, depth: int) -> None:
    """NodeProto: op_type = 4, attribute = 5, domain = 7."""
    operator = domain = ""
    for number, value in _fields(message):
        if not isinstance(value, memoryview):
            continue
        if number == 4:
            operator = bytes(value).decode()
        elif number == 7:
            domain = bytes(value).decode()
        elif number == 5:
            _walk_attribute(value, facts, depth)
    facts.operators.add((domain, operator))


def _walk_attribute(message: memoryview, facts: _Collected, depth: int) -> None:
    """AttributeProto: t = 5, g = 6, tensors = 10, graphs = 11, sparse = 22 and 23."""
    for number, value in _fields(message):
        if not isinstance(value, memoryview):
            continue
        if number in (6, 11):
            _walk_graph(value, facts, depth + 1)
        elif number in (5, 10):
            _walk_tensor(value, facts)
        elif number in (22, 23):
            _walk_sparse_tensor(value, facts)


def _walk_sparse_tensor(message: memoryview, facts: _Collected) -> None:
    """SparseTensorProto: values = 1, indices = 2."""
    for number, value in _fields(message):
        if number in (1, 2) and isinstance(value, memoryview):
            _walk_tensor(value, facts)


def _walk_tensor(message: memoryview, facts: _Collected) -> None:
    """TensorProto: external_data = 13, a StringStringEntryProto {key = 1, value = 2}."""
    for number, value in _fields(message):
        if number == 13 and isinstance(value, memoryview):
            entry = {
                field: bytes(text).decode()
                for field, text in _fields(value)
                if isinstance(text, memoryview)
            }
            if entry.get(1) == "location":
                facts.external_files.add(entry.get(2, ""))


def _opset(message: memoryview) -> tuple[str, int]:
    """OperatorSetIdProto: domain = 1, version = 2."""
    domain, version = "", 0
    for number, value in _fields(message):
        if number == 1 and isinstance(value, memoryview):
            domain = bytes(value).decode()
        elif number == 2 and isinstance(value, int):
            version = value
    return domain, version


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, varint or bytes) of one protobuf message.

    Raises:
        ValueError: A wire type that onnx.proto does not use, or a length beyond the end.
    """
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(message, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > end or number == 0:
            raise ValueError("a field runs over the end")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a varint does not end")
