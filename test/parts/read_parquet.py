"""Says in JSON what pandas and pyarrow read in an export: read_parquet.py LOGS SPANS POINTS."""

import json
import sys

import pandas
import pyarrow.parquet

logs_file, spans_file, points_file = sys.argv[1:]

logs = pandas.read_parquet(logs_file)
spans = pandas.read_parquet(spans_file)
points = pandas.read_parquet(points_file)
attributes = logs["attributes"].map(json.loads)

print(
    json.dumps(
        {
            "schema": {field.name: str(field.type) for field in pyarrow.parquet.read_schema(logs_file)},
            "dtypes": {name: str(dtype) for name, dtype in logs.dtypes.items()},
            "rowCount": len(logs),
            "groupCount": pyarrow.parquet.ParquetFile(logs_file).num_row_groups,
            "timesUnixNs": [str(time.value) for time in logs["timestamp"]],
            "hasSameTimes": bool((logs["timestamp"].astype("int64") == logs["time_unix_ns"]).all()),
            "messages": logs["message"].tolist(),
            "traceIds": [None if pandas.isna(id) else id for id in logs["trace_id"]],
            "attributes": attributes.tolist(),
            "late": logs[logs["timestamp"] > "2025-01-07T20:34:07Z"]["message"].tolist(),
            "spanNs": [int((end - start).value) for start, end in zip(spans["timestamp"], spans["end_timestamp"])],
            "durations": spans["duration_ns"].tolist(),
            "values": points["value"].tolist(),
            "counts": [None if pandas.isna(count) else int(count) for count in points["count"]],
        }
    )
)
