import { readdirSync, readFileSync } from 'node:fs';

/** Every process of one run carries this variable, also those that left its process group. */
const markName = 'SELFHOST_LAB_RUN';

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

/** Ends what a run left behind, and says what it was. */
export function endMarked(mark: string): readonly Leftover[] {
  const left = marked(mark);
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
  return left;
}
