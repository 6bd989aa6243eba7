import { AppError, errorMessage } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import { OutputSchema } from "../formats/output-schema.ts";
import type { NodeConfig, OutgoingLink, OutputConfig } from "../protocol/node-messages.ts";
import type { Outbox, Payload } from "../transports/transport.ts";
import { type LinkConnection, LinkSender } from "./link-sender.ts";
import { type NodeTransports, topicOf } from "./node-transports.ts";

export interface OutputSetup {
  readonly transports: NodeTransports;
  readonly onLinkFailed: (link: string, message: string) => void;
}

/** An output of the node: its links and its schema. */
export class NodeOutput {
  readonly config: OutputConfig;
  /** Place in the node's configuration, which hops name. */
  readonly index: number;
  readonly schema: OutputSchema;
  readonly #links = new Map<string, LinkSender>();
  isClosed = false;

  constructor(node: string, config: OutputConfig, index: number) {
    this.config = config;
    this.index = index;
    this.schema = new OutputSchema(node, config.id, config.schema);
  }

  get links(): ReadonlyMap<string, LinkSender> {
    return this.#links;
  }

  add(sender: LinkSender): void {
    this.#links.set(sender.link.link, sender);
  }

  remove(link: string): LinkSender | undefined {
    const sender = this.#links.get(link);
    this.#links.delete(link);
    return sender;
  }

  /**
   * Sends on all links. Undefined where all have taken it, else a promise for when they have.
   *
   * Errors: `MESSAGE_TOO_LARGE`; the links that carry more have it then.
   */
  send(header: Uint8Array, payload: Payload): Promise<void> | undefined {
    let waiting: Promise<void>[] | undefined;
    let failure: unknown;
    for (const sender of this.#links.values()) {
      try {
        const sent = sender.send(header, payload);
        if (sent !== undefined) (waiting ??= []).push(sent);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure === undefined && waiting === undefined) return undefined;
    return settle(waiting ?? [], failure);
  }
}

async function settle(waiting: readonly Promise<void>[], failure: unknown): Promise<void> {
  const settled = await Promise.allSettled(waiting);
  if (failure instanceof Error) throw failure;
  const rejected = settled.find((each) => each.status === "rejected");
  if (rejected?.reason instanceof Error) throw rejected.reason;
}

/** A node's outputs, and the links that the daemon has told it of. */
export class NodeOutputs {
  readonly #setup: OutputSetup;
  readonly #node: string;
  readonly #linkToken: string;
  readonly #outputs: ReadonlyMap<string, NodeOutput>;
  /** Links that are being opened, or were told anew since: only the newest counts. */
  readonly #opening = new Map<string, OutgoingLink>();
  #isClosed = false;

  constructor(config: NodeConfig, setup: OutputSetup) {
    this.#setup = setup;
    this.#node = config.node.id;
    this.#linkToken = config.linkToken;
    this.#outputs = new Map(
      config.outputs.map((output, index) => [
        output.id,
        new NodeOutput(config.node.id, output, index),
      ]),
    );
  }

  get all(): Iterable<NodeOutput> {
    return this.#outputs.values();
  }

  get senders(): readonly LinkSender[] {
    return this.#sendersOf([...this.#outputs.values()]);
  }

  get connections(): number {
    return this.senders.reduce((sum, { isConnected }) => sum + (isConnected ? 1 : 0), 0);
  }

  /** Errors: `OUTPUT_UNKNOWN`, naming the nearest. */
  find(id: string): NodeOutput {
    const output = this.#outputs.get(id);
    if (output !== undefined) return output;
    const known = [...this.#outputs.keys()];
    const nearest = didYouMean(id, known);
    const list = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
    throw new AppError(
      "OUTPUT_UNKNOWN",
      `node ${this.#node} has no output "${id}"; ${list}${nearest}`,
    );
  }

  /** Opens links; resolves when each is open or has failed. A link that is open to the same place stays. */
  async connect(links: readonly OutgoingLink[]): Promise<void> {
    await Promise.all(links.map((link) => this.#connect(link)));
  }

  async disconnect(links: readonly string[]): Promise<void> {
    for (const link of links) this.#opening.delete(link);
    await Promise.all(links.map(async (link) => this.#remove(link)?.close(0)));
  }

  async close(outputs: readonly NodeOutput[], deadlineMs: number): Promise<void> {
    for (const output of outputs) output.isClosed = true;
    const senders = this.#sendersOf(outputs);
    await Promise.all(senders.map((sender) => sender.close(deadlineMs)));
    for (const { link } of senders) this.#remove(link.link);
  }

  async closeAll(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    await this.close([...this.#outputs.values()], deadlineMs);
  }

  async #connect(link: OutgoingLink): Promise<void> {
    const output = this.#outputs.get(link.output);
    if (output === undefined || this.#isClosed || output.isClosed) return;
    const open = output.links.get(link.link);
    if (open?.link.address === link.address) return;
    this.#opening.set(link.link, link);
    try {
      const sender = await this.#open(link);
      // Told otherwise meanwhile.
      if (this.#opening.get(link.link) !== link || output.isClosed) {
        await sender.close(0);
        return;
      }
      const older = output.remove(link.link);
      output.add(sender);
      await older?.close(0);
    } catch (error) {
      this.#setup.onLinkFailed(link.link, errorMessage(error));
    } finally {
      if (this.#opening.get(link.link) === link) this.#opening.delete(link.link);
    }
  }

  async #open(link: OutgoingLink): Promise<LinkSender> {
    const { transports } = this.#setup;
    const transport = await transports.transport(link.transport, link.target.node);
    const connection: LinkConnection = { isConnected: true, onLost: undefined };
    const outbox: Outbox = await transport.openOutbox({
      endpoint: link.address,
      topic: topicOf(link.link, link.transport),
      token: this.#linkToken,
      onConnection: ({ status }) => {
        connection.isConnected = status === "reconnected";
        if (!connection.isConnected) connection.onLost?.();
      },
    });
    return new LinkSender(link, outbox, connection);
  }

  #sendersOf(outputs: readonly NodeOutput[]): readonly LinkSender[] {
    return outputs.flatMap(({ links }) => Array.from(links.values()));
  }

  #remove(link: string): LinkSender | undefined {
    for (const output of this.#outputs.values()) {
      const sender = output.remove(link);
      if (sender !== undefined) return sender;
    }
    return undefined;
  }
}
