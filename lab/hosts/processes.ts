import { readFileSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { until } from './waiting';

/** A process that can't be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

/** The variable that marks every process which a lab host has started, also those that left its process group. */
export const hostMark = 'SELFHOST_LAB_HOST';

/** When a process began, in the words of the system; undefined when it does not live. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    const line = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
    return line === '' ? undefined : line;
  }
  return statOf(pid)?.startTime;
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function lives({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** Everything below these processes, themselves included. */
export function descendantsOf(roots: readonly number[]): ProcessIdentity[] {
  const family = new Set(roots);
  const all = processes();
  // A child may stand before its parent in the list, so look until nobody is added.
  for (let size = -1; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  // Parents first: a session that outlives its command by a moment would still tell how that ended.
  const known = new Map(all.map((one) => [one.pid, one]));
  return [...family].flatMap((pid) => known.get(pid) ?? []);
}

/** Every living process whose environment carries this host's mark. */
export function markedProcesses(mark: string): ProcessIdentity[] {
  const wanted = `${hostMark}=${mark}`;
  return processes().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(wanted);
    } catch {
      return false;
    }
  });
}

/** Kills until the question "who is left?" is answered by nobody. New ones may appear while the old ones die. */
export async function killUntilGone(what: string, whoIsLeft: () => readonly ProcessIdentity[]): Promise<void> {
  await until(`${what} ends`, 10_000, () => {
    const left = whoIsLeft();
    for (const one of left) {
      if (!lives(one)) continue;
      try {
        process.kill(one.pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
    return left.length === 0 ? true : undefined;
  });
}

interface ProcessStat extends ProcessIdentity {
  readonly parent: number;
}

/** All living processes; the dead that nobody has collected yet do not count. */
function processes(): ProcessStat[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined);
}

function statOf(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything, so count from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, startTime] = [fields[0], fields[1], fields[19]];
  if (state === 'Z' || state === 'X' || parent === undefined || startTime === undefined) return undefined;
  return { pid, parent: Number(parent), startTime };
}
