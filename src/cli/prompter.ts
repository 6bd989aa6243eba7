import type { Interface } from "node:readline/promises";
import { createInterface } from "node:readline/promises";
import type { Question } from "./init-questions.ts";
import type { TerminalLook } from "./terminal-look.ts";
import { terminalLook } from "./terminal-look.ts";
import { cleanLine, displayWidth } from "./terminal-text.ts";

type TerminalStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/**
 * Asks on a terminal, a line each. An answered question stands there as `✔ Name your dataflow: shop`.
 *
 * Concurrency: one question at a time.
 */
export class Prompter {
  readonly #lines: Interface;
  readonly #output: TerminalStream;
  readonly #look: TerminalLook;
  readonly #ended = new AbortController();

  constructor(
    input: NodeJS.ReadableStream,
    output: TerminalStream,
    environment: NodeJS.ProcessEnv = process.env,
  ) {
    this.#output = output;
    this.#look = terminalLook(output, environment);
    this.#lines = createInterface({
      input,
      output,
      terminal: this.#look.isTerminal,
      historySize: 0,
    });
    this.#lines.once("SIGINT", () => this.#ended.abort());
    this.#lines.once("close", () => this.#ended.abort());
  }

  /** The answer, without space around it; undefined once Ctrl-C or Ctrl-D ended it all. */
  async ask(question: Question): Promise<string | undefined> {
    for (;;) {
      const answer = await this.#askOnce(question);
      if (answer === undefined) return undefined;
      const problem = question.check(answer);
      if (problem === undefined) {
        this.#settle(question, answer);
        return answer;
      }
      this.#output.write(`  ${this.#look.paint(problem, "warning")}\n`);
    }
  }

  /** Shows a question that the command line has answered. */
  tell({ text }: Question, answer: string): void {
    const words = cleanLine(answer === "" ? text : `${text} ${answer}`);
    this.#output.write(`${this.#look.paint(this.#look.icons.live, "success")} ${words}\n`);
  }

  write(text: string): void {
    this.#output.write(`${text}\n`);
  }

  close(): void {
    this.#lines.close();
  }

  async #askOnce({ text, typed }: Question): Promise<string | undefined> {
    const { signal } = this.#ended;
    try {
      const answer = this.#lines.question(promptOf(text), { signal });
      if (typed !== undefined) this.#lines.write(typed);
      return (await answer).trim();
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#output.write("\n");
      return undefined;
    }
  }

  /** Puts the answered line in the prompt's place; one without an answer that means "no more" goes. */
  #settle(question: Question, answer: string): void {
    if (!this.#look.isTerminal || this.#look.isDumb) return;
    const { columns = 80 } = this.#output;
    const cells = displayWidth(`${promptOf(question.text)}${cleanLine(answer)}`);
    this.#output.write(`\u001b[${Math.floor(cells / columns) + 1}A\r\u001b[0J`);
    if (answer !== "" || question.isShownEmpty === true) this.tell(question, answer);
  }
}

function promptOf(text: string): string {
  return `? ${text} `;
}
