import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { type InfisicalStandIn, startInfisical } from '../../../../lab/standins/infisical';
import type { Host } from '../../../../lib/host/host';
import { runCommand } from '../../../../lib/host/run';
import { changeService } from '../../../../lib/host/services/change';
import { closeSessions } from '../../../../lib/host/sessions';
import { type InfisicalApi, infisicalApi } from '../../../../lib/infisical/api';
import { writeSecretFile } from '../../../../lib/infisical/host-file';
import { forgetSessions } from '../../../../lib/infisical/session';
import type { TakingOwner } from '../../../../lib/rotation/owner';
import { rotate, type Rotation } from '../../../../lib/rotation/rotate';
import { boxKey } from '../../../../lib/secrets/box';
import { fileState } from '../../../../lib/state/files';
import { failureOf } from '../../../shared/failure';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { access } from '../host/lab-access';

jest.setTimeout(60_000);

/** Hands its password on to a program that stays, and refuses to start with another than it is told to take. */
const UNIT = `[Service]
EnvironmentFile=/etc/worker.env
ExecStartPre=/bin/sh -c '[ ! -e /etc/takes-only ] || [ "$DB_PASSWORD" = "$(cat /etc/takes-only)" ]'
ExecStart=/bin/sleep infinity
`;

describeAsRoot('a rotation of what a service of systemd reads', () => {
  const task = quietTask();
  let machine: SystemdHost;
  let host: Host;
  let standIn: InfisicalStandIn;
  let api: InfisicalApi;
  let rotation: (fresh: string) => Rotation;
  let known = 'old';

  const inFile = async () =>
    /DB_PASSWORD="([^"]*)"/.exec(await readFile(join(machine.root, 'etc/worker.env'), 'utf8'))?.[1];
  /** What the process that runs now was started with, and which one it is. */
  const running = async () => {
    const script = 'pid=$(systemctl show -P MainPID worker); echo "$pid"; tr "\\0" "\\n" < "/proc/$pid/environ"';
    const { stdout } = await runCommand(host, { script }, {}, task);
    return { pid: stdout.split('\n')[0], password: /^DB_PASSWORD=(.*)$/m.exec(stdout)?.[1] };
  };

  beforeAll(async () => {
    machine = await startSystemdHost({ name: 'bruno' });
    host = access(machine);
    standIn = await startInfisical();
    const project = standIn.addProject('homelab');
    const { clientId, clientSecret } = standIn.addIdentity();
    api = infisicalApi({ siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } });
    standIn.put(project, 'prod', '/', { DB_PASSWORD: known });
    await writeFile(join(machine.root, 'etc/systemd/system/worker.service'), UNIT);
    const options = { format: 'systemd' } as const;
    await writeSecretFile(host, '/etc/worker.env', [{ key: 'DB_PASSWORD', value: known }], options, task);
    await changeService(host, { name: 'worker', action: 'start', waitMs: 20_000 }, task);
    const place = { projectId: project.id, environment: 'prod', path: '/' };
    const owner: TakingOwner = {
      kind: 'takes',
      name: 'the database',
      check: () => Promise.resolve(),
      accepts: (value) => Promise.resolve(value.reveal() === known),
      set: (to) => {
        known = to.reveal();
        return Promise.resolve([]);
      },
    };
    rotation = (fresh) => ({
      ...{ api, place, key: 'DB_PASSWORD', owner, host, newValue: () => fresh, excluded: [] },
      uses: [
        {
          ...{ host, file: '/etc/worker.env', options, place, reading: {}, waitSeconds: 20 },
          restart: { kind: 'service', host, unit: 'worker.service' },
        },
      ],
      store: fileState(host, {}, quietTask()),
      boxKey: boxKey(clientSecret, 'rotation'),
    });
  });
  afterAll(async () => {
    (api as InfisicalApi | undefined)?.close();
    forgetSessions();
    await closeSessions();
    await (standIn as InfisicalStandIn | undefined)?.close();
    await (machine as SystemdHost | undefined)?.stop();
  });

  test('restarts it, and it runs with the new value afterwards', async () => {
    const before = await running();
    expect(before.password).toBe('old');
    const report = await rotate(rotation('good-1'), task);
    expect(report.restarted).toEqual([expect.stringMatching(/^worker\.service on host bruno/)]);
    const after = await running();
    expect([after.password, await inFile(), known]).toEqual(['good-1', 'good-1', 'good-1']);
    expect(after.pid).not.toBe(before.pid);
  });

  test('puts the old value back when it does not start with the new one, and it runs again', async () => {
    await writeFile(join(machine.root, 'etc/takes-only'), known);
    await chmod(join(machine.root, 'etc/takes-only'), 0o600);
    const before = await inFile();
    const failure = await failureOf(rotate(rotation('bad-2'), task));
    expect([failure.code, failure.details['reason']]).toEqual(['rotation_undone', 'unit_failed']);
    expect([(await running()).password, await inFile(), known]).toEqual([before, before, before]);
    expect((await fileState(host, {}, task).list('rotation/')).items).toEqual([]);
  });
});
