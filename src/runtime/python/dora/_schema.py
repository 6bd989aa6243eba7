"""What an output's values are, in the words of docs/node-api.md: `float32`, `list<utf8>`, or a struct's fields."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional, Union

from ._errors import DoraError

LogicalSchema = Union[str, Dict[str, str]]

NO_SCHEMA = "null"

# Names that people, and pyarrow, use for the same type.
_ALIASES = {
    "bytes": "uint8",
    "boolean": "bool",
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "halffloat": "float16",
    "int": "int32",
    "long": "int64",
    "string": "utf8",
    "largeutf8": "utf8",
    "large_string": "utf8",
    "string_view": "utf8",
    "largebinary": "binary",
    "large_binary": "binary",
    "binary_view": "binary",
}


def logical_schema(pa: Any, kind: Any) -> LogicalSchema:
    """Of a pyarrow type. How values are packed is no part of what they are."""
    if pa.types.is_struct(kind):
        return {field.name: _logical_type(pa, field.type) for field in kind}
    return _logical_type(pa, kind)


def _logical_type(pa: Any, kind: Any) -> str:
    types = pa.types
    if types.is_dictionary(kind):
        return _logical_type(pa, kind.value_type)
    if types.is_fixed_size_list(kind):
        return f"list<{_logical_type(pa, kind.value_type)}, {kind.list_size}>"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{_logical_type(pa, kind.value_type)}>"
    if types.is_struct(kind):
        fields = ", ".join(f"{field.name}: {_logical_type(pa, field.type)}" for field in kind)
        return f"struct<{fields}>"
    if isinstance(kind, pa.BaseExtensionType):
        return _logical_type(pa, kind.storage_type)
    name = str(kind)
    return _ALIASES.get(name, name)


class OutputSchema:
    """Holds the messages of one output to one logical schema: the declared one, else that of the first message.

    A declared type with a `/` in it, such as `std/media/v1/Image`, says nothing of the bytes; then the first
    message decides.
    """

    def __init__(self, node: str, output: str, declared: Optional[LogicalSchema]) -> None:
        self._where = f"node {node}, output {output}"
        self._source = "its schema is declared as"
        is_name = isinstance(declared, str) and "/" in declared
        self._expected = None if is_name else declared
        # The last schema that was found to fit: nearly always the next one too.
        self._last: Optional[LogicalSchema] = None

    def check(self, schema: LogicalSchema) -> None:
        """Errors: `FORMAT_MISMATCH`, naming node, output and field."""
        if schema == self._last or schema == NO_SCHEMA:
            return
        if self._expected is None:
            self._expected = schema
            self._source = "the first message had"
        else:
            difference = _difference(self._expected, schema, self._source)
            if difference is not None:
                raise DoraError("FORMAT_MISMATCH", f"{self._where}: {difference}")
        self._last = schema


def _difference(expected: LogicalSchema, found: LogicalSchema, source: str) -> Optional[str]:
    if isinstance(expected, str) or isinstance(found, str):
        is_same = isinstance(expected, str) and isinstance(found, str) and _is_same(expected, found)
        if is_same:
            return None
        return f"the value is {_describe(found)}, {source} {_describe(expected)}"
    for field, kind in expected.items():
        if field not in found:
            return f'field "{field}" is missing, {source} {kind}'
        if not _is_same(kind, found[field]):
            return f'field "{field}" is {found[field]}, {source} {kind}'
    for field, kind in found.items():
        if field not in expected:
            return f'field "{field}" ({kind}) is one too many, {source} {_describe(expected)}'
    return None


def _describe(schema: LogicalSchema) -> str:
    if isinstance(schema, str):
        return schema
    return f"struct<{', '.join(f'{field}: {kind}' for field, kind in schema.items())}>"


def _is_same(left: str, right: str) -> bool:
    return _canonical(left) == _canonical(right)


def _canonical(kind: str) -> str:
    words = re.sub(r"\s+", "", kind.lower())
    return re.sub(r"[a-z]\w*", lambda word: _ALIASES.get(word[0], word[0]), words)
