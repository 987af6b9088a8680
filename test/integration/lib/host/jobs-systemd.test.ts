import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { until } from '../../../../lab/hosts/waiting';
import type { Host } from '../../../../lib/host/host';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { jobLogs } from '../../../../lib/host/jobs/logs';
import { readJob } from '../../../../lib/host/jobs/read';
import type { Job } from '../../../../lib/host/jobs/record';
import { startJob, type JobCommand } from '../../../../lib/host/jobs/start';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { describeAsRoot } from '../../lab/as-root';
import { hostOf, taskOf } from './machine';

jest.setTimeout(60_000);

describeAsRoot('a job on a host whose first process is systemd', () => {
  let server: SystemdHost;
  let host: Host;
  const task = taskOf('test');

  beforeAll(async () => {
    server = await startSystemdHost({ name: 'sys' });
    host = hostOf(server);
  }, 300_000);
  afterAll(async () => {
    await closeSessions();
    await server.stop();
  });

  const onHost = async (script: string, ...list: string[]) =>
    (await runCommand(host, { script, arguments: list }, {}, task)).stdout.trim();
  const start = (intent: string, command: JobCommand, secretInput?: string) =>
    startJob(host, { name: 'unit', intent, owner: 'x', command, secretInput }, task);
  const stateOf = async ({ id, run }: Job) => (await readJob(host, id, task, run)).state;
  const units = () => onHost('systemctl list-units --all --plain --no-legend "selfhost-job-*" | wc -l');

  test('is a unit of its own, gets its secret input and leaves no unit behind', async () => {
    const script = 'cat; grep ^0: /proc/self/cgroup; id -un; echo "$HOME"; echo "$PATH"; exit 143';
    const started = await start('own', { script }, 'hush\n');
    const job = await awaitJob(host, started.id, { timeoutMs: 20_000 }, task);
    expect(job.state).toMatchObject({ kind: 'finished', exit: { exitCode: 143 } });
    const { text } = await jobLogs(host, job.id, { stream: 'stdout', run: job.run }, task);
    expect(text).toBe(
      [
        'hush',
        `0::/system.slice/selfhost-job-${job.id}-${job.run.slice(-12)}.service`,
        'root',
        '/root',
        '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        '',
      ].join('\n'),
    );
    await until('its unit is gone', 5_000, async () => ((await units()) === '0' ? true : undefined));
    expect(await onHost('find /run /dev/shm -name "selfhost-input*"')).toBe('');
  });

  test('goes on when sshd is restarted and every connection is cut', async () => {
    const job = await start('sshd', { script: 'until [ -e /root/go ]; do sleep 0.02; done; exit 7' });
    await onHost('systemd-run --quiet --collect sh -c "systemctl restart ssh; pkill -KILL -f ^sshd:.root@"');
    const waiting = awaitJob(host, job.id, { timeoutMs: 30_000, longestPauseMs: 200 }, task);
    await until('it can be reached again', 20_000, () => onHost('touch /root/go; echo ok').catch(() => undefined));
    expect((await waiting).state).toMatchObject({ kind: 'finished', exit: { exitCode: 7 } });
  });

  test('is lost with all its processes when its runner is killed', async () => {
    const job = await start('killed', { script: 'setsid sleep 611 & sleep 612' });
    await onHost(
      'read -r _ _ runner _ < "/var/lib/selfhost/jobs/$1/runs/$2/started"; kill -9 "$runner"',
      job.id,
      job.run,
    );
    await until('it is lost with all it ran', 20_000, async () => {
      const state = await stateOf(job);
      return state.kind === 'lost' && state.why === 'runner killed' && !state.stillRunning ? true : undefined;
    });
    expect(await onHost('pgrep -fx "sleep 61[12]" || true')).toBe('');
  });

  test('is cancelled with all its processes, by us or by systemctl stop', async () => {
    const first = await start('cancelled', { script: 'trap "" TERM; setsid sleep 621 & while :; do sleep 0.1; done' });
    const cancelled = await cancelJob(host, first.id, { by: 'Ana', graceMs: 300 }, task);
    expect(cancelled.state).toMatchObject({ kind: 'cancelled', by: 'Ana', exit: { signal: 'SIGKILL' } });
    expect(await onHost('pgrep -fx "sleep 621" || true')).toBe('');

    const second = await start('stopped', { argv: ['sleep', '622'] });
    await onHost('systemctl stop "selfhost-job-$1-*"', second.id);
    expect(await stateOf(second)).toMatchObject({
      kind: 'cancelled',
      by: 'a signal to its runner',
      exit: { signal: 'SIGTERM' },
    });
  });

  test('is stopped by an orderly reboot and lost by a hard one', async () => {
    const orderly = await start('orderly', { argv: ['sleep', '631'] });
    const before = await onHost('cat /proc/sys/kernel/random/boot_id');
    const reboot = async (...argv: [string, ...string[]]) => {
      const was = await onHost('cat /proc/sys/kernel/random/boot_id');
      await runCommand(host, { argv }, {}, task).catch(() => undefined);
      await until('it has booted again', 40_000, async () => {
        const now = await onHost(
          'systemctl is-system-running --wait > /dev/null || :; cat /proc/sys/kernel/random/boot_id',
        ).catch(() => was);
        return now === was ? undefined : true;
      });
    };
    await reboot('systemctl', 'reboot');
    expect(await onHost('cat /proc/sys/kernel/random/boot_id')).not.toBe(before);
    expect(await stateOf(orderly)).toMatchObject({ kind: 'cancelled', by: 'a signal to its runner' });

    const hard = await start('hard', { argv: ['sleep', '632'] });
    await reboot('systemctl', 'reboot', '--force', '--force');
    expect(await stateOf(hard)).toEqual({ kind: 'lost', why: 'host rebooted' });
  }, 120_000);
});
