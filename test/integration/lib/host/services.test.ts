import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { runCommand } from '../../../../lib/host/run';
import { changeService } from '../../../../lib/host/services/change';
import { listServices, listTimers } from '../../../../lib/host/services/list';
import { serviceStatus } from '../../../../lib/host/services/status';
import { closeSessions } from '../../../../lib/host/sessions';
import { access, failureOf, task } from './lab-access';

jest.setTimeout(60_000);

const units: Readonly<Record<string, string>> = {
  'steady.service': `[Unit]
Description=Runs and runs
[Service]
ExecStart=/bin/sh -c 'echo steady is up; exec sleep infinity'
ExecReload=/bin/true
[Install]
WantedBy=multi-user.target
`,
  'refusing.service': `[Service]
ExecStartPre=/bin/sh -c 'echo the port is taken >&2; exit 3'
ExecStart=/bin/sleep infinity
`,
  'shortlived.service': `[Service]
ExecStart=/bin/sh -c 'echo the database is missing >&2; sleep 0.3; exit 4'
`,
  'looping.service': `[Service]
ExecStart=/bin/sh -c 'sleep 0.2; exit 5'
Restart=always
RestartSec=100ms
`,
  'slow.service': `[Service]
Type=notify
ExecStart=/bin/sleep infinity
TimeoutStartSec=60
`,
  'once.service': `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo done once'
`,
  'lab@.service': `[Service]
ExecStart=/bin/sleep infinity
`,
  'nightly.service': `[Service]
Type=oneshot
ExecStart=/bin/true
`,
  'nightly.timer': `[Unit]
Description=Every night
[Timer]
OnCalendar=*-*-* 02:00:00
[Install]
WantedBy=timers.target
`,
  'hourly.service': `[Service]
Type=oneshot
ExecStart=/bin/true
`,
  'hourly.timer': `[Timer]
OnUnitActiveSec=1h
OnActiveSec=1h
`,
};

describe('services of a host with systemd', () => {
  let lab: SystemdHost;
  const root = () => access(lab);

  beforeAll(async () => {
    lab = await startSystemdHost({ name: 'units' });
    for (const [name, text] of Object.entries(units)) await writeFile(join(lab.root, 'etc/systemd/system', name), text);
    await runCommand(root(), { argv: ['systemctl', 'daemon-reload'] }, {}, task());
  }, 300_000);
  afterAll(async () => {
    await closeSessions();
    await lab.stop();
  });

  test('a service is started once: the second start changes nothing, and its status tells its process and log', async () => {
    const first = await changeService(root(), { name: 'steady', action: 'start' }, task());
    expect(first).toMatchObject({
      unit: 'steady.service',
      action: 'start',
      changed: true,
      dryRun: false,
      steps: ['start'],
      before: { active: 'inactive', sub: 'dead', mainPid: null },
      after: { active: 'active', sub: 'running', mainPid: expect.any(Number) },
    });
    const second = await changeService(root(), { name: 'steady.service', action: 'start' }, task());
    expect(second).toMatchObject({ changed: false, steps: [] });
    expect(second.after).toEqual(second.before);
    const status = await serviceStatus(root(), { name: 'steady', logLines: 5 }, task());
    expect(status).toEqual({
      unit: 'steady.service',
      description: 'Runs and runs',
      load: 'loaded',
      active: 'active',
      sub: 'running',
      enabled: 'disabled',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      mainPid: first.after?.mainPid,
      memoryBytes: status.memoryBytes,
      restarts: 0,
      result: 'success',
      exitStatus: 0,
      log: status.log,
    });
    expect(Math.abs(Date.parse(status.since ?? '') - Date.now())).toBeLessThan(60_000);
    expect(status.log?.map(({ message }) => message)).toContain('steady is up');
  });

  test('restart gives it another process, reload keeps it, stop ends it, and a second stop changes nothing', async () => {
    await changeService(root(), { name: 'steady', action: 'start' }, task());
    const restarted = await changeService(root(), { name: 'steady', action: 'restart' }, task());
    expect(restarted.changed).toBe(true);
    expect(restarted.after?.mainPid).not.toBe(restarted.before.mainPid);
    const reloaded = await changeService(root(), { name: 'steady', action: 'reload' }, task());
    expect(reloaded).toMatchObject({ changed: true, after: { active: 'active', mainPid: restarted.after?.mainPid } });
    expect(await changeService(root(), { name: 'steady', action: 'stop' }, task())).toMatchObject({
      changed: true,
      after: { active: 'inactive', mainPid: null },
    });
    expect(await changeService(root(), { name: 'steady', action: 'stop' }, task())).toMatchObject({ changed: false });
  });

  test('enable with now starts it, too; disable with now stops it; each a second time changes nothing', async () => {
    const enable = { name: 'steady', action: 'enable', now: true } as const;
    expect(await changeService(root(), enable, task())).toMatchObject({
      changed: true,
      steps: ['enable', 'start'],
      before: { enabled: 'disabled' },
      after: { enabled: 'enabled', active: 'active' },
    });
    expect(await changeService(root(), enable, task())).toMatchObject({ changed: false, steps: [] });
    const disable = { name: 'steady', action: 'disable', now: true } as const;
    expect(await changeService(root(), disable, task())).toMatchObject({
      changed: true,
      steps: ['disable', 'stop'],
      after: { enabled: 'disabled', active: 'inactive' },
    });
    expect(await changeService(root(), disable, task())).toMatchObject({ changed: false, steps: [] });
  });

  test('a dry run says what would be done and does not do it', async () => {
    const plan = await changeService(root(), { name: 'steady', action: 'enable', now: true, dryRun: true }, task());
    expect(plan).toMatchObject({ changed: true, dryRun: true, steps: ['enable', 'start'], after: null });
    expect(await serviceStatus(root(), { name: 'steady' }, task())).toMatchObject({
      active: 'inactive',
      enabled: 'disabled',
    });
  });

  test('a service that does not come up fails with how it ended and what it said last', async () => {
    const failure = await failureOf(changeService(root(), { name: 'refusing', action: 'start' }, task()));
    expect(failure).toMatchObject({
      code: 'unit_failed',
      subject: `refusing.service on host units (${lab.address}:22)`,
      details: { step: 'start', after: { active: 'failed', result: 'exit-code' } },
    });
    expect(JSON.stringify(failure)).toContain('the port is taken');
  });

  test('a service that is started and dies at once is no success', async () => {
    const failure = await failureOf(changeService(root(), { name: 'shortlived', action: 'start' }, task()));
    expect(failure).toMatchObject({
      code: 'unit_failed',
      message: expect.stringContaining('(exit code 4)'),
      details: { after: { active: 'failed', exitStatus: 4 } },
    });
    expect(JSON.stringify(failure)).toContain('the database is missing');
  });

  test('a service that systemd restarts again and again is no success either', async () => {
    expect(await failureOf(changeService(root(), { name: 'looping', action: 'start' }, task()))).toMatchObject({
      code: 'unit_failed',
    });
    expect(await changeService(root(), { name: 'looping', action: 'stop' }, task())).toMatchObject({
      after: { active: expect.stringMatching(/^(inactive|failed)$/), mainPid: null },
    });
  });

  test('a start that takes longer than allowed says that systemd goes on trying', async () => {
    expect(
      await failureOf(changeService(root(), { name: 'slow', action: 'start', waitMs: 1000 }, task())),
    ).toMatchObject({ code: 'unit_not_settled', details: { after: { active: 'activating' } } });
    await changeService(root(), { name: 'slow', action: 'stop' }, task());
  });

  test('a unit that runs once and ends well is a success', async () => {
    expect(await changeService(root(), { name: 'once', action: 'start' }, task())).toMatchObject({
      changed: true,
      after: { active: 'inactive', result: 'success' },
    });
  });

  test('an instance of a template is a unit like any other', async () => {
    const name = 'lab@photos\\x2dold.service';
    expect(await changeService(root(), { name, action: 'start' }, task())).toMatchObject({
      unit: name,
      after: { unit: name, active: 'active' },
    });
    await changeService(root(), { name, action: 'stop' }, task());
  });

  test('what is not there, masked or cannot be enabled is said by name', async () => {
    await runCommand(root(), { argv: ['systemctl', 'mask', 'logrotate.service'] }, {}, task());
    const code = async (name: string, action: 'start' | 'enable') =>
      ((await failureOf(changeService(root(), { name, action }, task()))) as { code: string }).code;
    expect(await code('nowhere', 'start')).toBe('unit_unknown');
    expect(await code('logrotate', 'start')).toBe('unit_masked');
    expect(await code('refusing', 'enable')).toBe('unit_not_enableable');
    await runCommand(root(), { argv: ['systemctl', 'unmask', 'logrotate.service'] }, {}, task());
  });

  test('a name that looks like an option or a pattern reaches no systemctl as such', async () => {
    const code = async (name: string) =>
      ((await failureOf(changeService(root(), { name, action: 'start' }, task()))) as { code: string }).code;
    expect(await code('--all')).toBe('unit_unknown');
    expect(await code('-H evil')).toBe('unit_name_invalid');
    expect(await code('st*')).toBe('unit_name_invalid');
    expect(await code('$(touch /tmp/owned)')).toBe('unit_name_invalid');
    expect(await code('steady\n--now')).toBe('unit_name_invalid');
  });

  test('a user without rights is refused, one with sudo is not, and the journal that stays hidden is null', async () => {
    const plain = access(lab, { user: lab.accounts.plain });
    const sudo = access(lab, { user: lab.accounts.sudo, sudo: { mode: 'passwordless' } });
    expect(await failureOf(changeService(plain, { name: 'steady', action: 'start' }, task()))).toMatchObject({
      code: 'unit_change_refused',
      message: `User selfhost-lab may not start steady.service on host units (${lab.address}:22)`,
    });
    expect(await serviceStatus(plain, { name: 'ssh' }, task())).toMatchObject({ active: 'active', log: null });
    expect(await changeService(sudo, { name: 'steady', action: 'start' }, task())).toMatchObject({ changed: true });
    expect((await serviceStatus(sudo, { name: 'ssh' }, task())).log?.length).toBeGreaterThan(0);
    await changeService(sudo, { name: 'steady', action: 'stop' }, task());
  });

  test('timers tell when they fire next, what they start, and whether they will', async () => {
    await changeService(root(), { name: 'hourly.timer', action: 'start' }, task());
    const before = await listTimers(root(), task());
    expect(before.find(({ unit }) => unit === 'nightly.timer')).toEqual({
      unit: 'nightly.timer',
      activates: 'nightly.service',
      description: 'Every night',
      active: 'inactive',
      enabled: 'disabled',
      next: null,
      last: null,
    });
    const hourly = before.find(({ unit }) => unit === 'hourly.timer');
    expect(hourly).toMatchObject({ active: 'active', enabled: 'static' });
    expect(Date.parse(hourly?.next ?? '') - Date.now()).toBeGreaterThan(3_540_000);
    expect(Date.parse(hourly?.next ?? '') - Date.now()).toBeLessThan(3_660_000);
    await changeService(root(), { name: 'nightly.timer', action: 'enable', now: true }, task());
    const after = (await listTimers(root(), task())).find(({ unit }) => unit === 'nightly.timer');
    expect(after).toMatchObject({ active: 'active', enabled: 'enabled' });
    expect(after?.next).toMatch(/T02:00:00\.000Z$/);
    await changeService(root(), { name: 'nightly.timer', action: 'disable', now: true }, task());
  });

  test('services are listed by state', async () => {
    await failureOf(changeService(root(), { name: 'shortlived', action: 'start' }, task()));
    const names = async (state: 'all' | 'running' | 'failed') =>
      (await listServices(root(), { state }, task())).map(({ unit }) => unit);
    expect(await names('failed')).toContain('shortlived.service');
    expect(await names('running')).toContain('ssh.service');
    expect(await names('running')).not.toContain('steady.service');
    const all = await names('all');
    expect(all).toEqual(expect.arrayContaining(['ssh.service', 'steady.service', 'once.service']));
    expect(new Set(all).size).toBe(all.length);
  });
});

test('a host without systemd says so', async () => {
  const lab = await startSshHost({ name: 'bare', hostKeys: ['ed25519'] });
  try {
    const failures = await Promise.all([
      failureOf(serviceStatus(access(lab), { name: 'ssh' }, task())),
      failureOf(changeService(access(lab), { name: 'ssh', action: 'start' }, task())),
      failureOf(listServices(access(lab), {}, task())),
      failureOf(listTimers(access(lab), task())),
    ]);
    for (const failure of failures) {
      expect(failure).toMatchObject({
        code: 'systemd_missing',
        message: `systemd does not run on host bare (127.0.0.1:${lab.port})`,
      });
    }
  } finally {
    await closeSessions();
    await lab.stop();
  }
});
