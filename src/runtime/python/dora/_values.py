"""How a value becomes the payload of a message, and back. pyarrow is loaded with the first value that needs it."""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, NamedTuple, Tuple

from ._errors import DoraError
from ._frames import Bytes
from ._schema import NO_SCHEMA, LogicalSchema, logical_schema

_COLUMN = "value"
# Streams of so many types and lengths are remembered.
_TEMPLATES_MAX = 64


class Encoded(NamedTuple):
    """`pieces` follow each other as one payload of `size` bytes; they may view the value's own memory."""

    encoding: str
    pieces: List[Bytes]
    size: int
    schema: LogicalSchema


_NOTHING = Encoded("none", [], 0, NO_SCHEMA)

# Of a stream of one primitive array, all but the array's own bytes depends on type and length alone.
_templates: Dict[Tuple[str, int], Tuple[bytes, bytes]] = {}


def pyarrow() -> Any:
    """Errors: `VALUE_UNSUPPORTED` where it is not installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        message = f"Arrow values need pyarrow, and {error}: pip install pyarrow"
        raise DoraError("VALUE_UNSUPPORTED", message) from None


def preload() -> None:
    """Loads pyarrow where it is installed: loaded by the first message, it would hold up those behind it."""
    try:
        pyarrow()
    except DoraError:
        return


def encode(value: Any) -> Encoded:
    """Bytes and arrays of uint8 go as they are, everything else as an Arrow IPC stream of one batch.

    Errors: `VALUE_UNSUPPORTED`.
    """
    if value is None:
        return _NOTHING
    if isinstance(value, (bytes, bytearray)):
        return Encoded("bytes", [value], len(value), "uint8")
    if isinstance(value, memoryview):
        return _encode_view(value)
    if type(value).__module__.partition(".")[0] == "numpy":
        return _encode_numpy(value)
    return _encode_arrow(value)


def decode(encoding: str, payload: Bytes) -> Any:
    """An Arrow array, which may view the payload. Without pyarrow, bytes are a `memoryview`.

    Errors: `FORMAT_MISMATCH` for what is no Arrow stream; `VALUE_UNSUPPORTED` where pyarrow is missing.
    """
    try:
        pa = pyarrow()
    except DoraError:
        if encoding == "arrow":
            raise
        return memoryview(payload).toreadonly()
    if encoding == "none":
        return pa.nulls(0)
    buffer = pa.py_buffer(payload)
    if encoding == "bytes":
        return pa.Array.from_buffers(pa.uint8(), len(payload), [None, buffer])
    try:
        table = pa.ipc.open_stream(buffer).read_all()
        column = table.column(0)
    except (pa.ArrowException, OSError, IndexError) as error:
        message = f"the payload is no Arrow stream: {error}"
        raise DoraError("FORMAT_MISMATCH", message) from None
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _encode_view(value: memoryview) -> Encoded:
    if not value.c_contiguous:
        raise DoraError("VALUE_UNSUPPORTED", "the memoryview has gaps: send bytes(view)")
    view = value.cast("B")
    return Encoded("bytes", [view], len(view), "uint8")


def _encode_numpy(value: Any) -> Encoded:
    if getattr(value, "ndim", 0) != 1:
        message = "of numpy, arrays of one dimension can be sent: send array.ravel(), and its shape in the metadata"
        raise DoraError("VALUE_UNSUPPORTED", message)
    if value.dtype == "uint8" and value.flags.c_contiguous:
        return _encode_view(memoryview(value))
    return _encode_arrow(pyarrow().array(value))


def _encode_arrow(value: Any) -> Encoded:
    if type(value).__module__.partition(".")[0] != "pyarrow":
        raise _unsupported(value)
    pa = pyarrow()
    array = _array_of(pa, value)
    kind = array.type
    if pa.types.is_null(kind) and len(array) == 0:
        return _NOTHING
    if pa.types.is_primitive(kind) and kind != pa.bool_() and array.null_count == 0:
        return _encode_primitive(pa, array)
    stream = _stream_of(pa, array)
    return Encoded("arrow", [stream], len(stream), logical_schema(pa, kind))


def _array_of(pa: Any, value: Any) -> Any:
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, pa.ChunkedArray):
        joined = value.combine_chunks()
        return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined
    if isinstance(value, pa.Table):
        batches = value.combine_chunks().to_batches()
        return batches[0].to_struct_array() if batches else pa.array([], pa.struct(value.schema))
    if isinstance(value, pa.RecordBatch):
        return value.to_struct_array()
    raise _unsupported(value)


def _encode_primitive(pa: Any, array: Any) -> Encoded:
    kind, length = array.type, len(array)
    width = kind.bit_width // 8
    data = array.buffers()[1]
    view = memoryview(data if data is not None and length > 0 else b"").cast("B")
    view = view[array.offset * width : (array.offset + length) * width]
    if kind == pa.uint8():
        return Encoded("bytes", [view], len(view), "uint8")
    key = (str(kind), length)
    template = _templates.get(key)
    if template is None:
        if len(_templates) >= _TEMPLATES_MAX:
            _templates.clear()
        template = _templates[key] = _template_of(bytes(_stream_of(pa, array)), len(view))
    before, after = template
    size = len(before) + len(view) + len(after)
    return Encoded("arrow", [before, view, after], size, logical_schema(pa, kind))


def _stream_of(pa: Any, array: Any) -> memoryview:
    batch = pa.record_batch([array], names=[_COLUMN])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _template_of(stream: bytes, size: int) -> Tuple[bytes, bytes]:
    """Messages of a stream: mark (4 bytes), bytes of the head (4), head, body. The schema has no body."""
    schema_end = 8 + int.from_bytes(stream[4:8], "little")
    head_size = int.from_bytes(stream[schema_end + 4 : schema_end + 8], "little")
    start = min(schema_end + 8 + head_size, len(stream) - 8)
    return stream[:start], stream[start + size :]


def _unsupported(value: Any) -> DoraError:
    advice = ""
    if isinstance(value, str):
        advice = ": such as text.encode(), or pyarrow.array([text])"
    elif isinstance(value, (list, tuple, int, float)):
        advice = ": such as pyarrow.array([1, 2, 3])"
    name = type(value).__name__
    message = f"a value of type {name} cannot be sent; give bytes, a pyarrow array or a numpy array{advice}"
    return DoraError("VALUE_UNSUPPORTED", message)
