import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeKey } from '../../../../lab/hosts/keys';
import { type SshHost, startSshHost } from '../../../../lab/hosts/ssh-host';
import type { Host } from '../../../../lib/host/host';
import { parsePins } from '../../../../lib/host/pins';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { defaultManner } from '../../../../lib/hetzner/change';
import { ensureServer, type EnsuredServer } from '../../../../lib/hetzner/servers';
import { handedKeys } from '../../../shared/cloud-init';
import { type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const task = quietTask();
const wish = { name: 'bruno', type: 'cx23', image: 'debian-12', labels: { env: 'test' }, hostKey: true };

describe('a server that is created with its host key', () => {
  let setting: HetznerSetting;
  let made: EnsuredServer;
  let lab: SshHost;
  beforeAll(async () => {
    setting = await hetznerSetting();
    made = await ensureServer(setting.api, { ...wish, userData: '#!/bin/sh\ntrue\n' }, defaultManner, task);
    const [sent] = setting.standIn.cloud.seen.filter(({ method }) => method === 'POST');
    const { privateKey, publicKey } = handedKeys((sent?.body as { user_data: string }).user_data);
    // What cloud-init writes to /etc/ssh: this key and no other.
    const host = [{ type: 'ed25519' as const, privateKey, publicKey }];
    lab = await startSshHost({ name: 'bruno', keys: { host, login: await makeKey('ed25519') } });
  });
  afterEach(closeSessions);
  afterAll(async () => {
    await lab.stop();
    await setting.standIn.close();
  });

  /** The pin as it was returned, but for the place: the stand-in's address is nobody's. */
  function pinned(pinLine: string): Host {
    const [found] = parsePins(pinLine);
    if (found === undefined) throw new Error('No pin');
    const target = { ...found, address: lab.address, port: lab.port };
    const login = { method: 'key', privateKey: lab.privateKey } as const;
    const rights = { sudo: { mode: 'none' }, pinsFromWorkflow: false, readOnly: false } as const;
    return { target, identity: { user: lab.user, login, ...rights, hosts: [target] } };
  }

  it('is verified by the pin at the very first connection', async () => {
    expect(made.hostKey?.pinLine).toBe(`bruno=${made.item?.ipv4}:22 ssh-ed25519 ${lab.pins[0]?.fingerprint}`);
    const { stdout } = await runCommand(pinned(made.hostKey?.pinLine ?? ''), { argv: ['echo', 'hi'] }, {}, task);
    expect(stdout).toBe('hi\n');
  });

  it('is verified by OpenSSH with the known_hosts line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'selfhost-known-'));
    try {
      const file = join(folder, 'known_hosts');
      writeFileSync(file, `${made.hostKey?.knownHosts}\n`);
      const strict = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${file}`, 'GlobalKnownHostsFile=/dev/null'];
      const where = [`HostKeyAlias=${made.item?.ipv4}`, `Port=${lab.port}`, 'BatchMode=yes', 'IdentitiesOnly=yes'];
      const options = [...strict, ...where].flatMap((one) => ['-o', one]);
      const login = ['-F', '/dev/null', '-i', lab.privateKeyFile, `${lab.user}@${lab.address}`, 'echo', 'hi'];
      const { stdout, stderr } = spawnSync('ssh', [...options, ...login], { encoding: 'utf8', timeout: 60_000 });
      expect([stdout, stderr]).toEqual(['hi\n', '']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is refused, and told nothing, when another key answers at its address', async () => {
    const other = await ensureServer(setting.api, { ...wish, name: 'eva' }, defaultManner, task);
    const before = await lab.authenticationAttempts();
    const host = pinned(other.hostKey?.pinLine ?? '');
    expect(await failureOf(runCommand(host, { argv: ['true'] }, {}, task))).toMatchObject({
      code: 'host_key_mismatch',
    });
    expect(await lab.authenticationAttempts()).toEqual(before);
  });
});
