/** What `dora doctor` makes of what it found: pure, each judgement with what to do. */

export interface Check {
  readonly check: string;
  /** `skipped` is what is not there and need not be. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly found: string;
  /** What to do; undefined where nothing is to be done. */
  readonly fix?: string;
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** As in `engines` of package.json: types are stripped without a flag from there on. */
const NODE_VERSION_MIN = [22, 18] as const;
/** The store takes nothing more where a segment does not fit. */
const DISK_BYTES_MIN = 256 * MIB;
const DISK_BYTES_LOW = 2 * GIB;
/** A link is a socket at each end, a segment that is read a file. */
const FILES_MIN = 256;
const FILES_LOW = 1024;
/** Docker's default: a few messages of some megabytes fill it. */
const SHARED_MEMORY_BYTES_LOW = 64 * MIB;
const MEMORY_BYTES_MIN = 128 * MIB;
const MEMORY_BYTES_LOW = 512 * MIB;
/** The header `date` has whole seconds. */
const CLOCK_SKEW_MS_MAX = 2_000;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  const isEnough = major > majorMin || (major === majorMin && minor >= minorMin);
  const found = { check: "Node.js", found: version };
  if (isEnough) return { ...found, status: "ok" };
  return {
    ...found,
    status: "failed",
    fix: `install Node.js ${NODE_VERSION_MIN.join(".")} or later`,
  };
}

/** A folder that must take files; `problem` is why it does not. */
export function checkFolder(
  check: string,
  {
    folder,
    problem,
    variable,
  }: {
    readonly folder: string;
    readonly problem: string | undefined;
    readonly variable: string;
  },
): Check {
  if (problem === undefined) return { check, status: "ok", found: folder };
  const fix = `make it writable for this user, or set ${variable} to another`;
  return { check, status: "failed", found: `${folder}: ${problem}`, fix };
}

export interface PortFacts {
  /** Such as `6014 (queries)`. */
  readonly label: string;
  /** By which another is given. */
  readonly variable: string;
  readonly state: "free" | "ours" | "taken";
  /** `python3 (pid 4711)`, where the system tells. */
  readonly owner: string | undefined;
}

export function checkPort({ label, variable, state, owner }: PortFacts): Check {
  const check = `port ${label}`;
  if (state === "free") return { check, status: "ok", found: "free" };
  const program = owner ?? "a program of another user";
  if (state === "ours") return { check, status: "ok", found: `dora's, ${program}` };
  const fix = `stop that program, or set ${variable} to another address`;
  return { check, status: "failed", found: `taken by ${program}`, fix };
}

export interface ServiceFacts {
  readonly check: string;
  readonly where: string;
  /** `stranger` is something else that answers there; an object a service of ours, with its version if it tells. */
  readonly answer: "nothing" | "stranger" | { readonly version: string | undefined };
  /** Of this command. */
  readonly version: string;
  /** One of another machine cannot be started from here. */
  readonly isLocal: boolean;
}

export function checkService({ check, where, answer, version, isLocal }: ServiceFacts): Check {
  if (answer === "nothing" && isLocal) {
    return { check, status: "skipped", found: "does not run", fix: "`dora up` starts it" };
  }
  if (answer === "nothing") {
    const fix = "start it on that machine, and let its firewall pass the port";
    return { check, status: "failed", found: `nothing answers at ${where}`, fix };
  }
  if (answer === "stranger") {
    const fix = "give the right address, or stop what has it; see the ports above";
    return { check, status: "failed", found: `what answers at ${where} is none, or hangs`, fix };
  }
  if (answer.version === undefined) return { check, status: "ok", found: `answers at ${where}` };
  return checkVersion({ check, where, found: answer.version, version });
}

/** Daemons that the coordinator knows. */
export function checkDaemons(
  daemons: readonly { readonly machine: string; readonly version: string }[] | undefined,
  version: string,
): readonly Check[] {
  const check = "daemon";
  if (daemons === undefined) return [];
  if (daemons.length === 0) {
    const fix = "start one: `dora up`, or `dora daemon --coordinator URL` on another machine";
    return [{ check, status: "warning", found: "none is connected to the coordinator", fix }];
  }
  return daemons.map((daemon) =>
    checkVersion({ check, where: daemon.machine, found: daemon.version, version }),
  );
}

function checkVersion(of: {
  readonly check: string;
  readonly where: string;
  readonly found: string;
  readonly version: string;
}): Check {
  const { check, where, found, version } = of;
  if (found === version) return { check, status: "ok", found: `version ${found} at ${where}` };
  const fix = "start it again with this version: `dora down`, then `dora up`";
  return {
    check,
    status: "warning",
    found: `version ${found} at ${where}, this is ${version}`,
    fix,
  };
}

export interface SpaceFacts {
  readonly folder: string;
  /** For this user. */
  readonly freeBytes: number;
}

export function checkDisk({ folder, freeBytes }: SpaceFacts): Check {
  const found = `${formatBytes(freeBytes)} free at ${folder}`;
  const fix = "free some, keep records for less long, or set DORA_DATA_DIR to another disk";
  return { check: "disk", found, ...grade(freeBytes, DISK_BYTES_MIN, DISK_BYTES_LOW, fix) };
}

/** `limit`: undefined where the system does not tell, Infinity without one. */
export function checkFiles(limit: number | undefined): Check {
  const check = "open files";
  if (limit === undefined) return { check, status: "skipped", found: "the limit is not known" };
  const found = limit === Infinity ? "no limit" : `${limit} at most`;
  const fix = `raise it: \`ulimit -n 65536\`, or LimitNOFILE= of a service`;
  return { check, found, ...grade(limit, FILES_MIN, FILES_LOW, fix) };
}

export function checkSharedMemory(space: SpaceFacts | undefined): Check {
  const check = "shared memory";
  if (space === undefined) {
    const found = "there is no /dev/shm: large messages go through files in the temporary folder";
    return { check, status: "skipped", found };
  }
  const found = `${formatBytes(space.freeBytes)} free at ${space.folder}`;
  const fix = "give it more, as large messages go through it: `docker run --shm-size=1g`";
  return { check, found, ...grade(space.freeBytes, 0, SHARED_MEMORY_BYTES_LOW + 1, fix) };
}

/** `needed`: a dataflow file was given that has Python in it. */
export function checkPython(
  python: { readonly version: string; readonly pyarrow: string | undefined } | undefined,
  { isNeeded }: { readonly isNeeded: boolean },
): Check {
  const check = "Python";
  if (python === undefined) {
    const found = "no python3 in PATH";
    const fix = "install Python 3.8 or later";
    return isNeeded
      ? { check, status: "failed", found, fix }
      : { check, status: "skipped", found: `${found}; Python nodes need one` };
  }
  const { version, pyarrow } = python;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major !== 3 || minor < 8) {
    const fix = "install Python 3.8 or later, as python3";
    return { check, status: isNeeded ? "failed" : "warning", found: version, fix };
  }
  if (pyarrow !== undefined)
    return { check, status: "ok", found: `${version}, pyarrow ${pyarrow}` };
  const fix = "nodes that use Arrow values need it: `python3 -m pip install pyarrow`";
  return {
    check,
    status: isNeeded ? "warning" : "ok",
    found: `${version}, no pyarrow`,
    ...(isNeeded ? { fix } : {}),
  };
}

export function checkBroker(
  kind: "redis" | "mqtt",
  { place, problem }: { readonly place: string; readonly problem: string | undefined },
): Check {
  if (problem === undefined) return { check: kind, status: "ok", found: `answers at ${place}` };
  const program = kind === "redis" ? "redis-server" : "mosquitto";
  const fix = `start the broker there (\`${program}\`), or correct the link's \`endpoint\``;
  return { check: kind, status: "failed", found: `${place}: ${problem}`, fix };
}

/** The coordinator's clock less ours. */
export function checkClock(skewMs: number | undefined): readonly Check[] {
  const check = "clock";
  if (skewMs === undefined) return [];
  if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) {
    return [{ check, status: "ok", found: "that of the coordinator" }];
  }
  const seconds = (Math.abs(skewMs) / 1000).toFixed(0);
  const found = `${seconds} s ${skewMs > 0 ? "behind" : "before"} the coordinator's`;
  const fix =
    "set both by NTP (`timedatectl set-ntp true`): times of records and latencies are wrong";
  return [{ check, status: "warning", found, fix }];
}

export function checkMemory(availableBytes: number): Check {
  const found = `${formatBytes(availableBytes)} available`;
  const fix = "end what needs much, or give the container more";
  return {
    check: "memory",
    found,
    ...grade(availableBytes, MEMORY_BYTES_MIN, MEMORY_BYTES_LOW, fix),
  };
}

/** `problems`: of the dataflow file that was given. */
export function checkFile(file: string, problems: number): Check {
  if (problems === 0) return { check: "dataflow file", status: "ok", found: `${file} is valid` };
  const found = `${file} has ${problems} problem${problems === 1 ? "" : "s"}`;
  const fix = `\`dora validate\` shows what is wrong, with line and column`;
  return { check: "dataflow file", status: "failed", found, fix };
}

function grade(
  value: number,
  min: number,
  low: number,
  fix: string,
): Pick<Check, "status"> & { readonly fix?: string } {
  if (value >= low) return { status: "ok" };
  return { status: value < min ? "failed" : "warning", fix };
}

function formatBytes(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.round(bytes / MIB)} MiB`;
}
