/**
 * A program that logs as users do: pino through pino-opentelemetry-transport. Logs as many records
 * as its second argument says in one burst to the endpoint that its first one names, and ends when
 * its standard input does.
 */
import { pino } from "pino";

const [, , endpoint = "", count = "0"] = process.argv;

const transport = pino.transport({
  target: "pino-opentelemetry-transport",
  options: {
    loggerName: "burst",
    serviceVersion: "1",
    resourceAttributes: { "service.name": "camera" },
    logRecordProcessorOptions: {
      recordProcessorType: "batch",
      exporterOptions: {
        protocol: "http/protobuf",
        protobufExporterOptions: { url: `${endpoint}/v1/logs` },
      },
      // The transport's own default keeps 2,048 records and drops the rest of a burst.
      processorConfig: {
        maxQueueSize: Number(count),
        maxExportBatchSize: 2048,
        scheduledDelayMillis: 200,
      },
    },
  },
});
const logger = pino(transport);
for (let index = 0; index < Number(count); index += 1) logger.info({ index }, "late frame");
process.stdin.on("end", () => transport.end()).resume();
