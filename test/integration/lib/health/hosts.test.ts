import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresPrograms } from '../../../../lab/debian-packages';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { run } from '../../../../lab/hosts/programs';
import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { until } from '../../../../lab/hosts/waiting';
import { freePort } from '../../../../lab/ports';
import { startPostgres, type PostgresServer } from '../../../../lab/postgres';
import { createContainer, changePower } from '../../../../lib/docker/engine/containers';
import { connectEngine, type Engine } from '../../../../lib/docker/engine/engine';
import { checkNow } from '../../../../lib/health/check-now';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
import type { Host } from '../../../../lib/host/host';
import { closeSessions } from '../../../../lib/host/sessions';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';
import { access } from '../host/lab-access';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(60_000);
afterAll(() => closeSessions());

async function newsOf(written: object, hosts: Readonly<Record<string, Host>> = {}, secret = '') {
  const [news] = await checkNow(
    parseTargets({ name: 'it', deadlineSeconds: 20, ...written }, USUAL_DEFAULTS),
    {
      hostOf: (name) => {
        const host = hosts[name];
        if (host === undefined) throw new Error(`there is no ${name}`);
        return host;
      },
      secretOf: () => Promise.resolve(secret),
    },
    1,
    quietTask(),
  );
  return news;
}

async function found(written: object, hosts: Readonly<Record<string, Host>> = {}, secret = ''): Promise<string> {
  const news = await newsOf(written, hosts, secret);
  return `${news?.verdict ?? ''}: ${(news?.evidence ?? '').replace(/^\w+: /, '')}`;
}

test('what answers here and not there is divergent, and a vantage point that is away has no vote', async () => {
  const bruno: SshHost = await startSshHost();
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const host = hostOf(bruno);
    const away: Host = { ...host, target: { ...host.target, name: 'away', port: await freePort() } };
    const site = { kind: 'http', url: `http://127.0.0.1:${port}/`, from: ['n8n', 'bruno'] };
    expect((await newsOf(site, { bruno: host }))?.verdict).toBe('ok');
    // Reached through another address from n8n: the name that only bruno's resolver could know.
    const inside = { kind: 'tcp', host: '127.0.0.1', port, from: ['n8n', 'away'] };
    expect(await newsOf(inside, { away })).toMatchObject({
      verdict: 'ok',
      sights: [{ outcome: 'ok' }, { from: 'away', outcome: 'unknown' }],
    });
    // What listens only inside: seen from bruno, and not by a name that n8n cannot look up.
    const names = { kind: 'tcp', host: 'only-inside.invalid', port, from: ['n8n', 'away'] };
    expect(await newsOf(names, { away })).toMatchObject({
      verdict: 'unknown',
      sights: [{ outcome: 'wrong', says: 'its name does not exist' }, { outcome: 'unknown' }],
    });
    expect((await newsOf({ ...names, quorum: 1 }, { away }))?.verdict).toBe('wrong');
  } finally {
    await closeSessions();
    server.close();
    await bruno.stop();
  }
});

describeAsRoot('a standby of a real PostgreSQL', () => {
  let primary: PostgresServer;
  let standby: ChildProcess | undefined;
  let folder: string;
  let port: number;
  beforeAll(async () => {
    primary = await startPostgres({ wal_level: 'replica', max_wal_senders: '3' });
    folder = mkdtempSync(join(tmpdir(), 'selfhost-standby-'));
    const id = async (what: string) => Number((await run(['id', what, 'postgres'])).trim());
    const user = { uid: await id('-u'), gid: await id('-g') };
    chownSync(folder, user.uid, user.gid);
    port = await freePort();
    const programs = postgresPrograms();
    const data = join(folder, 'data');
    const password = { ...process.env, PGPASSWORD: primary.password };
    const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres'];
    const copy = spawn(join(programs, 'pg_basebackup'), [...from, '-D', data, '-R', '-X', 'stream', '-c', 'fast'], {
      ...user,
      env: password,
      stdio: 'ignore',
    });
    expect((await once(copy, 'close'))[0]).toBe(0);
    chmodSync(data, 0o700);
    const options = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off'];
    standby = spawn(join(programs, 'postgres'), ['-D', data, ...options.flatMap((one) => ['-c', one])], {
      ...user,
      env: password,
      stdio: 'ignore',
    });
    await until('the standby receives', 30_000, async () =>
      (await found({ ...target(), maxLagSeconds: 60 }, {}, primary.password)).startsWith('ok') ? true : undefined,
    );
  });
  afterAll(async () => {
    const ended = standby && once(standby, 'close');
    standby?.kill('SIGQUIT');
    await ended;
    await primary.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const target = () => ({ kind: 'postgres', host: '127.0.0.1', port, user: 'postgres', password: 'credential:PG' });

  test('keeps up while it receives, is no primary, and says when nothing comes any more', async () => {
    expect(await found({ ...target(), maxLagSeconds: 60 }, {}, primary.password)).toMatch(
      /^ok: it answers as a standby, \d+ s behind$/,
    );
    expect(await found({ ...target(), writable: true }, {}, primary.password)).toBe(
      'wrong: it is a standby and takes no changes',
    );
    await primary.down();
    await until('the standby has noticed', 30_000, async () =>
      (await found({ ...target(), maxLagSeconds: 60 }, {}, primary.password)) ===
      'wrong: it is a standby that receives nothing'
        ? true
        : undefined,
    );
  });
});

describeAsRoot('units of a host with systemd', () => {
  let host: SystemdHost;
  beforeAll(async () => {
    host = await startSystemdHost();
  });
  afterAll(() => host.stop());

  test('are active, failed, or not there', async () => {
    const hosts = { bruno: access(host) };
    const at = (unit: string, changes: object = {}) => found({ kind: 'unit', from: 'bruno', unit, ...changes }, hosts);
    writeFileSync(
      join(host.root, 'etc/systemd/system/broken.service'),
      '[Service]\nType=oneshot\nExecStart=/bin/false\n',
    );
    expect(await at('systemd-journald')).toBe('ok: it is active (running)');
    expect(await at('broken', { mayRest: true })).toBe('ok: it is inactive (dead)');
    expect(await at('broken')).toBe('wrong: it is inactive (dead, success)');
    expect(await at('nothing')).toBe('wrong: there is no such unit');
  });
});

describeAsRoot('containers of a real dockerd', () => {
  let machine: DockerMachine;
  let engine: Engine;
  beforeAll(async () => {
    machine = await startDockerMachine();
    engine = await connectEngine(machine.access, quietTask());
  });
  afterAll(() => machine.stop());

  test('run, have ended, or are not there', async () => {
    const image = machine.docker.image;
    await createContainer(engine, { name: 'web', image, argv: ['sleep', '600'] }, quietTask());
    const hosts = { bruno: machine.access.host };
    const at = (container: string) =>
      found({ kind: 'container', from: 'bruno', container, socket: machine.access.socketPath }, hosts);
    expect(await at('web')).toBe('wrong: it is created');
    await changePower(engine, 'web', { action: 'start' }, quietTask());
    expect(await at('web')).toBe('ok: it runs');
    expect(await at('nobody')).toBe('wrong: there is no such container');
  });
});
