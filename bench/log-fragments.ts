/** Pieces that lines of several applications are made of, with the spread that real ones have. */
import type { Random } from "./random.ts";

export function ipAddress(random: Random): string {
  const host = random.skewed(20_000);
  return `${[81, 93, 172, 192, 203][host % 5] ?? 10}.${(host * 31) % 223}.${(host >> 8) % 256}.${host % 254}`;
}

export function userName(random: Random): string {
  const user = random.skewed(5_000);
  return `${NAMES[user % NAMES.length] ?? "root"}${user < NAMES.length ? "" : user}`;
}

const NAMES = ["anna", "ben", "chen", "dora", "emre", "fatima", "george", "hana", "ivan", "julia"];

export function urlPath(random: Random): string {
  switch (random.between(0, 4)) {
    case 0:
      return `/api/v1/orders/${random.between(1_000_000, 9_999_999)}`;
    case 1:
      return `/products/${random.skewed(9_000)}?ref=${random.pick(["home", "mail", "search"])}`;
    case 2:
      return `/static/js/app.${(random.skewed(40) * 7_368_787).toString(16).padStart(8, "0")}.js`;
    case 3:
      return `/search?q=${random.pick(["lamp", "desk", "chair", "robot", "cable"])}&page=${random.skewed(30)}`;
    default:
      return random.pick(["/", "/cart", "/login", "/healthz", "/api/v1/session"]);
  }
}

export function requestId(random: Random): string {
  return `${random.hex(8)}-${random.hex(4)}-4${random.hex(3)}-a${random.hex(3)}-${random.hex(12)}`;
}

export function javaTrace(random: Random): string {
  const lines = [
    `java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after ${random.between(30_000, 30_050)}ms.`,
    "\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:686)",
    "\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:186)",
  ];
  const depth = random.between(18, 60);
  for (let index = 0; index < depth; index++) {
    const name = random.pick([
      "OrderRepository.find",
      "OrderService.accept",
      "Retry.call",
      "Filter.doFilter",
    ]);
    lines.push(
      `\tat com.example.orders.${name}(${name.split(".")[0] ?? ""}.java:${random.between(20, 400)})`,
    );
  }
  return lines.join("\n");
}

export function pythonTraceback(random: Random): string {
  const lines = ["Traceback (most recent call last):"];
  const depth = random.between(2, 6);
  for (let index = 0; index < depth; index++) {
    const module = random.pick(["worker", "model", "tensors", "batching"]);
    lines.push(
      `  File "/app/inference/${module}.py", line ${random.between(10, 600)}, in ${random.pick(["run", "forward", "collate", "__call__"])}`,
    );
    lines.push(
      `    ${random.pick(["result = self.model(batch)", "return torch.stack(items)", "await queue.get()"])}`,
    );
  }
  lines.push(
    `RuntimeError: CUDA out of memory. Tried to allocate ${random.between(20, 900)}.00 MiB`,
  );
  return lines.join("\n");
}
