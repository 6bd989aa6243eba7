import type { Introductions } from "./introductions.ts";
import type { LinkMessage } from "./node-owner.ts";
import type { NodeRun } from "./node-run.ts";
import type { RunReport } from "./run-report.ts";
import type { Timers } from "./timers.ts";

/** Of what a node says of a link; it goes on to others. */
const LINK_TEXT_LENGTH_MAX = 2000;

interface LinkWordsParts {
  readonly links: Introductions;
  readonly report: RunReport;
  readonly timers: Timers;
  /** A node sends no more. */
  readonly onFinished: () => void;
}

/** What becomes of what nodes say of their links. A node that may come again ends nobody's input by its own end. */
export class LinkWords {
  readonly #parts: LinkWordsParts;

  constructor(parts: LinkWordsParts) {
    this.#parts = parts;
  }

  take(node: NodeRun, message: LinkMessage): void {
    const { links, report } = this.#parts;
    switch (message.type) {
      case "outputs-closed":
        // All of them at its end: whoever comes again has not closed them.
        if (message.outputs.length > 0 || !node.mayComeAgain) {
          links.onOutputsClosed(node, message.outputs);
        }
        break;
      case "finished":
        this.#finish(node);
        break;
      case "link-failed": {
        const text = message.message.slice(0, LINK_TEXT_LENGTH_MAX);
        report.linkFailed(node, message.link, text);
        links.onLinkFailed(message.link, text);
        break;
      }
      case "input-closed":
        links.onDrained(node, message.input);
    }
  }

  /** A process that lingers after its end is not waited for to be started again. */
  #finish(node: NodeRun): void {
    const { links, timers, onFinished } = this.#parts;
    const { epoch, spec } = node;
    const close = (): void => {
      if (node.epoch === epoch && node.hasProcess) links.onOutputsClosed(node, []);
    };
    if (node.mayComeAgain) timers.after(spec.finishGraceMs, close);
    else links.onOutputsClosed(node, []);
    onFinished();
  }
}
