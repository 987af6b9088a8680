import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Dirent,
} from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bootId,
  descendantsOf,
  identify,
  killUntilGone,
  lives,
  markedProcesses,
  startTimeOf,
  type ProcessIdentity,
} from './processes';
import { run } from './programs';
import { until } from './waiting';

/** One thing that a lab host has put onto the machine, and that must be taken away again. */
export type Leftover =
  | ({ readonly kind: 'process' } & ProcessIdentity)
  /** Every process that carries this mark in its environment. */
  | { readonly kind: 'marked'; readonly mark: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'mount'; readonly path: string }
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'link'; readonly name: string }
  | { readonly kind: 'cgroup'; readonly path: string };

/** What one owner has put onto the machine, written down before it is made, so that it survives the owner's death. */
export interface Ledger {
  readonly id: string;
  /** A new folder of this owner; removed with the rest. */
  readonly folder: string;
  add(leftover: Leftover): void;
  addProcess(pid: number): void;
  /** Takes everything away, the last first. */
  clear(): Promise<void>;
}

interface LedgerFile {
  readonly owner: ProcessIdentity;
  readonly boot: string;
  readonly leftovers: readonly Leftover[];
}

/** Where this user's labs keep what concerns all of them. */
export function machineFolder(): string {
  return ownFolder(join(tmpdir(), `selfhost-lab-${process.getuid?.() ?? 'user'}`));
}

/** Where the ledgers are, and each owner's files. A test of the clean-up has its own, so that nobody else cleans up. */
export function labFolder(): string {
  const chosen = process.env.SELFHOST_LAB_RUN;
  return chosen === undefined ? machineFolder() : ownFolder(chosen);
}

function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  const { uid } = statSync(path);
  if (process.getuid && uid !== process.getuid()) throw new Error(`${path} belongs to another user (uid ${uid})`);
  return path;
}

export async function openLedger(): Promise<Ledger> {
  await clearLeftovers();
  const id = randomBytes(4).toString('hex');
  const base = labFolder();
  const folder = join(base, id);
  const path = join(base, `${id}.json`);
  const leftovers: Leftover[] = [];
  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('This process has no start time; is /proc mounted?');
  const add = (leftover: Leftover) => {
    leftovers.push(leftover);
    write(path, { owner, boot: bootId(), leftovers });
  };
  add({ kind: 'folder', path: folder });
  mkdirSync(folder, { mode: 0o711 });
  return {
    id,
    folder,
    add,
    addProcess(pid) {
      const startTime = startTimeOf(pid);
      if (startTime !== undefined) add({ kind: 'process', pid, startTime });
    },
    async clear() {
      await undoAll(leftovers);
      leftovers.length = 0;
      rmSync(path, { force: true });
    },
  };
}

/** Takes away what crashed owners have left. Safe to call at any time, from several processes at once. */
export async function clearLeftovers(): Promise<void> {
  const base = labFolder();
  for (const name of readdirSync(base)) {
    if (!/^[0-9a-f]{8}\.json$/.test(name)) continue;
    const path = join(base, name);
    const ledger = read(path);
    if (ledger === undefined) continue;
    const sameBoot = ledger.boot === bootId();
    if (sameBoot && lives(ledger.owner)) continue;
    const me = identify(process.pid);
    if (me === undefined) continue;
    // Whoever renames it first does the work. It stays a ledger, so that a crash in here loses nothing.
    const mine = join(base, `${randomBytes(4).toString('hex')}.json`);
    try {
      renameSync(path, mine);
    } catch {
      continue;
    }
    // After a reboot process numbers mean somebody else; what lives on disk is still there.
    const leftovers = sameBoot ? ledger.leftovers : ledger.leftovers.filter(({ kind }) => outlivesBoot(kind));
    write(mine, { owner: me, boot: bootId(), leftovers });
    try {
      await undoAll(leftovers);
      rmSync(mine, { force: true });
    } catch (error) {
      // What can't be cleared today must not stop a new lab from starting. The ledger stays for the next one.
      process.emitWarning(String(error));
    }
  }
}

function outlivesBoot(kind: Leftover['kind']): boolean {
  return kind === 'file' || kind === 'folder';
}

async function undoAll(leftovers: readonly Leftover[]): Promise<void> {
  const failures: unknown[] = [];
  for (const leftover of [...leftovers].reverse()) {
    try {
      await undo(leftover);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `Not everything could be cleared: ${failures.join('; ')}`);
}

async function undo(leftover: Leftover): Promise<void> {
  switch (leftover.kind) {
    case 'process':
      return endProcess(leftover);
    case 'marked':
      return killUntilGone(`processes of host ${leftover.mark}`, () => markedProcesses(leftover.mark));
    case 'file':
      return rm(leftover.path, { force: true });
    case 'folder':
      return removeFolder(leftover.path);
    case 'mount':
      return unmount(leftover.path);
    case 'namespace':
      return removeNamespace(leftover.name);
    case 'link':
      return removeLink(leftover.name);
    case 'cgroup':
      return removeCgroup(leftover.path);
  }
}

/** Kills a process and all below it; its family is taken down while it still can be seen as one. */
async function endProcess(process: ProcessIdentity): Promise<void> {
  const known = new Map<number, ProcessIdentity>();
  await killUntilGone(`process ${process.pid}`, () => {
    const roots = lives(process) ? [process.pid] : [];
    const alive = [...known.values()].filter(lives);
    for (const one of descendantsOf([...roots, ...alive.map(({ pid }) => pid)])) known.set(one.pid, one);
    return [...known.values()].filter(lives);
  });
}

async function removeFolder(path: string): Promise<void> {
  // A folder with something mounted in it must never be emptied: that would reach into the mounted tree.
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  if (mounts.split('\n').some((line) => line.split(' ')[1]?.startsWith(`${path}/`))) {
    throw new Error(`Something is still mounted below ${path}`);
  }
  await rm(path, { recursive: true, force: true });
}

async function unmount(path: string): Promise<void> {
  const mounted = async () =>
    (await readFile('/proc/self/mounts', 'utf8')).split('\n').some((line) => line.split(' ')[1] === path);
  await until(`${path} is unmounted`, 5000, async () => {
    if (!(await mounted())) return true;
    await run(['umount', path]).catch(() => undefined);
    return undefined;
  });
}

async function removeNamespace(name: string): Promise<void> {
  const exists = async () => (await readdir('/run/netns').catch((): string[] => [])).includes(name);
  if (!(await exists())) return;
  await killUntilGone(`processes of namespace ${name}`, () => namespaceProcesses(name));
  await run(['ip', 'netns', 'del', name]).catch(async (error: unknown) => {
    if (await exists()) throw error;
  });
}

function namespaceProcesses(name: string): ProcessIdentity[] {
  let inode: bigint;
  try {
    inode = statSync(`/run/netns/${name}`, { bigint: true }).ino;
  } catch {
    return [];
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        return statSync(`/proc/${entry}/ns/net`, { bigint: true }).ino === inode;
      } catch {
        return false;
      }
    })
    .map((entry) => identify(Number(entry)))
    .filter((one) => one !== undefined);
}

async function removeLink(name: string): Promise<void> {
  const exists = async () => (await readdir('/sys/class/net')).includes(name);
  if (!(await exists())) return;
  await run(['ip', 'link', 'del', name]).catch(async (error: unknown) => {
    if (await exists()) throw error;
  });
}

async function removeCgroup(path: string): Promise<void> {
  const folders = async (folder: string): Promise<string[]> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
    const below = await Promise.all(entries.filter((e) => e.isDirectory()).map((e) => folders(join(folder, e.name))));
    return [...below.flat(), folder];
  };
  const processesIn = (all: readonly string[]) =>
    all.flatMap((folder) => {
      try {
        const lines = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
        return lines.map((line) => identify(Number(line))).filter((one) => one !== undefined);
      } catch {
        return [];
      }
    });
  const all = await folders(path);
  await killUntilGone(`processes of ${path}`, () => processesIn(all));
  for (const folder of all) {
    await rmdir(folder).catch((error: unknown) => {
      if (existsSync(folder)) throw error;
    });
  }
}

function write(path: string, ledger: LedgerFile): void {
  writeFileSync(`${path}.new`, JSON.stringify(ledger), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function read(path: string): LedgerFile | undefined {
  try {
    // Only this file writes these, by rename, so a readable one is whole.
    return JSON.parse(readFileSync(path, 'utf8')) as LedgerFile;
  } catch {
    return undefined;
  }
}

/** Takes a name for this owner alone, or says that another one has it. */
export function claimName(ledger: Ledger, name: string): boolean {
  const path = join(machineFolder(), `claim-${name}`);
  try {
    mkdirSync(path);
  } catch {
    return false;
  }
  ledger.add({ kind: 'folder', path });
  return true;
}
