import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import { Output } from "../../src/cli/output.ts";

function terminal(): { stream: PassThrough & { isTTY: boolean }; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY: true });
  return { stream, text: () => String(stream.read() ?? "") };
}

test("every part of a line is cleaned, styled or not (SEC-009)", async () => {
  const { stream, text } = terminal();
  const output = new Output(stream, { NO_COLOR: "1" });
  await output.writeLine("a\u001b[2J\n", { text: "\u009b1m", style: "error" });
  expect(text()).toBe("a\\u001b[2J\\n\\u009b1m\n");
});

test("our own colours are not taken for the record's", async () => {
  const { stream, text } = terminal();
  await new Output(stream, {}).writeLine({ text: "x\u001b[0m", style: "error" });
  expect(text()).toBe("\u001b[31mx\\u001b[0m\u001b[39m\n");
});

test("a document is cleaned on a terminal, and byte for byte the same in a pipe (SEC-009)", async () => {
  const bytes = Buffer.from('{"message":"a\u009b2J\u202e"}\n');
  const { stream, text } = terminal();
  await new Output(stream, {}).writeDocument(bytes);
  expect(text()).toBe('{"message":"a\\u009b2J\\u202e"}\n');
  const pipe = new PassThrough();
  await new Output(pipe, {}).writeDocument(bytes);
  expect(pipe.read()).toEqual(bytes);
});

test("a character that is cut between two chunks of a document is whole on a terminal", async () => {
  const { stream, text } = terminal();
  const output = new Output(stream, {});
  const bytes = Buffer.from("é\n");
  await output.writeDocument(bytes.subarray(0, 1));
  await output.writeDocument(bytes.subarray(1));
  expect(text()).toBe("é\n");
});

test("a status line is for terminals alone", async () => {
  const pipe = new PassThrough();
  await new Output(pipe, {}).writeStatus("half done");
  expect(pipe.read()).toBeNull();
});

test("a write waits until the reader takes it", async () => {
  const slow = new PassThrough({ highWaterMark: 1 });
  const output = new Output(slow, {});
  let isWritten = false;
  const written = output.writeLine("more than one byte").then(() => (isWritten = true));
  await Promise.resolve();
  expect(isWritten).toBe(false);
  slow.resume();
  await written;
  expect(isWritten).toBe(true);
});

function failing(code: string): Writable {
  return new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
  });
}

test("a reader that went away is no failure, and ends the waiting", async () => {
  const output = new Output(failing("EPIPE"), {});
  await output.writeLine("to nobody");
  await output.writeLine("to nobody");
  expect(output.closed.aborted).toBe(true);
  expect(output.failure).toBeUndefined();
});

test("a full disk behind a redirection is a failure with a code", async () => {
  const output = new Output(failing("ENOSPC"), {});
  await output.writeLine("too much");
  expect(output.closed.aborted).toBe(true);
  expect(output.failure?.code).toBe("OUTPUT_FAILED");
});
