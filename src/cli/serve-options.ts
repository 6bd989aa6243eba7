import type { Command } from "commander";

/** Adds the flags of `ServeFlags`, which `serve` and `config` share. */
export function addServeOptions(command: Command): Command {
  return command
    .option("--config <file>", "configuration file in the Collector's vocabulary")
    .option("--data-dir <dir>", "folder of the log store")
    .option("--otlp-grpc <host:port>", "OTLP/gRPC receiver (default 127.0.0.1:4317)")
    .option("--otlp-http <host:port>", "OTLP/HTTP receiver (default 127.0.0.1:4318)")
    .option("--api <host:port>", "query API (default 127.0.0.1:6014)")
    .option("--token-file <file>", "file with the tokens that clients must give, one a line")
    .option("--tls-cert <file>", "TLS certificate, PEM")
    .option("--tls-key <file>", "TLS key, PEM")
    .option("--insecure-listen", "allow other machines to reach it without a token and TLS")
    .option(
      "--retention <age>",
      "remove records older than this, such as 30d, or none (default 7d)",
    )
    .option("--log-level <level>", "level of the service's own log: debug, info, warn, error");
}
