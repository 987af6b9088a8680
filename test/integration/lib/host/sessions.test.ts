import { quietTask } from '../../../shared/task';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions, sessionCount } from '../../../../lib/host/sessions';
import { hostOf } from '../../../../lab/hosts/as-host';

const hi = { argv: ['echo', 'hi'] } as const;

describe('connections', () => {
  let lab: SshHost;
  beforeAll(async () => {
    lab = await startSshHost();
  });
  afterEach(async () => {
    jest.useRealTimers();
    await closeSessions();
  });
  afterAll(() => lab.stop());

  it('are let go when nobody has used them for a minute', async () => {
    // Only what the idle time hangs on is ours to move; sockets and everything else go on in real time.
    jest.useFakeTimers({
      advanceTimers: true,
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date', 'setInterval', 'clearInterval'],
    });
    await runCommand(hostOf(lab), hi, {}, quietTask());
    jest.advanceTimersByTime(50_000);
    expect(sessionCount()).toBe(1);
    // Used again: the minute begins anew.
    await runCommand(hostOf(lab), hi, {}, quietTask());
    jest.advanceTimersByTime(50_000);
    expect(sessionCount()).toBe(1);
    jest.advanceTimersByTime(11_000);
    expect(sessionCount()).toBe(0);
    jest.useRealTimers();
    await until(
      'sshd has seen it go',
      5_000,
      async () => (await lab.log()).includes('Received disconnect') || undefined,
    );
  });

  it('are shared by executions, and one for each login', async () => {
    const { accounts } = lab;
    if (accounts === undefined) throw new Error('This test needs root');
    const plain = hostOf(lab, { user: accounts.plain });
    await Promise.all([
      runCommand(hostOf(lab), hi, {}, quietTask(undefined, 'one')),
      runCommand(hostOf(lab), hi, {}, quietTask(undefined, 'two')),
      runCommand(plain, hi, {}, quietTask(undefined, 'two')),
    ]);
    expect(sessionCount()).toBe(2);
  });

  it('are closed in seconds although a host is gone and never answers the farewell', async () => {
    await runCommand(hostOf(lab), hi, {}, quietTask());
    lab.freeze();
    try {
      await closeSessions();
    } finally {
      lab.thaw();
    }
    expect(sessionCount()).toBe(0);
  }, 20_000);

  it('are made anew when they broke while nobody used them', async () => {
    await runCommand(hostOf(lab), hi, {}, quietTask());
    await lab.dropConnections();
    expect((await runCommand(hostOf(lab), hi, {}, quietTask())).stdout).toBe('hi\n');
  });

  it('give everybody a turn: one with 60 commands waiting does not keep another out', async () => {
    const order: string[] = [];
    const slow = { script: 'sleep 0.05' };
    const many = Array.from({ length: 60 }, () =>
      runCommand(hostOf(lab), slow, {}, quietTask(undefined, 'greedy')).then(() => order.push('greedy')),
    );
    const few = Array.from({ length: 3 }, () =>
      runCommand(hostOf(lab), slow, {}, quietTask(undefined, 'modest')).then(() => order.push('modest')),
    );
    await Promise.all([...many, ...few]);
    expect(order.lastIndexOf('modest')).toBeLessThan(40);
  });
});
