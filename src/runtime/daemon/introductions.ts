import type { Clock } from "../../core/clock.ts";
import type { Link } from "../dataflow/dataflow.ts";
import type { InboxAddress, LinkTransport, OutgoingLink } from "../protocol/node-messages.ts";
import type { LinkStatus } from "../protocol/status.ts";
import type { NodeRun } from "./node-run.ts";
import type { EventBody } from "./run-context.ts";

/** Brokers do not tell a receiver that its sender has ended. */
const BROKERS: ReadonlySet<string> = new Set(["redis", "mqtt"]);

interface LinkRun {
  readonly link: Link;
  beganMs: number;
  /** Its sender has closed it or has ended, and does not come again by itself. */
  isClosed: boolean;
  /** Its receiver has taken all that a sender sent that closed it. */
  isDrained: boolean;
  /** Its receiver was told that it is closed. */
  isTold: boolean;
  /** Which process was told of which, and where: not to be told again. */
  introduced: string;
}

/**
 * The links of a running dataflow: tells senders where receivers listen, and receivers that senders are gone.
 *
 * A link is introduced once both its nodes listen, and anew whenever one of them does so again. A receiver
 * that has ended is taken from its senders, so that nobody waits for it.
 */
export class Introductions {
  readonly #links = new Map<string, LinkRun>();
  readonly #nodes: ReadonlyMap<string, NodeRun>;
  readonly #clock: Clock;
  readonly #emit: (event: EventBody) => void;

  constructor(
    links: readonly Link[],
    nodes: ReadonlyMap<string, NodeRun>,
    options: { readonly clock: Clock; readonly emit: (event: EventBody) => void },
  ) {
    this.#nodes = nodes;
    this.#clock = options.clock;
    this.#emit = options.emit;
    for (const link of links) this.#put(link);
  }

  /** Processes are about to start: the links' times begin. */
  begin(): void {
    for (const run of this.#links.values()) {
      run.beganMs = this.#clock.monotonicMs();
      this.#tell(run, "connecting");
    }
  }

  /** A node listens, for the first time or again. */
  onListening(node: NodeRun): void {
    const runs = this.#all(({ source, target }) => isOf(node, source) || isOf(node, target));
    for (const run of runs) {
      if (!isOf(node, run.link.source)) continue;
      run.isDrained = false;
      if (!run.isClosed) continue;
      run.isClosed = false;
      run.isTold = false;
      const { target } = run.link;
      this.#nodes.get(target.node)?.send({ type: "input-recovered", input: target.input });
    }
    this.#introduce(runs);
  }

  /** A node has begun: tells it which of its inputs nobody sends to. */
  tellClosed(node: NodeRun): void {
    for (const { link } of this.#all(({ target }) => isOf(node, target)).filter(isClosed)) {
      node.send({ type: "input-closed", input: link.target.input });
    }
  }

  /** A node closed some of its outputs, or all. Its receivers are told once they have taken everything. */
  onOutputsClosed(node: NodeRun, outputs: readonly string[]): void {
    const isMeant = (output: string): boolean => outputs.length === 0 || outputs.includes(output);
    for (const run of this.#all(({ source }) => isOf(node, source) && isMeant(source.output))) {
      run.isClosed = true;
      if (run.isDrained || BROKERS.has(run.link.transport.kind)) this.#closeInput(run);
    }
  }

  /** A receiver has taken everything of a link that its sender closed: perhaps until it is started again. */
  onDrained(node: NodeRun, input: string): void {
    for (const run of this.#all(({ target }) => isOf(node, target) && target.input === input)) {
      run.isDrained = true;
      if (run.isClosed) this.#closeInput(run);
    }
  }

  /** A node has ended, and does not come again by itself. */
  onEnded(node: NodeRun): void {
    for (const run of this.#all(({ source }) => isOf(node, source))) {
      run.isClosed = true;
      this.#closeInput(run);
    }
    for (const run of this.#all(({ target }) => isOf(node, target))) {
      const { source, id } = run.link;
      run.introduced = "";
      this.#nodes.get(source.node)?.send({ type: "disconnect", links: [id] });
    }
  }

  /** Nodes that take something from a node, each with the inputs that do. */
  receiversOf(node: NodeRun): ReadonlyMap<NodeRun, readonly string[]> {
    const receivers = new Map<NodeRun, string[]>();
    for (const { link } of this.#all(({ source }) => isOf(node, source))) {
      const receiver = this.#nodes.get(link.target.node);
      if (receiver === undefined) continue;
      receivers.set(receiver, [...(receivers.get(receiver) ?? []), link.target.input]);
    }
    return receivers;
  }

  /** Whether something may still come in: true for a node that takes from nobody. */
  hasOpenInputs(node: NodeRun): boolean {
    const runs = this.#all(({ target }) => isOf(node, target));
    return runs.length === 0 || !runs.every(isClosed);
  }

  /** `isAwaited`: the receiver is told of its input, and will say again that it listens. */
  add(link: Link, isAwaited: boolean): void {
    const run = this.#put(link);
    this.#tell(run, "connecting");
    if (!isAwaited) this.#introduce([run]);
  }

  /** False where there is no such link. */
  remove(id: string): boolean {
    const run = this.#links.get(id);
    if (run === undefined) return false;
    this.#links.delete(id);
    this.#nodes.get(run.link.source.node)?.send({ type: "disconnect", links: [id] });
    return true;
  }

  /** A node says that a link broke. */
  onLinkFailed(id: string, message: string): void {
    const run = this.#links.get(id);
    if (run !== undefined) this.#tell(run, "failed", message);
  }

  status(): readonly LinkStatus[] {
    return [...this.#links.values()].map(({ link }) => ({
      link: link.id,
      source: link.source,
      target: link.target,
      transport: link.transport.kind,
      messagesPerSecond:
        this.#nodes.get(link.target.node)?.gauges.messagesPerSecond(link.target.input) ?? 0,
    }));
  }

  #put(link: Link): LinkRun {
    const beganMs = this.#clock.monotonicMs();
    const run = { link, beganMs, isClosed: false, isDrained: false, isTold: false, introduced: "" };
    this.#links.set(link.id, run);
    return run;
  }

  #all(isMeant: (link: Link) => boolean): readonly LinkRun[] {
    return [...this.#links.values()].filter(({ link }) => isMeant(link));
  }

  #introduce(runs: readonly LinkRun[]): void {
    const bySender = new Map<NodeRun, OutgoingLink[]>();
    for (const run of runs) {
      const { id, source, target, transport } = run.link;
      const sender = this.#nodes.get(source.node);
      const receiver = this.#nodes.get(target.node);
      if (sender?.isListening !== true || receiver?.isListening !== true) continue;
      const inbox = inboxFor(receiver, transport);
      if (inbox === undefined) {
        const message = `node ${receiver.id} does not listen for transport ${transport.kind}`;
        this.#tell(run, "failed", message);
        continue;
      }
      const introduced = `${sender.epoch} ${receiver.epoch} ${inbox.address}`;
      if (run.introduced === introduced) continue;
      run.introduced = introduced;
      const outgoing = {
        link: id,
        output: source.output,
        target,
        transport,
        address: inbox.address,
      };
      bySender.set(sender, [...(bySender.get(sender) ?? []), outgoing]);
      this.#tell(run, "connected");
    }
    for (const [sender, links] of bySender) sender.send({ type: "connect", links });
  }

  #closeInput(run: LinkRun): void {
    if (run.isTold) return;
    run.isTold = true;
    const { target } = run.link;
    this.#nodes.get(target.node)?.send({ type: "input-closed", input: target.input });
  }

  #tell(run: LinkRun, state: "connecting" | "connected" | "failed", message?: string): void {
    this.#emit({
      type: "link",
      link: run.link.id,
      state,
      elapsedMs: Math.round(this.#clock.monotonicMs() - run.beganMs),
      ...(message === undefined ? {} : { message }),
    });
  }
}

/** A broker's address stands in the link's own options; of several brokers that one is meant. */
function inboxFor(receiver: NodeRun, { kind, options }: LinkTransport): InboxAddress | undefined {
  const fitting = receiver.inboxes.filter((inbox) => inbox.transport === kind);
  return fitting.find((inbox) => inbox.address === options["endpoint"]) ?? fitting[0];
}

function isOf(node: NodeRun, end: { readonly node: string }): boolean {
  return end.node === node.id;
}

function isClosed(run: LinkRun): boolean {
  return run.isClosed;
}
