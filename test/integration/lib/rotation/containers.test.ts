import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { type InfisicalStandIn, startInfisical } from '../../../../lab/standins/infisical';
import { type DockerMachine, startDockerMachine } from '../../../shared/docker-machine';
import { composeUp } from '../../../../lib/docker/compose/compose';
import { infisicalApi } from '../../../../lib/infisical/api';
import { writeSecretFile } from '../../../../lib/infisical/host-file';
import { forgetSessions } from '../../../../lib/infisical/session';
import { commandOwner } from '../../../../lib/rotation/owners/command';
import { openReach } from '../../../../lib/rotation/reach';
import { mysqlAccount } from '../../../../lib/rotation/owners/mysql';
import { type Rotation, rotate } from '../../../../lib/rotation/rotate';
import { SealedText } from '../../../../lib/secrets/sealed';
import { boxKey } from '../../../../lib/secrets/box';
import { fileState } from '../../../../lib/state/files';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { failureOf } from '../../../shared/failure';

jest.setTimeout(60_000);

/** It comes up with the first value and with any that begins with `good`. */
const COMPOSE = `
services:
  app:
    image: tiny:1
    command: sh -c 'case "$$DB_PASSWORD" in old|good*) touch /tmp/ok ;; esac; exec sleep 3600'
    env_file: [ .env ]
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "test", "-f", "/tmp/ok"], interval: 200ms, timeout: 5s, retries: 3 }
`;

describeAsRoot('a rotation restarts containers', () => {
  const task = quietTask();
  let machine: DockerMachine;
  let standIn: InfisicalStandIn;
  let rotation: (fresh: string) => Rotation;
  let directory: string;
  const inContainer = async () => {
    const text = await machine.docker.docker('exec', 'app-app-1', 'sh', '-c', 'printf %s "$DB_PASSWORD"');
    return text.trim();
  };
  beforeAll(async () => {
    machine = await startDockerMachine();
    standIn = await startInfisical();
    const { host } = machine.access;
    const project = standIn.addProject('homelab');
    standIn.put(project, 'prod', '/', { DB_PASSWORD: 'old' });
    const { clientId, clientSecret } = standIn.addIdentity();
    const place = { projectId: project.id, environment: 'prod', path: '/' };
    directory = join(machine.docker.folder, 'app');
    await mkdir(directory);
    await writeFile(join(directory, 'compose.yaml'), COMPOSE);
    await writeFile(join(directory, 'known'), 'old');
    const program = join(directory, 'password');
    await writeFile(
      program,
      '#!/bin/bash\nread -r v; case $1 in set) printf %s "$v" > "${0%/*}/known" ;; *) [ "$(cat "${0%/*}/known")" = "$v" ] || exit 10 ;; esac\n',
      { mode: 0o755 },
    );
    const file = join(directory, '.env');
    const options = { format: 'compose' } as const;
    await writeSecretFile(host, file, [{ key: 'DB_PASSWORD', value: 'old' }], options, task);
    const compose = { directory, name: 'app' };
    await composeUp(machine.access, compose, {}, task);
    rotation = (fresh) => ({
      api: infisicalApi({ siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } }),
      place,
      key: 'DB_PASSWORD',
      owner: commandOwner({ host, label: 'database', argv: [program] }),
      uses: [
        {
          ...{ host, file, options, place, reading: {}, waitSeconds: 20 },
          restart: { kind: 'compose', docker: machine.access, project: compose, services: ['app'] },
        },
      ],
      newValue: () => fresh,
      excluded: [],
      host,
      store: fileState(host, {}, quietTask()),
      boxKey: boxKey(clientSecret, 'rotation'),
    });
  });
  afterAll(async () => {
    forgetSessions();
    await (standIn as InfisicalStandIn | undefined)?.close();
    await (machine as DockerMachine | undefined)?.stop();
  });

  test('they run with the new value afterwards', async () => {
    expect(await inContainer()).toBe('old');
    const report = await rotate(rotation('good-1'), task);
    expect(report.restarted).toEqual([expect.stringMatching(/^app \(app\) on host bruno/)]);
    expect(await inContainer()).toBe('good-1');
  });

  test('a server in a container is reached at its own address, though it publishes no port', async () => {
    const { docker, namespace, address } = machine.docker;
    const inside = await startSshHost({ name: 'inside', namespace, address, port: 22022 });
    try {
      await docker('run', '--detach', '--name', 'web', 'tiny:1', 'httpd', '-f', '-h', '/www');
      const access = { host: hostOf(inside), socketPath: machine.access.socketPath };
      const reach = { kind: 'container', docker: access, container: 'web', port: 80 } as const;
      const page = await until('the page comes', 20_000, async () => {
        const socket = await openReach(reach, task).catch(() => undefined);
        if (socket === undefined) return undefined;
        socket.on('error', () => undefined);
        socket.write('GET /index.html HTTP/1.0\r\n\r\n');
        return text(socket).catch(() => undefined);
      });
      expect(page).toMatch(/200 OK[^]*tiny/);
      await docker('rm', '--force', 'web');
      await expect(openReach(reach, task)).rejects.toMatchObject({ code: 'not_found' });
    } finally {
      await inside.stop();
    }
  });

  test('a client program in a container is told the password and the statement by its input only', async () => {
    // In place of the client of MySQL, which the smallest of all images does not have.
    const client = `#!/bin/sh
busybox grep -q 'password="admin-word"' "\${1#--defaults-file=}" || { echo 'ERROR 1045 (28000): denied' >&2; exit 1; }
case "$*" in *admin-word*) exit 2 ;; esac
busybox grep -q "SET @account" && echo 1
`;
    await machine.docker.docker('run', '--detach', '--name', 'sql', 'tiny:1', 'sleep', '3600');
    const write = `printf %s '${Buffer.from(client).toString('base64')}' | busybox base64 -d > /bin/mariadb; busybox chmod 755 /bin/mariadb`;
    await machine.docker.docker('exec', 'sql', 'sh', '-c', write);
    const place = {
      host: machine.access.host,
      address: '127.0.0.1',
      port: 3306,
      container: { docker: machine.access, name: 'sql' },
    };
    const account = (password: string) =>
      mysqlAccount({ place, user: 'shop', from: '%', admin: { user: 'root', password: new SealedText(password) } });
    const any = new SealedText('any');
    await account('admin-word').check(any, task);
    expect((await failureOf(account('wrong').check(any, task))).code).toBe('rotation_login_refused');
    await machine.docker.docker('exec', 'sql', 'sh', '-c', 'busybox rm /bin/mariadb');
    expect((await failureOf(account('admin-word').check(any, task))).code).toBe('mysql_client_missing');
    await machine.docker.docker('rm', '--force', 'sql');
  });

  test('what does not get healthy with the new value runs with the old one again', async () => {
    const before = await inContainer();
    const failure = await failureOf(rotate(rotation('bad'), task));
    expect([failure.code, failure.details['reason']]).toEqual(['rotation_undone', 'compose_failed']);
    expect(await inContainer()).toBe(before);
  });
});
