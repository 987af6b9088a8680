import { until } from '../../../../lab/hosts/waiting';
import type { Host } from '../../../../lib/host/host';
import { acquireLock, readLock, withLock } from '../../../../lib/host/locks/lock';
import { stepUnderLock } from '../../../../lib/host/locks/step';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../lab/as-root';
import { hostOf, startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('locks', () => {
  let machine: Machine;
  let host: Host;
  const task = taskOf('test');

  beforeAll(async () => {
    machine = await startMachine('bruno');
    host = machine.host;
  });
  afterAll(() => machine.stop());

  async function onHost(script: string, ...list: string[]): Promise<string> {
    return (await runCommand(machine.host, { script, arguments: list }, {}, task)).stdout.trim();
  }

  test('a lock has one holder, tells who it is to those who wait, and its epoch grows', async () => {
    expect(await readLock(host, 'deploy immich', task)).toEqual({ kind: 'free', epoch: 0 });
    const first = await acquireLock(host, 'deploy immich', { owner: 'execution 1', waitMs: 0 }, task);
    expect(first.epoch).toBe(1);
    expect(await readLock(host, 'deploy immich', task)).toEqual({
      kind: 'held',
      owner: 'execution 1',
      epoch: 1,
      since: expect.any(Date),
    });
    await expect(acquireLock(host, 'deploy immich', { owner: 'execution 2', waitMs: 200 }, task)).rejects.toMatchObject(
      {
        code: 'lock_busy',
        message: expect.stringContaining('it is held by execution 1 since 2'),
      },
    );
    const other = await acquireLock(host, 'deploy infisical', { owner: 'execution 2', waitMs: 0 }, task);
    await other.release();

    const told: string[] = [];
    const waiting = acquireLock(
      host,
      'deploy immich',
      { owner: 'execution 2', waitMs: 20_000 },
      taskOf('2', undefined, told),
    );
    await until('it says whom it waits for', 10_000, () =>
      told.some((line) => line.includes('held by execution 1')) ? true : undefined,
    );
    await first.release();
    await first.release();
    const second = await waiting;
    expect([second.epoch, second.lost.aborted, first.lost.aborted]).toEqual([2, false, false]);
    await second.release();
    expect(await readLock(host, 'deploy immich', task)).toEqual({ kind: 'free', epoch: 2 });
  });

  test('thirty who want it at once over several connections get it one after the other', async () => {
    const hosts = Array.from({ length: 6 }, (_, index) => hostOf(machine.server, `bruno-${index}`));
    let inside = 0;
    let most = 0;
    const epochs = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        withLock(
          hosts[index % 6] ?? host,
          'contended',
          { owner: `racer ${index}`, waitMs: 50_000 },
          taskOf(`racer ${index}`),
          async ({ epoch }) => {
            inside += 1;
            most = Math.max(most, inside);
            await onHost('true');
            inside -= 1;
            return epoch;
          },
        ),
      ),
    );
    expect(most).toBe(1);
    expect(epochs.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  });

  test('it is free again when its holder on the host is killed with -9, and the one who had it is told', async () => {
    const lock = await acquireLock(host, 'killed', { owner: 'execution 1', waitMs: 0 }, task);
    await onHost('fuser -k -KILL /var/lib/selfhost/locks/killed-*.lock >/dev/null 2>&1 || true');
    await until('it is lost', 5_000, () => (lock.lost.aborted ? true : undefined));
    const next = await acquireLock(host, 'killed', { owner: 'execution 2', waitMs: 0 }, task);
    expect(next.epoch).toBe(2);
    await lock.release();
    expect(await readLock(host, 'killed', task)).toMatchObject({ kind: 'held', owner: 'execution 2' });
    await next.release();
  });

  test('it is free again when the connection of its holder is cut, and work under it is stopped', async () => {
    const shaky = hostOf(machine.server, 'shaky');
    const work = withLock(shaky, 'cut', { owner: 'execution 1', waitMs: 0 }, task, async (_, { signal }) => {
      const stopped = new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')));
      });
      await Promise.all([stopped, onHost('pkill -KILL -f "^sshd: root@notty"').catch(() => undefined)]);
    });
    await expect(work).rejects.toMatchObject({ code: 'lock_lost' });
    const next = await acquireLock(host, 'cut', { owner: 'execution 2', waitMs: 5_000 }, task);
    expect(next.epoch).toBe(2);
    await next.release();
  });

  test('it is free again when the heartbeats of its holder stop, as those of a frozen n8n do', async () => {
    const { startCommand } = await import('../../../../lib/host/start');
    const { STATE_FOLDER, fileNameFor } = await import('../../../../lib/host/state-folder');
    const { HOLD_LOCK } = await import('../../../../lib/host/locks/scripts');
    // A holder that never sends a heartbeat, and the host's patience with it shortened from 30 s.
    const script = STATE_FOLDER + HOLD_LOCK.replace('-t 30 line', '-t 1 line');
    expect(script).toContain('-t 1 line');
    const frozen = await startCommand(host, { script, arguments: [fileNameFor('frozen'), '0'] }, task);
    frozen.stdin.write('{"name":"frozen","owner":"execution 1"}\n');
    await until('it is held', 5_000, async () =>
      (await readLock(host, 'frozen', task)).epoch === 1 ? true : undefined,
    );
    const next = await acquireLock(host, 'frozen', { owner: 'execution 2', waitMs: 10_000 }, task);
    expect(next.epoch).toBe(2);
    expect(await frozen.exit).toEqual({ code: 0, signal: null });
    frozen.release();
    await next.release();
  });

  describe('a step under a lock', () => {
    test('is done in its epoch and refused in every other', async () => {
      const lock = await acquireLock(host, 'steps', { owner: 'execution 1', waitMs: 0 }, task);
      const step = { script: 'echo "$1" >> /root/steps; cat >> /root/steps', arguments: ['one'], input: 'two\n' };
      expect((await stepUnderLock(host, lock, step, {}, task)).exitCode).toBe(0);
      await expect(stepUnderLock(host, { name: 'steps', epoch: 2 }, step, {}, task)).rejects.toMatchObject({
        code: 'epoch_stale',
      });
      await lock.release();
      await expect(stepUnderLock(host, lock, step, {}, task)).rejects.toMatchObject({
        code: 'epoch_stale',
        message: expect.stringContaining('it belongs to epoch 1 of lock steps, which has ended (the newest is 1)'),
      });
      const next = await acquireLock(host, 'steps', { owner: 'execution 2', waitMs: 0 }, task);
      await expect(stepUnderLock(host, lock, step, {}, task)).rejects.toMatchObject({ code: 'epoch_stale' });
      await next.release();
      expect(await onHost('cat /root/steps')).toBe('one\ntwo');
    });

    test('that still runs keeps the next epoch from beginning', async () => {
      const lock = await acquireLock(host, 'slow step', { owner: 'execution 1', waitMs: 0 }, task);
      const step = stepUnderLock(
        host,
        lock,
        {
          script:
            'touch /root/slow-began; until [ -e /root/slow-may-end ]; do sleep 0.02; done; echo end >> /root/order',
        },
        {},
        task,
      );
      await until('it has begun', 5_000, async () =>
        (await onHost('ls /root')).includes('slow-began') ? true : undefined,
      );
      await onHost('fuser -k -KILL /var/lib/selfhost/locks/slow-step-*.lock >/dev/null 2>&1 || true');
      await until('it is lost', 5_000, () => (lock.lost.aborted ? true : undefined));
      const next = acquireLock(host, 'slow step', { owner: 'execution 2', waitMs: 20_000 }, task).then(async (held) => {
        await onHost('echo next >> /root/order');
        return held;
      });
      await onHost('sleep 0.5; touch /root/slow-may-end');
      await step;
      await (await next).release();
      expect(await onHost('cat /root/order')).toBe('end\nnext');
    });

    test('that fails is told as a failure of its own', async () => {
      await withLock(host, 'failing', { owner: 'x', waitMs: 0 }, task, async (lock) => {
        await expect(stepUnderLock(host, lock, { script: 'echo no >&2; exit 9' }, {}, task)).rejects.toMatchObject({
          code: 'command_failed',
          details: { exitCode: 9 },
        });
      });
    });
  });

  test('an epoch that cannot be read is refused, not begun anew', async () => {
    const { fileNameFor } = await import('../../../../lib/host/state-folder');
    await onHost('echo garbage > "/var/lib/selfhost/locks/$1.epoch"', fileNameFor('garbled'));
    await expect(acquireLock(host, 'garbled', { owner: 'x', waitMs: 0 }, task)).rejects.toMatchObject({
      code: 'lock_failed',
      message: expect.stringContaining('does not hold a number'),
    });
  });
});
