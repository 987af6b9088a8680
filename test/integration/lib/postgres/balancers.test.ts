import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import { until } from '../../../../lab/hosts/waiting';
import { runCommand } from '../../../../lib/host/run';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { nodeOn } from '../../../shared/pair-node';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

// The machines of a pair have no systemd: what `systemctl reload` does there stands in the place of systemctl.
const MACHINE = `
folder=$1
mount --bind "$folder/systemctl" /usr/bin/systemctl
mount --bind "$folder/haproxy" /etc/haproxy
mount --bind "$folder/pgbouncer" /etc/pgbouncer
`;

const SYSTEMCTL = `#!/bin/sh
[ "$1 $2" = 'reload --' ] || exit 1
case $3 in
  haproxy) haproxy -D -p /etc/haproxy/pid -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/selfhost.cfg \\
    $([ ! -e /etc/haproxy/pid ] || echo "-sf $(cat /etc/haproxy/pid)") < /dev/null > /dev/null 2>&1 ;;
  pgbouncer) kill -HUP "$(cat /etc/pgbouncer/pid)" ;;
esac
`;

const HAPROXY = `defaults
    timeout connect 2s
    timeout client 1h
    timeout server 1h
`;

describeAsRoot('real balancers in front of a pair', () => {
  let pair: PostgresPair;
  beforeAll(async () => {
    pair = await startPostgresPair();
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    const folder = join(pair.member('eva').socketFolder, 'balancers');
    for (const name of ['haproxy', 'pgbouncer']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'systemctl'), SYSTEMCTL, { mode: 0o755 });
    writeFileSync(join(folder, 'haproxy/haproxy.cfg'), HAPROXY);
    const { user, password } = pair.app;
    writeFileSync(join(folder, 'pgbouncer/users'), `"${user}" "${password}"\n`);
    const pgbouncer = [
      '%include /etc/pgbouncer/selfhost.ini',
      '[pgbouncer]',
      'listen_addr = *',
      'listen_port = 6432',
      'unix_socket_dir =',
      'auth_type = plain',
      'auth_file = /etc/pgbouncer/users',
      'pidfile = /etc/pgbouncer/pid',
      'logfile = /etc/pgbouncer/log',
    ];
    writeFileSync(join(folder, 'pgbouncer/pgbouncer.ini'), `${pgbouncer.join('\n')}\n`);
    writeFileSync(join(folder, 'pgbouncer/selfhost.ini'), '[databases]\n');
    await run(['chown', '-R', 'postgres:', join(folder, 'pgbouncer')]);
    const { host } = pair.member('eva');
    await runCommand(host, { script: MACHINE, arguments: [folder] }, {}, quietTask());
    const start =
      'setpriv --reuid=postgres --clear-groups /usr/sbin/pgbouncer -d /etc/pgbouncer/pgbouncer.ini < /dev/null';
    await runCommand(host, { script: start }, {}, quietTask());
  }, 120_000);
  afterAll(() => pair.stop());

  const through = async (port: number) => {
    const { user, password, database } = pair.app;
    const psql = ['-XAtqc', 'select inet_server_addr()', '-h', pair.member('eva').address, '-p', String(port)];
    const environment = { PGPASSWORD: password, PGCONNECT_TIMEOUT: '5' };
    return (await run(['psql', ...psql, '-U', user, '-d', database], { environment })).trim();
  };
  const leadsTo = (port: number, address: string) =>
    until(`port ${port} leads to ${address}`, 20_000, async () =>
      (await through(port).catch(() => '')) === address ? true : undefined,
    );

  test('HAProxy and PgBouncer lead clients to the primary, and after a switchover to the new one', async () => {
    const node = nodeOn(pair);
    const point = (more: object) => node('route point', { host: 'eva', ...more });
    const haproxy = { kind: 'haproxy', port: 5000 };
    const pgbouncer = { kind: 'pgbouncer', databases: ['postgres'] };
    const [bruno, eva] = [pair.member('bruno').address, pair.member('eva').address];
    for (const one of [haproxy, pgbouncer]) {
      expect(await point({ ...one, dryRun: true })).toMatchObject({ changed: true, primary: 'bruno' });
      expect(await point(one)).toMatchObject({ changed: true, primary: 'bruno', address: bruno });
      expect(await point(one)).toMatchObject({ changed: false });
    }
    await leadsTo(5000, bruno);
    await leadsTo(6432, bruno);
    expect(await node('primary switchover')).toMatchObject({ primary: 'eva' });
    for (const one of [haproxy, pgbouncer]) expect(await point(one)).toMatchObject({ changed: true, address: eva });
    await leadsTo(5000, eva);
    await leadsTo(6432, eva);
  }, 120_000);
});
