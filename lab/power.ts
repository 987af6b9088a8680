import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupFolders } from './docker';
import type { Daemon } from './docker-pair';
import type { Ledger } from './hosts/ledger';
import { until } from './hosts/waiting';

/** Everything that Docker has started on a machine of the lab, and Docker itself, ends at once, and nobody is told. */
export async function endMachine(ledger: Pick<Ledger, 'id'>, of: string, daemon: Daemon): Promise<void> {
  const folders = await cgroupFolders(`selfhost-lab-${ledger.id}-${of}`);
  await until(`nothing of ${of} runs`, 20_000, () => {
    const left = [...folders.flatMap(processesIn), ...processesOf(daemon.folder)];
    for (const pid of left) kill(pid);
    return Promise.resolve(left.length === 0 ? true : undefined);
  });
}

function processesIn(folder: string): readonly number[] {
  try {
    const own = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    const below = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory());
    return [...own, ...below.flatMap(({ name }) => processesIn(join(folder, name)))];
  } catch {
    return [];
  }
}

/** dockerd, containerd and what they have started outside of any container. */
function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`);
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
