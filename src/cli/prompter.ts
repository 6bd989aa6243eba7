import type { Interface } from "node:readline";
import { createInterface } from "node:readline";
import type { Question } from "./init-questions.ts";
import type { TerminalLook } from "./terminal-look.ts";
import { terminalLook } from "./terminal-look.ts";
import { cleanLine, displayWidth } from "./terminal-text.ts";

type TerminalStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/**
 * Asks on a terminal, a line each. An answered question stands there as `✔ Name your dataflow: shop`. Lines that
 * are typed or pasted ahead answer the next questions.
 *
 * Concurrency: one question at a time.
 */
export class Prompter {
  readonly #lines: Interface;
  readonly #output: TerminalStream;
  readonly #look: TerminalLook;
  /** Typed ahead. */
  readonly #typed: string[] = [];
  /** Takes the next line; undefined ends it. */
  #onLine: ((line: string | undefined) => void) | undefined;
  #isEnded = false;

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
    this.#lines.on("line", (line) => {
      if (this.#onLine === undefined) this.#typed.push(line);
      else this.#onLine(line);
    });
    // Without a listener Ctrl-C closes it, as Ctrl-D does.
    this.#lines.once("close", () => {
      this.#isEnded = true;
      this.#onLine?.(undefined);
    });
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
    const ahead = this.#typed.shift();
    if (ahead !== undefined) {
      this.#output.write(`${promptOf(text)}${cleanLine(ahead)}\n`);
      return ahead.trim();
    }
    if (this.#isEnded) return undefined;
    this.#lines.setPrompt(promptOf(text));
    this.#lines.prompt();
    if (typed !== undefined) this.#lines.write(typed);
    const line = await new Promise<string | undefined>((resolve) => (this.#onLine = resolve));
    this.#onLine = undefined;
    if (line === undefined) this.#output.write("\n");
    return line?.trim();
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
