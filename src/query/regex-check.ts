import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";

/** What is wrong with a regular expression: `offset` is in UTF-16 units from its first character. */
export interface RegexFault {
  readonly message: string;
  readonly offset: number;
}

/**
 * Compiles a regular expression of RE2 syntax to see whether it is one.
 *
 * Source: https://github.com/google/re2/wiki/Syntax (SEC-013: linear time, so no backreferences and
 * no lookaround).
 */
export function checkRegex(source: string, anyCase: boolean): RegexFault | undefined {
  try {
    RE2JS.compile(source, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return describe(error, source);
    if (error instanceof RE2JSException) {
      return { message: `this regular expression cannot be used: ${error.message}`, offset: 0 };
    }
    throw error;
  }
}

function describe(error: RE2JSSyntaxException, source: string): RegexFault {
  const part = error.getPattern() ?? "";
  const found = part === "" ? -1 : source.indexOf(part);
  const shown = part === "" || part === source ? "" : ` at "${part}"`;
  const advice = /^\(\?[=!<]/.test(part) ? "; lookaround is not in RE2 syntax" : "";
  return {
    message: `this is no regular expression of RE2 syntax: ${error.getDescription()}${shown}${advice}`,
    offset: Math.max(0, found),
  };
}
