/**
 * Adds to package-lock.json the optional packages of other platforms that `npm install` left out.
 *
 * A registry mirror that holds no builds for other systems makes npm write a lock file without them,
 * which `npm ci` then refuses ("Missing: ... from lock file"). They need no checksum here: npm only
 * fetches the one for its own platform. Run it after each change of a dependency; a test in
 * test/tidy.test.ts says when it is needed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";

const Entry = z.looseObject({
  version: z.string().optional(),
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const Lock = z.looseObject({ packages: z.record(z.string(), Entry) });

const LOCK_FILE = new URL("../package-lock.json", import.meta.url);

const lock = Lock.parse(JSON.parse(readFileSync(LOCK_FILE, "utf8")));
const packages = new Map(Object.entries(lock.packages));
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (packages.has(path) || !/^\d/.test(version)) continue;
    packages.set(path, {
      version,
      ...platformOf(name),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
    });
    console.log(`added ${name} ${version}`);
  }
}
const sorted = [...packages].sort(([left], [right]) => left.localeCompare(right, "en"));
writeFileSync(
  LOCK_FILE,
  `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`,
);

/** Reads the platform from names such as `binding-linux-arm64-musl` and `linux-x64`. */
function platformOf(name: string): {
  readonly cpu: readonly string[];
  readonly libc?: readonly string[];
  readonly os: readonly string[];
} {
  const found = /(aix|android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(-musl)?/.exec(
    name,
  );
  const [, os, cpu, musl] = found ?? [];
  if (os === undefined || cpu === undefined) throw new Error(`no platform in the name ${name}`);
  const libc = os !== "linux" || cpu === "arm" ? undefined : musl === undefined ? "glibc" : "musl";
  return { cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }), os: [os] };
}
