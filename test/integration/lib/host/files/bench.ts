import { hostOf } from '../../../../../lab/hosts/as-host';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshHost, type SshHostOptions } from '../../../../../lab/hosts/ssh-host';
import type { Sudo } from '../../../../../lib/host/host';
import { closeSessions } from '../../../../../lib/host/sessions';
import type { Progress, Task } from '../../../../../lib/task';

/** A host and a folder on it, which is a folder of this machine. */
export async function labHost(options: SshHostOptions = {}, sudo: Sudo = { mode: 'none' }) {
  const lab = await startSshHost(options);
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-files-'));
  return {
    lab,
    host: hostOf(lab, { sudo }),
    folder,
    stop: async () => {
      await lab.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One lab host for all tests of a file, and a fresh folder for each of them. */
export function eachInItsFolder() {
  let base: Awaited<ReturnType<typeof labHost>> | undefined;
  let turn = 0;
  const here = () => {
    if (base === undefined) throw new Error('The lab host has not been started yet');
    return base;
  };
  const at = {
    get host() {
      return here().host;
    },
    get lab() {
      return here().lab;
    },
    folder: '',
  };
  beforeAll(async () => {
    base = await labHost();
  });
  beforeEach(async () => {
    turn += 1;
    at.folder = join(here().folder, String(turn));
    await mkdir(at.folder);
  });
  afterAll(async () => {
    await closeSessions();
    await base?.stop();
  });
  return at;
}

export function newTask(signal: AbortSignal = new AbortController().signal) {
  const reports: Progress[] = [];
  const task: Task = { signal, owner: 'test', progress: (progress) => reports.push(progress) };
  return { ...task, reports };
}

export const hostileNames: readonly string[] = [
  "it's",
  '"double"',
  'two  spaces ',
  'line\nend',
  'ends in a line end\n',
  '$(touch pwned)',
  '`touch pwned`',
  '-rf',
  '--help',
  '*',
  '[a-z]?',
  'back\\slash',
  '~',
  '~root',
  '!history',
  ';reboot',
  '& | > <',
  'tab\there',
  'ümläut 日本語 🦉',
  ': No such file or directory',
  '\u0001\u001b[31m',
  '.selfhost-',
  'n'.repeat(255),
];
