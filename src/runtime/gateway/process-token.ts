/** Which process of which node a call comes from, as `DORA_GATEWAY_TOKEN` says it. */
export interface ProcessIdentity {
  /** As in `DORA_NODE_TOKEN`. */
  readonly token: string;
  readonly dataflow: string;
  readonly node: string;
}

const TOKEN_LENGTH_MAX = 8192;
const BEARER = /^Bearer +([^ ]+) *$/i;

/** Fit for an HTTP header, whatever the node is called. */
export function formatProcessToken({ token, dataflow, node }: ProcessIdentity): string {
  return [token, dataflow, node].map((part) => encodeURIComponent(part)).join("/");
}

/**
 * Reads an `authorization` header. Undefined where it is none of ours; whether its token is right, the daemon says.
 * A token that is empty, with which dynamic nodes come in at the daemon's private socket, does not come in here.
 */
export function readAuthorization(header: string | undefined): ProcessIdentity | undefined {
  if (header === undefined || header.length > TOKEN_LENGTH_MAX) return undefined;
  const [token, dataflow, node, ...rest] = (BEARER.exec(header)?.[1] ?? "").split("/").map(decode);
  if (!token || !dataflow || !node || rest.length > 0) return undefined;
  return { token, dataflow, node };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
