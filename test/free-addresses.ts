import { once } from "node:events";
import { createServer } from "node:net";
import type { Random } from "../bench/random.ts";
import type { ServeOptions } from "./serve-process.ts";

/**
 * Three addresses that nobody listens on, for a service that is killed and comes back at them. They
 * lie below the ports that the kernel gives to outgoing connections: while the service is down a
 * client would otherwise take its port, or meet itself.
 */
export async function freeAddresses(random: Random): Promise<Required<ServeOptions>["addresses"]> {
  const free = new Set<string>();
  while (free.size < 3) {
    const port = random.between(18_000, 31_999) ^ (process.pid & 0xff);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (isFree) {
      server.close();
      await once(server, "close");
      free.add(`127.0.0.1:${port}`);
    }
  }
  const [otlpGrpc = "", otlpHttp = "", api = ""] = free;
  return { otlpGrpc, otlpHttp, api };
}
