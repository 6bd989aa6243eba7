/** Where the store says what happened: damage, seals, retention. */
export interface StoreLog {
  info(message: string, attributes?: Readonly<Record<string, string | number>>): void;
  warn(message: string, attributes?: Readonly<Record<string, string | number>>): void;
  error(message: string, attributes?: Readonly<Record<string, string | number>>): void;
}

export const silentLog: StoreLog = { info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // Says nothing.
}
