import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pin } from '../../lib/host/host';
import { makeKey, type KeyPair, type KeyType } from './keys';
import { startProcessHost } from './process-host';
import { findProgram, isRoot, missingPrograms, run } from './programs';
import { freePort } from '../ports';
import { startSshHost, type LabHost } from './ssh-host';

export interface LabHosts {
  readonly make: Make;
  readonly hosts: readonly LabHostAccess[];
  stop(): Promise<void>;
}

/** What a credential and an inventory need to know. */
export interface LabHostAccess {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
  readonly pins: readonly Required<Pin>[];
}

/** How the two hosts are made here, from the most real to the one that always works. */
export type Make = 'separate machines' | 'sshd' | 'inside this process';

const names = ['bruno', 'eva'] as const;

/** The two hosts of `npm start`. Keys and ports stay the same from start to start, so that credentials stay true. */
export async function startLabHosts(
  folder: string,
  options: { readonly log: (line: string) => void; readonly make?: Make },
): Promise<LabHosts> {
  const make = options.make ?? (await howToMake());
  options.log(descriptions[make]);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const login = await keptKey(join(folder, 'login-key'), 'ed25519');
  const started = await Promise.allSettled(names.map((name) => startOne(make, name, join(folder, name), login)));
  const hosts = started.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  const stop = async () => {
    await Promise.all(hosts.map((host) => host.stop()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return {
    make,
    hosts: hosts.map(({ name, address, port, user, privateKey, pins }) => ({
      name,
      address,
      port,
      user,
      privateKey,
      pins,
    })),
    stop,
  };
}

const descriptions: Readonly<Record<Make, string>> = {
  'separate machines':
    'The hosts are OpenSSH servers, each with its own host name, process list, home and state folder.',
  sshd: 'The hosts are OpenSSH servers that share this machine (only root can give each its own processes and files).',
  'inside this process': 'The hosts are SSH servers inside this process, because openssh-server is not installed.',
};

async function startOne(make: Make, name: string, folder: string, login: KeyPair): Promise<LabHost> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const types: readonly KeyType[] = ['ed25519', 'ecdsa'];
  const host = await Promise.all(types.map((type) => keptKey(join(folder, `host-key-${type}`), type)));
  const keys = { host, login };
  const begin = (port: number): Promise<LabHost> => {
    if (make === 'inside this process') return startProcessHost({ name, keys, port, home: folder });
    const machine = make === 'separate machines' ? { machine: { hostname: name, folder } } : {};
    return startSshHost({ name, keys, port, ...machine });
  };
  const portFile = join(folder, 'port');
  const wanted = Number(await readFile(portFile, 'utf8').catch(() => '0'));
  const running = await begin(wanted > 0 ? wanted : await freePort()).catch(async () => begin(await freePort()));
  await keep(portFile, `${running.port}\n`);
  return running;
}

async function howToMake(): Promise<Make> {
  if ((await findProgram('sshd')) === undefined) return 'inside this process';
  if (!isRoot() || (await missingPrograms(['unshare', 'mount', 'hostname'])).length > 0) return 'sshd';
  // Containers often forbid it, and only a try tells.
  const allowed = run(['unshare', '--uts', '--ipc', '--pid', '--mount', '--fork', '--mount-proc', 'true']);
  return await allowed.then(
    () => 'separate machines' as const,
    () => 'sshd' as const,
  );
}

/** The key pair in this file and its .pub, made on the first start. */
async function keptKey(file: string, type: KeyType): Promise<KeyPair> {
  try {
    // The public half is written last, so when it is there both are.
    const [publicKey, privateKey] = await Promise.all([readFile(`${file}.pub`, 'utf8'), readFile(file, 'utf8')]);
    return { type, privateKey, publicKey: publicKey.trim() };
  } catch {
    const pair = await makeKey(type);
    await keep(file, pair.privateKey);
    await keep(`${file}.pub`, `${pair.publicKey}\n`);
    return pair;
  }
}

async function keep(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await chmod(`${file}.new`, 0o600);
  await rename(`${file}.new`, file);
}
