import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { pointRoute } from '../../../../lib/postgres/replication/point';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';

// A service that keeps what it was told to read, and refuses what it does not understand.
const SERVICE = `
mkdir -p /etc/pgbouncer
cat > /etc/systemd/system/pgbouncer.service <<'UNIT'
[Service]
ExecStart=/bin/sleep infinity
ExecReload=/bin/sh -c '! grep -q broken /etc/pgbouncer/selfhost.ini && cat /etc/pgbouncer/selfhost.ini >> /run/read'
UNIT
systemctl daemon-reload
systemctl start pgbouncer
`;

describe('pointing a pooler', () => {
  let machine: SystemdHost;
  beforeAll(async () => {
    machine = await startSystemdHost({ name: 'pooler' });
    await shell(SERVICE);
  }, 300_000);
  afterAll(async () => {
    await closeSessions();
    await machine.stop();
  });

  const shell = async (script: string) => (await runCommand(hostOf(machine), { script }, {}, quietTask())).stdout;
  const path = '/etc/pgbouncer/selfhost.ini';
  const point = (content: string, dryRun = false) =>
    pointRoute({ host: hostOf(machine), kind: 'pgbouncer', path, content, unit: 'pgbouncer' }, { dryRun }, quietTask());

  test('writes its file and has it read once; the same again changes nothing; a dry run only says', async () => {
    expect(await point('one\n', true)).toEqual({ changed: true });
    expect(await shell(`cat ${path} 2>/dev/null || echo none`)).toBe('none\n');
    expect(await point('one\n')).toEqual({ changed: true });
    expect(await point('one\n')).toEqual({ changed: false });
    expect(await point('two\n')).toEqual({ changed: true });
    expect(await shell('cat /run/read')).toBe('one\ntwo\n');
    expect(await shell('ls /etc/pgbouncer')).toBe('selfhost.ini\n');
  });

  test('puts its file back when the service does not take it', async () => {
    await expect(point('broken\n')).rejects.toMatchObject({ code: 'reload_failed' });
    expect(await shell(`cat ${path}`)).toBe('two\n');
    expect(await shell('ls /etc/pgbouncer')).toBe('selfhost.ini\n');
  });
});
