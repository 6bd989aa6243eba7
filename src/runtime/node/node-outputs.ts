import { AppError, errorMessage } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import { OutputSchema } from "../formats/output-schema.ts";
import type { NodeConfig, OutgoingLink, OutputConfig } from "../protocol/node-messages.ts";
import type { Outbox, Payload } from "../transports/transport.ts";
import { type LinkConnection, LinkSender, type OpenLink } from "./link-sender.ts";
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
  #unconfirmedBefore = 0;
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

  /** As `LinkSender` has it, of all its links, those included that are gone. */
  get unconfirmed(): number {
    const links = this.#links.values();
    return links.reduce((sum, { unconfirmed }) => sum + unconfirmed, this.#unconfirmedBefore);
  }

  /** Takes a link away, if it is one of this output's, and cuts it. */
  async cut(link: string): Promise<void> {
    const sender = this.#links.get(link);
    if (sender === undefined) return;
    this.#links.delete(link);
    await sender.close(0);
    this.#unconfirmedBefore += sender.unconfirmed;
  }

  /** Ends all its links. */
  async close(deadlineMs: number): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.#links.values().map((sender) => sender.close(deadlineMs)));
    this.#unconfirmedBefore = this.unconfirmed;
    this.#links.clear();
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
    return [...this.#outputs.values()].flatMap(({ links }) => Array.from(links.values()));
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
    const outputs = [...this.#outputs.values()];
    await Promise.all(links.flatMap((link) => outputs.map((output) => output.cut(link))));
  }

  async close(outputs: readonly NodeOutput[], deadlineMs: number): Promise<void> {
    await Promise.all(outputs.map((output) => output.close(deadlineMs)));
  }

  async closeAll(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    await this.close([...this.#outputs.values()], deadlineMs);
  }

  async #connect(link: OutgoingLink): Promise<void> {
    const output = this.#outputs.get(link.output);
    if (output === undefined || !this.#isWanted(output, link)) return;
    if (output.links.get(link.link)?.link.address === link.address) return;
    this.#opening.set(link.link, link);
    try {
      const open = await this.#open(link);
      // Told otherwise meanwhile.
      if (this.#opening.get(link.link) !== link || !this.#isWanted(output, link)) {
        await open.outbox.close(0);
        return;
      }
      const sender = output.links.get(link.link);
      if (sender === undefined) output.add(new LinkSender(open));
      else await sender.moveTo(open);
    } catch (error) {
      this.#setup.onLinkFailed(link.link, errorMessage(error));
    } finally {
      if (this.#opening.get(link.link) === link) this.#opening.delete(link.link);
    }
  }

  /** A link that is being closed may go on at its receiver's new place, to bring it the rest; none is opened any more. */
  #isWanted(output: NodeOutput, { link }: OutgoingLink): boolean {
    return output.links.has(link) || !(this.#isClosed || output.isClosed);
  }

  async #open(link: OutgoingLink): Promise<OpenLink> {
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
    return { link, outbox, connection };
  }
}
