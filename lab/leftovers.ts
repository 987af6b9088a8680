import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from './processes';

/** Every process of one run carries this variable, also those that left its process group. */
const markName = 'SELFHOST_LAB_MARK';

/** From here on everything that we start, and everything that it starts, carries the mark. */
export function markWhatWeStart(mark: string): void {
  process.env[markName] = mark;
}

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

export function marked(mark: string): readonly Leftover[] {
  const wanted = `${markName}=${mark}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(wanted)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command: command.slice(0, 120) }];
      } catch {
        // Ended while we looked, or not ours to look at.
        return [];
      }
    });
}

/** Lets what a run has started end in order, and ends what does not: for a run that is broken off. */
export async function stopMarked(mark: string): Promise<void> {
  for (const { pid } of marked(mark)) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // Ended by itself.
    }
  }
  const nobody = () => Promise.resolve(marked(mark).length === 0 || undefined);
  await waitFor('what was started has ended', nobody, { within: 20_000 }).catch(() => undefined);
  await endMarked(mark);
}

/** Ends what a run left behind, waits until it is gone with its ports, and says what it was. */
export async function endMarked(mark: string): Promise<readonly Leftover[]> {
  const left = marked(mark);
  const ending = new Set(left.map(({ pid }) => pid));
  const nobody = () => {
    const now = marked(mark);
    for (const { pid } of now) {
      ending.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended by itself.
      }
    }
    return Promise.resolve(now.length === 0 && ![...ending].some(isEnding) ? true : undefined);
  };
  await waitFor('the leftovers of an earlier run have ended', nobody, { within: 10_000 });
  return left;
}

/**
 * On its way out a process loses its environment first and its ports later; as a zombie it has neither. But its first
 * thread may be a zombie while another one still holds the ports, so all of them count.
 */
function isEnding(pid: number): boolean {
  return threadsOf(pid).some((thread) => {
    try {
      return /^State:\s+[^ZX]/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'));
    } catch {
      return false;
    }
  });
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
