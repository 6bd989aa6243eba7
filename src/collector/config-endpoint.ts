import { BlockList, isIP } from "node:net";

/** Where a server listens. */
export interface Endpoint {
  /** An IP address, without brackets, or a host name. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/**
 * Reads `host:port`, `[::1]:port` or `:port`, which means all addresses of the machine; or says
 * what is wrong with it.
 */
export function parseEndpoint(text: string): Endpoint | { readonly problem: string } {
  const form = "give host:port, such as 127.0.0.1:4318";
  if (text.includes("/")) return { problem: `"${text}" is an address with a path: ${form}` };
  const match = /^(?:\[([^\]]+)\]|([^[\]:]*)):(\d{1,5})$/.exec(text);
  if (match === null) return { problem: `"${text}" is no address: ${form}` };
  const [, ipv6, name = "", digits] = match;
  const port = Number(digits);
  if (port > 65_535) return { problem: `port ${digits} is above 65535: ${form}` };
  if (ipv6 !== undefined) {
    if (isIP(ipv6) !== 6) return { problem: `"${ipv6}" is no IPv6 address: ${form}` };
    return { host: ipv6, port };
  }
  if (/^[\d.]+$/.test(name) && isIP(name) !== 4) {
    return { problem: `"${name}" is no IPv4 address: ${form}` };
  }
  if (!/^[A-Za-z0-9._-]*$/.test(name)) return { problem: `"${name}" is no host name: ${form}` };
  return { host: name === "" ? "0.0.0.0" : name, port };
}

/** `127.0.0.1:4318`, `[::1]:4318`. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True where only this machine can reach the host: 127.0.0.0/8, ::1 and localhost (SEC-001). */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === "localhost";
  return LOOPBACK.check(host, family === 4 ? "ipv4" : "ipv6");
}
