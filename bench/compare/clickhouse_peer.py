"""ClickHouse inside this process, told what to do over standard input: clickhouse_peer.py DIRECTORY.

One line of JSON in, one out. A measured answer has `wall_ms` and `cpu_ms` of this process.

    {"do": "version"}                                       {"version"}
    {"do": "load", "table_file"}                            measured: all rows from one file, merged into one part
    {"do": "load_durably", "table_file", "blocks", "rows"}  measured, and "rows": blocks of rows, each synced
    {"do": "ask", "sql"}                                    measured: run to the last byte
    {"do": "answer", "sql", "compare"}                      {"answer": [...]}
    {"do": "disk"}                                          {"disk_bytes"}
"""

import itertools
import json
import os
import sys
import time

from chdb import session

COLUMNS = {
    "time_unix_ns": "Int64 CODEC(Delta, ZSTD(1))",
    "severity_number": "UInt8 CODEC(ZSTD(1))",
    "severity_text": "LowCardinality(String) CODEC(ZSTD(1))",
    "node": "LowCardinality(String) CODEC(ZSTD(1))",
    "host": "LowCardinality(String) CODEC(ZSTD(1))",
    "logger": "LowCardinality(String) CODEC(ZSTD(1))",
    "body": "String CODEC(ZSTD(1))",
    "trace_id": "String CODEC(ZSTD(1))",
    "span_id": "String CODEC(ZSTD(1))",
    "attributes": "String CODEC(ZSTD(1))",
}

# Rows are on disk when an insert returns, as they are with us.
TABLE = """CREATE TABLE {name} ({columns},
    INDEX words lower(body) TYPE text(tokenizer = splitByNonAlpha),
    INDEX traces trace_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree ORDER BY (node, time_unix_ns)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"""

directory = sys.argv[1]
export_file = os.path.join(directory, "export.json")
clickhouse = session.Session(os.path.join(directory, "clickhouse"))
# They remember which granules a condition left out and which words were not found: caches of results
# by another name.
clickhouse.query("SET use_query_condition_cache = 0, use_text_index_negative_tokens_cache = 0")


def create_table(name):
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    clickhouse.query(TABLE.format(name=name, columns=columns))


def measured(run):
    cpu_before, started = time.process_time(), time.perf_counter()
    run()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    return {"wall_ms": wall * 1000, "cpu_ms": cpu * 1000}


def load(request):
    create_table("logs")
    kinds = ", ".join(f"{column} {kind.split()[0]}" for column, kind in COLUMNS.items())
    kinds = kinds.replace("LowCardinality(String)", "String")
    file = request["table_file"]

    def run():
        clickhouse.query(f"INSERT INTO logs SELECT * FROM file('{file}', 'JSONEachRow', '{kinds}')")
        clickhouse.query("OPTIMIZE TABLE logs FINAL")

    return measured(run)


def load_durably(request):
    create_table("durable")
    with open(request["table_file"], encoding="utf-8") as lines:
        rows = list(itertools.islice(lines, request["blocks"] * request["rows"]))
    inserts = [
        "INSERT INTO durable FORMAT JSONEachRow\n" + "".join(rows[start : start + request["rows"]])
        for start in range(0, len(rows), request["rows"])
    ]

    def run():
        for insert in inserts:
            clickhouse.query(insert)

    figures = measured(run) | {"rows": len(rows)}
    stored = int(str(clickhouse.query("SELECT count() FROM durable", "TabSeparated")))
    if stored != len(rows):
        raise RuntimeError(f"{stored} of {len(rows)} rows were stored")
    clickhouse.query("DROP TABLE durable SYNC")
    return figures


def ask(sql):
    return clickhouse.query(sql.replace("$EXPORT", export_file), "JSONEachRow").bytes()


def answer(request):
    sql, compare = request["sql"], request["compare"]
    if compare == "exported":
        ask(sql)
        with open(export_file, encoding="utf-8") as lines:
            return {"answer": [str(json.loads(line)["time_unix_ns"]) for line in lines]}
    rows = [json.loads(line) for line in ask(sql).decode().splitlines()]
    if compare == "times":
        return {"answer": [str(row["time_unix_ns"]) for row in rows]}
    return {"answer": [" ".join(str(value) for value in row.values()) for row in rows]}


def disk():
    sizes = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'logs'"
    return {"disk_bytes": int(str(clickhouse.query(sizes, "TabSeparated")))}


def handle(request):
    match request["do"]:
        case "version":
            version = str(clickhouse.query("SELECT version()", "TabSeparated")).strip()
            return {"version": version}
        case "load":
            return load(request)
        case "load_durably":
            return load_durably(request)
        case "ask":
            return measured(lambda: ask(request["sql"]))
        case "answer":
            return answer(request)
        case "disk":
            return disk()
    raise ValueError(f"unknown request: {request}")


for line in sys.stdin:
    try:
        reply = handle(json.loads(line))
    except Exception as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
