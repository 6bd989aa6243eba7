"""Sends logs, spans and metrics with the official Python SDK: otlp_client.py grpc|http ENDPOINT COUNT."""

import logging
import sys

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    logs = OTLPLogExporter(endpoint=endpoint, insecure=True)
    spans = OTLPSpanExporter(endpoint=endpoint, insecure=True)
    metrics = OTLPMetricExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logs = OTLPLogExporter(endpoint=endpoint + "/v1/logs", compression=Compression.Gzip)
    spans = OTLPSpanExporter(endpoint=endpoint + "/v1/traces")
    metrics = OTLPMetricExporter(endpoint=endpoint + "/v1/metrics")

logging.basicConfig(level=logging.WARNING)
resource = Resource.create({"service.name": "python-" + protocol, "robot": "r2"})
logger_provider = LoggerProvider(resource=resource)
logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs, max_queue_size=count + 1))
tracer_provider = TracerProvider(resource=resource)
tracer_provider.add_span_processor(BatchSpanProcessor(spans, max_queue_size=count + 1))
meter_provider = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metrics)])

logger = logger_provider.get_logger("python.worker")
tracer = tracer_provider.get_tracer("python.worker")
frames = meter_provider.get_meter("python.worker").create_counter("frames")

print("trace", end="")
for index in range(count):
    with tracer.start_as_current_span("detect", attributes={"frame": index}) as span:
        logger.emit(
            timestamp=1_780_000_000_000_000_000 + index,
            severity_number=SeverityNumber.WARN if index % 10 == 0 else SeverityNumber.INFO,
            severity_text="WARNING" if index % 10 == 0 else "INFO",
            body="frame %d: größer als erwartet" % index,
            attributes={"frame": index, "ratio": 0.5, "tags": ["a", "b"], "late": index % 2 == 0},
        )
        frames.add(1, {"camera": "front"})
        if index == 0:
            print(" " + trace.format_trace_id(span.get_span_context().trace_id))

logger_provider.shutdown()
tracer_provider.shutdown()
meter_provider.shutdown()
