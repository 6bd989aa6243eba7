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

/** Records, not objects, so that all keys keep their order. */
const Json = z.record(z.string(), z.unknown());
const Packages = z.record(z.string(), Json);
const OptionalDependencies = z.record(z.string(), z.string()).default({});

const LOCK_FILE = new URL("../package-lock.json", import.meta.url);

const lock = Json.parse(JSON.parse(readFileSync(LOCK_FILE, "utf8")));
const packages = Packages.parse(lock["packages"]);
const completed = new Map(Object.entries(packages));
for (const entry of Object.values(packages)) {
  const optional = OptionalDependencies.parse(entry["optionalDependencies"]);
  for (const [name, version] of Object.entries(optional)) {
    const path = `node_modules/${name}`;
    if (completed.has(path) || !/^\d/.test(version)) continue;
    const { cpu, libc, os } = platformOf(name);
    completed.set(path, {
      version,
      cpu,
      ...(entry["dev"] === true ? { dev: true } : {}),
      ...(libc === undefined ? {} : { libc }),
      optional: true,
      os,
    });
    console.log(`added ${name} ${version}`);
  }
}
const sorted = [...completed].sort(([left], [right]) => left.localeCompare(right, "en"));
lock["packages"] = Object.fromEntries(sorted);
writeFileSync(LOCK_FILE, `${JSON.stringify(lock, null, 2)}\n`);

/** Reads the platform from names such as `binding-linux-arm64-musl` and `linux-x64`. */
function platformOf(name: string): {
  readonly cpu: readonly string[];
  readonly libc: readonly string[] | undefined;
  readonly os: readonly string[];
} {
  const found = /(aix|android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(-musl)?/.exec(
    name,
  );
  const [, os, cpu, musl] = found ?? [];
  if (os === undefined || cpu === undefined) throw new Error(`no platform in the name ${name}`);
  const libc = os !== "linux" || cpu === "arm" ? undefined : musl === undefined ? "glibc" : "musl";
  return { cpu: [cpu], libc: libc === undefined ? undefined : [libc], os: [os] };
}
