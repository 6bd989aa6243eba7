/**
 * The applications whose logs the load is made of. The shapes are those that operators know from
 * such programs; every name, address and number is invented.
 */
import type { Attribute } from "./otlp-writer.ts";
import type { Random } from "./random.ts";
import {
  javaTrace,
  pythonTraceback,
  requestId,
  ipAddress,
  userName,
  urlPath,
} from "./log-fragments.ts";

export interface Application {
  readonly serviceName: string;
  readonly scopeName: string;
  /** `dora.node.id` of each instance; where it is empty, the service's name is the node. */
  readonly nodeIds: readonly string[];
  readonly instanceCount: number;
  /** Its share of all records, relative to the others'. */
  readonly weight: number;
  /** Share of its records that carry a trace id. */
  readonly tracedShare: number;
  /** Share of errors in a quiet time, and during an incident. */
  readonly errorShare: number;
  readonly incidentErrorShare: number;
  ok(random: Random, pid: number): Line;
  error(random: Random, pid: number): Line;
}

export interface Line {
  readonly severity: Severity;
  readonly body: string;
  readonly attributes: readonly Attribute[];
}

export type Severity = "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL";

const NONE: readonly Attribute[] = [];

function line(severity: Severity, body: string, attributes: readonly Attribute[] = NONE): Line {
  return { severity, body, attributes };
}

const AGENTS = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "curl/8.14.1",
  "python-requests/2.33",
];
const REFERRERS = [
  "-",
  "https://shop.example/",
  "https://shop.example/search?q=lamp",
  "https://mail.example/newsletter/2026-06",
];

const webAccess: Application = {
  serviceName: "web-frontend",
  scopeName: "access",
  nodeIds: [],
  instanceCount: 6,
  weight: 18,
  tracedShare: 0.8,
  errorShare: 0.03,
  incidentErrorShare: 0.5,
  ok: (random) =>
    access(random, random.chance(0.06) ? 404 : random.pick([200, 200, 200, 204, 302, 304])),
  error: (random) => access(random, random.pick([500, 502, 503, 504])),
};

function access(random: Random, status: number): Line {
  const method = random.pick(["GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"]);
  const path = urlPath(random);
  const durationMs = Number(random.longTailed(status >= 500 ? 900 : 35).toFixed(2));
  const sizeBytes = random.between(120, 48_000);
  const body = `${ipAddress(random)} - ${userName(random)} "${method} ${path} HTTP/1.1" ${status} ${sizeBytes} "${random.pick(REFERRERS)}" "${random.pick(AGENTS)}"`;
  const severity = status >= 500 ? "ERROR" : status >= 400 ? "WARN" : "INFO";
  return line(severity, body, [
    ["http.response.status_code", status],
    ["url.path", path],
    ["duration_ms", durationMs],
  ]);
}

const hdfs: Application = {
  serviceName: "hdfs-datanode",
  scopeName: "dfs.DataNode",
  nodeIds: [],
  instanceCount: 8,
  weight: 14,
  tracedShare: 0,
  errorShare: 0.04,
  incidentErrorShare: 0.3,
  ok(random) {
    const block = blockId(random);
    const [source, target] = [dataNode(random), dataNode(random)];
    const size = random.between(1_000, 67_108_864);
    switch (random.between(0, 3)) {
      case 0:
        return line(
          "INFO",
          `${hdfsThread(random)} dfs.DataXceiver: Receiving block ${block} src: /${source} dest: /${target}`,
        );
      case 1:
        return line(
          "INFO",
          `${hdfsThread(random)} dfs.PacketResponder: Received block ${block} of size ${size} from /${source}`,
        );
      case 2:
        return line(
          "INFO",
          `${hdfsThread(random)} dfs.PacketResponder: PacketResponder ${random.between(0, 2)} for block ${block} terminating`,
        );
      default:
        return line(
          "INFO",
          `${hdfsThread(random)} dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated: ${target} is added to ${block} size ${size}`,
        );
    }
  },
  error: (random) =>
    line(
      "ERROR",
      `${hdfsThread(random)} dfs.DataXceiver: Got exception while serving ${blockId(random)} to /${dataNode(random)}: java.io.IOException: Connection reset by peer`,
    ),
};

/** A block is written and read a few times within a short while, then hardly ever. */
function blockId(random: Random): string {
  return `blk_${4_611_000_000_000 + random.between(0, 90_000) * 7919}`;
}

function hdfsThread(random: Random): string {
  return `[DataStreamer-${random.between(1, 40)}] pool-${random.between(1, 8)}-thread-${random.between(1, 32)}`;
}

function dataNode(random: Random): string {
  return `10.250.${random.between(1, 12)}.${random.between(2, 240)}:50010`;
}

const sshd: Application = {
  serviceName: "sshd",
  scopeName: "syslog",
  nodeIds: [],
  instanceCount: 12,
  weight: 5,
  tracedShare: 0,
  errorShare: 0.04,
  incidentErrorShare: 0.6,
  ok(random, pid) {
    const from = `from ${ipAddress(random)} port ${random.between(1024, 65_535)}`;
    switch (random.between(0, 3)) {
      case 0:
        return line(
          "INFO",
          `sshd[${pid}]: Accepted publickey for ${userName(random)} ${from} ssh2`,
        );
      case 1:
        return line(
          "WARN",
          `sshd[${pid}]: Failed password for invalid user ${userName(random)} ${from} ssh2`,
        );
      case 2:
        return line(
          "INFO",
          `sshd[${pid}]: pam_unix(sshd:session): session closed for user ${userName(random)}`,
        );
      default:
        return line(
          "INFO",
          `sshd[${pid}]: Connection closed by authenticating user ${userName(random)} ${from} [preauth]`,
        );
    }
  },
  error: (random, pid) =>
    line(
      "ERROR",
      `sshd[${pid}]: error: maximum authentication attempts exceeded for root from ${ipAddress(random)} port ${random.between(1024, 65_535)} ssh2 [preauth]`,
    ),
};

const kernel: Application = {
  serviceName: "kernel",
  scopeName: "kmsg",
  nodeIds: [],
  instanceCount: 12,
  weight: 4,
  tracedShare: 0,
  errorShare: 0.04,
  incidentErrorShare: 0.4,
  ok(random) {
    const uptime = (random.unit() * 900_000).toFixed(6);
    switch (random.between(0, 2)) {
      case 0:
        return line(
          "INFO",
          `[${uptime}] usb 1-${random.between(1, 8)}: new high-speed USB device number ${random.between(2, 120)} using xhci_hcd`,
        );
      case 1:
        return line(
          "WARN",
          `[${uptime}] CPU${random.between(0, 15)}: Core temperature above threshold, cpu clock throttled (total events = ${random.between(1, 90_000)})`,
        );
      default:
        return line("INFO", `[${uptime}] eth0: renamed from veth${random.hex(7)}`);
    }
  },
  error: (random) =>
    line(
      "ERROR",
      `[${(random.unit() * 900_000).toFixed(6)}] Out of memory: Killed process ${random.between(300, 32_768)} (${random.pick(["java", "python3", "node", "planner"])}) total-vm:${random.between(500_000, 9_000_000)}kB, anon-rss:${random.between(100_000, 4_000_000)}kB`,
    ),
};

const kubelet: Application = {
  serviceName: "kubelet",
  scopeName: "k8s.io/kubelet",
  nodeIds: [],
  instanceCount: 6,
  weight: 8,
  tracedShare: 0.1,
  errorShare: 0.06,
  incidentErrorShare: 0.5,
  ok(random) {
    const pod = podName(random);
    switch (random.between(0, 2)) {
      case 0:
        return line(
          "INFO",
          `"SyncLoop (PLEG): event for pod" pod="${pod}" podUID="${requestId(random)}" event={"ID":"${random.hex(8)}-${random.hex(4)}","Type":"ContainerStarted","Data":"${random.hex(24)}"}`,
          [["k8s.pod.name", pod]],
        );
      case 1:
        return line(
          "DEBUG",
          `"Probe succeeded" probeType="Readiness" pod="${pod}" latency="${random.longTailed(4).toFixed(1)}ms"`,
          [["k8s.pod.name", pod]],
        );
      default:
        return line(
          "INFO",
          `Successfully pulled image "registry.local/${random.pick(SERVICES)}:v${random.between(1, 9)}.${random.between(0, 40)}" in ${random.longTailed(1800).toFixed(0)}ms`,
          [["k8s.pod.name", pod]],
        );
    }
  },
  error(random) {
    const pod = podName(random);
    return line(
      "ERROR",
      `"Error syncing pod, skipping" err="failed to StartContainer for \\"${random.pick(SERVICES)}\\" with CrashLoopBackOff: back-off ${random.pick(["10s", "40s", "2m40s", "5m0s"])} restarting failed container" pod="${pod}"`,
      [["k8s.pod.name", pod]],
    );
  },
};

const SERVICES = ["orders", "payments", "inventory", "search", "recommender", "mailer", "auth"];

function podName(random: Random): string {
  return `shop/${random.pick(SERVICES)}-${(random.skewed(60) * 104_729 + 65_536).toString(16)}-${random.skewed(400).toString(36).padStart(5, "x")}`;
}

const orders: Application = {
  serviceName: "order-service",
  scopeName: "com.example.orders.OrderController",
  nodeIds: [],
  instanceCount: 5,
  weight: 9,
  tracedShare: 0.95,
  errorShare: 0.07,
  incidentErrorShare: 0.5,
  ok(random) {
    const thread = `[http-nio-8080-exec-${random.between(1, 64)}]`;
    const id = random.between(1_000_000, 9_999_999);
    const attributes: readonly Attribute[] = [
      ["request_id", requestId(random)],
      ["user.id", userName(random)],
      ["thread.name", `http-nio-8080-exec-${random.between(1, 64)}`],
    ];
    switch (random.between(0, 3)) {
      case 0:
        return line(
          "INFO",
          `${thread} Order ${id} accepted for customer ${userName(random)}, total ${random.longTailed(60).toFixed(2)} EUR`,
          attributes,
        );
      case 1:
        return line(
          "DEBUG",
          `${thread} Reserved ${random.between(1, 12)} items of sku SKU-${random.skewed(9_000)} in warehouse ${random.pick(["north", "south", "east"])}`,
          attributes,
        );
      case 2:
        return line(
          "WARN",
          `${thread} Slow query: select * from orders where id=${id} took ${random.longTailed(700).toFixed(0)} ms`,
          attributes,
        );
      default:
        return line(
          "INFO",
          `${thread} Payment of order ${id} confirmed by provider in ${random.longTailed(180).toFixed(0)} ms`,
          attributes,
        );
    }
  },
  error: (random) =>
    line(
      "ERROR",
      `Failed to process order ${random.between(1_000_000, 9_999_999)}\n${javaTrace(random)}`,
      [
        ["request_id", requestId(random)],
        ["exception.type", "java.sql.SQLTransientConnectionException"],
      ],
    ),
};

const inference: Application = {
  serviceName: "inference",
  scopeName: "inference.worker",
  nodeIds: [],
  instanceCount: 4,
  weight: 6,
  tracedShare: 0.9,
  errorShare: 0.05,
  incidentErrorShare: 0.3,
  ok(random) {
    const batch = random.pick([1, 2, 4, 8, 16]);
    return random.chance(0.5)
      ? line(
          "INFO",
          `predicted batch of ${batch} in ${random.longTailed(22).toFixed(2)} ms on cuda:${random.between(0, 3)}, model yolo-v${random.between(8, 11)}`,
          [["batch", batch]],
        )
      : line(
          "DEBUG",
          `queue depth ${random.skewed(200)}, gpu memory ${random.between(2_000, 23_000)} MiB, utilisation ${random.between(5, 99)} %`,
          [["gpu", random.between(0, 3)]],
        );
  },
  error: (random) =>
    line("ERROR", `inference failed for request ${requestId(random)}\n${pythonTraceback(random)}`, [
      ["request_id", requestId(random)],
    ]),
};

const camera: Application = {
  serviceName: "robot",
  scopeName: "dora.camera",
  nodeIds: ["camera-front", "camera-rear", "camera-left", "camera-right"],
  instanceCount: 4,
  weight: 9,
  tracedShare: 0.95,
  errorShare: 0.03,
  incidentErrorShare: 0.5,
  ok(random) {
    const frame = random.between(1, 2_000_000);
    const latencyMs = Number(random.longTailed(12).toFixed(3));
    const attributes: readonly Attribute[] = [
      ["frame", frame],
      ["latency_ms", latencyMs],
    ];
    return random.chance(0.12)
      ? line("WARN", `late frame ${frame}: ${latencyMs} ms over the deadline`, attributes)
      : line(
          "INFO",
          `frame ${frame} captured at ${random.between(24, 60)} fps from /dev/video${random.between(0, 3)}, 1920x1080, exposure ${random.between(100, 33_000)} us, gain ${random.longTailed(2).toFixed(2)}`,
          attributes,
        );
  },
  error: (random) =>
    line(
      "ERROR",
      `Connection timeout: no frame from sensor ${random.pick(["imx477", "ov9281"])} for ${random.between(500, 5_000)} ms`,
      [["frame", random.between(1, 2_000_000)]],
    ),
};

const lidar: Application = {
  serviceName: "robot",
  scopeName: "dora.lidar",
  nodeIds: ["lidar-top", "lidar-bumper"],
  instanceCount: 2,
  weight: 6,
  tracedShare: 0.9,
  errorShare: 0.02,
  incidentErrorShare: 0.4,
  ok: (random) =>
    line(
      "INFO",
      `sweep ${random.between(1, 900_000)}: ${random.between(28_000, 131_072)} points, ${random.skewed(900)} dropped, ${random.longTailed(8).toFixed(1)} ms`,
      [["latency_ms", Number(random.longTailed(8).toFixed(3))]],
    ),
  error: (random) =>
    line(
      "ERROR",
      `checksum mismatch in packet ${random.between(1, 4_000_000)} of sweep ${random.between(1, 900_000)}: expected 0x${random.hex(8)}, found 0x${random.hex(8)}`,
    ),
};

const planner: Application = {
  serviceName: "robot",
  scopeName: "dora.planner",
  nodeIds: ["planner", "localizer", "controller"],
  instanceCount: 3,
  weight: 7,
  tracedShare: 0.95,
  errorShare: 0.05,
  incidentErrorShare: 0.5,
  ok(random) {
    const x = (random.unit() * 400 - 200).toFixed(3);
    const y = (random.unit() * 400 - 200).toFixed(3);
    const latencyMs = Number(random.longTailed(18).toFixed(3));
    return random.chance(0.5)
      ? line(
          "DEBUG",
          `replanned path to goal (${x}, ${y}): ${random.between(3, 180)} waypoints over ${random.longTailed(70).toFixed(1)} m, horizon ${random.between(20, 120)} steps, cost ${random.longTailed(45).toFixed(2)}`,
          [["latency_ms", latencyMs]],
        )
      : line(
          "INFO",
          `pose x=${x} y=${y} heading=${(random.unit() * 6.283).toFixed(4)} velocity=${random.longTailed(1.2).toFixed(2)} m/s`,
          [["latency_ms", latencyMs]],
        );
  },
  error: (random) =>
    line(
      "ERROR",
      `no path found: obstacle ${random.between(1, 500)} at ${random.longTailed(2).toFixed(2)} m blocks the corridor, emergency stop requested`,
      [["latency_ms", Number(random.longTailed(60).toFixed(3))]],
    ),
};

const postgres: Application = {
  serviceName: "postgresql",
  scopeName: "postgres",
  nodeIds: [],
  instanceCount: 2,
  weight: 6,
  tracedShare: 0,
  errorShare: 0.08,
  incidentErrorShare: 0.5,
  ok(random, pid) {
    const prefix = `[${pid}] ${userName(random)}@shop`;
    switch (random.between(0, 2)) {
      case 0:
        return line(
          "INFO",
          `${prefix} LOG:  duration: ${random.longTailed(3).toFixed(3)} ms  statement: SELECT o.id, o.total, o.created_at, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.customer_id = ${random.skewed(80_000)} ORDER BY o.created_at DESC LIMIT 20`,
        );
      case 1:
        return line(
          "INFO",
          `${prefix} LOG:  checkpoint complete: wrote ${random.between(10, 9_000)} buffers (${(random.unit() * 40).toFixed(1)}%); write=${random.longTailed(20).toFixed(3)} s, sync=${random.longTailed(0.02).toFixed(3)} s`,
        );
      default:
        return line(
          "INFO",
          `${prefix} LOG:  connection authorized: user=${userName(random)} database=shop application_name=order-service`,
        );
    }
  },
  error: (random, pid) =>
    line(
      "ERROR",
      `[${pid}] ${userName(random)}@shop ERROR:  duplicate key value violates unique constraint "orders_pkey"\nDETAIL:  Key (id)=(${random.between(1_000_000, 9_999_999)}) already exists.`,
    ),
};

const redis: Application = {
  serviceName: "redis",
  scopeName: "redis-server",
  nodeIds: [],
  instanceCount: 3,
  weight: 3,
  tracedShare: 0,
  errorShare: 0.03,
  incidentErrorShare: 0.3,
  ok: (random, pid) =>
    random.chance(0.5)
      ? line("INFO", `${pid}:M * ${random.between(10, 10_000)} changes in 60 seconds. Saving...`)
      : line(
          "DEBUG",
          `${pid}:M - DB 0: ${random.between(1_000, 900_000)} keys (${random.between(10, 9_000)} volatile) in ${random.pick([4_096, 65_536, 1_048_576])} slots HT.`,
        ),
  error: (random, pid) =>
    line(
      "ERROR",
      `${pid}:M # Can't save in background: fork: Cannot allocate memory, used ${random.between(1_000_000, 9_000_000)} bytes`,
    ),
};

const nginxErrors: Application = {
  serviceName: "nginx",
  scopeName: "error_log",
  nodeIds: [],
  instanceCount: 3,
  weight: 3,
  tracedShare: 0.5,
  errorShare: 0.45,
  incidentErrorShare: 0.9,
  ok: (random, pid) =>
    line(
      "WARN",
      `${pid}#${pid}: *${random.between(1, 9_000_000)} an upstream response is buffered to a temporary file /var/cache/nginx/${random.between(0, 9)}/${random.between(10, 99)}/${random.hex(10)} while reading upstream, client: ${ipAddress(random)}, request: "GET ${urlPath(random)} HTTP/1.1"`,
    ),
  error: (random, pid) =>
    line(
      "ERROR",
      `${pid}#${pid}: *${random.between(1, 9_000_000)} connect() failed (111: Connection refused) while connecting to upstream, client: ${ipAddress(random)}, server: shop.example, upstream: "http://10.1.${random.between(0, 5)}.${random.between(2, 250)}:8080${urlPath(random)}"`,
    ),
};

const mqtt: Application = {
  serviceName: "mosquitto",
  scopeName: "broker",
  nodeIds: [],
  instanceCount: 2,
  weight: 5,
  tracedShare: 0,
  errorShare: 0.03,
  incidentErrorShare: 0.3,
  ok(random) {
    const client = `sensor-${random.skewed(3_000).toString().padStart(4, "0")}`;
    return random.chance(0.7)
      ? line(
          "DEBUG",
          `Received PUBLISH from ${client} (d0, q${random.between(0, 2)}, r0, m${random.between(1, 65_535)}, 'factory/line-${random.between(1, 40)}/temperature', ... (${random.between(8, 400)} bytes))`,
        )
      : line(
          "INFO",
          `New client connected from ${ipAddress(random)}:${random.between(1024, 65_535)} as ${client} (p5, c1, k60).`,
        );
  },
  error: (random) =>
    line(
      "ERROR",
      `Client sensor-${random.skewed(3_000).toString().padStart(4, "0")} disconnected: exceeded timeout, keepalive 60 s`,
    ),
};

const gateway: Application = {
  serviceName: "api-gateway",
  scopeName: "pino",
  nodeIds: [],
  instanceCount: 3,
  weight: 8,
  tracedShare: 0.9,
  errorShare: 0.06,
  incidentErrorShare: 0.5,
  ok: (random) => jsonLine(random, random.chance(0.1) ? "WARN" : "INFO", "request completed"),
  error: (random) => jsonLine(random, "ERROR", "upstream answered with an error"),
};

function jsonLine(random: Random, severity: Severity, message: string): Line {
  const request = requestId(random);
  const body = JSON.stringify({
    level: severity === "INFO" ? 30 : severity === "WARN" ? 40 : 50,
    req: { id: request, method: random.pick(["GET", "POST"]), url: urlPath(random) },
    host: "api.shop.example",
    agent: random.pick(AGENTS),
    tenant: `tenant-${random.skewed(300)}`,
    responseTime: Number(random.longTailed(40).toFixed(1)),
    msg: message,
  });
  return line(severity, body, [
    ["request_id", request],
    ["tenant", `tenant-${random.skewed(300)}`],
  ]);
}

const scheduler: Application = {
  serviceName: "systemd",
  scopeName: "journal",
  nodeIds: [],
  instanceCount: 12,
  weight: 3,
  tracedShare: 0,
  errorShare: 0.05,
  incidentErrorShare: 0.3,
  ok: (random, pid) =>
    random.chance(0.5)
      ? line(
          "INFO",
          `CRON[${pid}]: (${userName(random)}) CMD (/usr/local/bin/${random.pick(["rotate", "backup", "sync-maps", "health"])} --quiet)`,
        )
      : line(
          "INFO",
          `${random.pick(SERVICES)}.service: Deactivated successfully, consumed ${random.longTailed(900).toFixed(0)}ms CPU time.`,
        ),
  error: (random) =>
    line(
      random.chance(0.1) ? "FATAL" : "ERROR",
      `${random.pick(SERVICES)}.service: Main process exited, code=exited, status=${random.pick([1, 2, 127, 137])}/FAILURE`,
    ),
};

export const APPLICATIONS: readonly Application[] = [
  webAccess,
  hdfs,
  sshd,
  kernel,
  kubelet,
  orders,
  inference,
  camera,
  lidar,
  planner,
  postgres,
  redis,
  nginxErrors,
  mqtt,
  gateway,
  scheduler,
];
