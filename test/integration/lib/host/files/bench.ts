import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshHost, type SshHost, type SshHostOptions } from '../../../../../lab/hosts/ssh-host';
import type { Host, Sudo } from '../../../../../lib/host/host';
import type { Progress, Task } from '../../../../../lib/task';

/** A lab host as the engine sees it. */
export function asHost(lab: SshHost, sudo: Sudo = { mode: 'none' }): Host {
  const target = { name: lab.name, aliases: [], address: lab.address, port: lab.port, pins: lab.pins };
  return {
    identity: {
      user: lab.user,
      login: { method: 'key', privateKey: lab.privateKey },
      sudo,
      hosts: [target],
      pinsFromWorkflow: false,
      readOnly: false,
    },
    target,
  };
}

/** A host and a folder on it, which is a folder of this machine. */
export async function labHost(options: SshHostOptions = {}, sudo?: Sudo) {
  const lab = await startSshHost(options);
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-files-'));
  return {
    lab,
    host: asHost(lab, sudo),
    folder,
    stop: async () => {
      await lab.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
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
