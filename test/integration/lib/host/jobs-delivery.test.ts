import { awaitJob } from '../../../../lib/host/jobs/await';
import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { acknowledgeJob, takeFinishedJobs } from '../../../../lib/host/jobs/deliver';
import { startJob } from '../../../../lib/host/jobs/start';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../lab/as-root';
import { hostOf, startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('finished jobs', () => {
  let machine: Machine;
  const task = taskOf('test');

  beforeAll(async () => {
    machine = await startMachine('eva');
  });
  afterAll(() => machine.stop());

  async function finish(name: string, argv: [string, ...string[]] = ['true']): Promise<string> {
    const { id, run } = await startJob(machine.host, { name, intent: 'x', owner: 'x', command: { argv } }, task);
    await awaitJob(machine.host, id, { run, timeoutMs: 20_000 }, task);
    return run;
  }

  async function taken(consumer: string, filter = {}): Promise<string[]> {
    return (await takeFinishedJobs(machine.host, consumer, filter, task)).map(({ run }) => run);
  }

  test('a consumer gets what ends after it first asked, until it has acknowledged it', async () => {
    const earlier = await finish('earlier');
    const goingOn = await startJob(
      machine.host,
      { name: 'going on', intent: 'x', owner: 'x', command: { script: 'until [ -e /root/end ]; do sleep 0.02; done' } },
      task,
    );
    expect(await taken('trigger 1')).toEqual([]);
    expect(await taken('trigger 2', { earlier: true })).toEqual([earlier]);

    await runCommand(machine.host, { script: 'touch /root/end' }, {}, task);
    await awaitJob(machine.host, goingOn.id, { timeoutMs: 20_000 }, task);
    const later = await finish('later', ['false']);
    expect(new Set(await taken('trigger 1'))).toEqual(new Set([goingOn.run, later]));
    expect(await taken('trigger 1', { name: 'later' })).toEqual([later]);

    expect(await acknowledgeJob(machine.host, goingOn.id, goingOn.run, 'trigger 1', task)).toEqual({ changed: true });
    expect(await acknowledgeJob(machine.host, goingOn.id, goingOn.run, 'trigger 1', task)).toEqual({ changed: false });
    expect(await taken('trigger 1')).toEqual([later]);
    expect(await taken('trigger 1', { states: ['cancelled'] })).toEqual([]);
    expect(new Set(await taken('trigger 2'))).toEqual(new Set([earlier, goingOn.run, later]));
  });

  test('cancelled and lost runs are handed on as well', async () => {
    await taken('third');
    const sleeping = (name: string) =>
      startJob(machine.host, { name, intent: 'x', owner: 'x', command: { argv: ['sleep', '600'] } }, task);
    const cancelled = await sleeping('to be cancelled');
    const lost = await sleeping('to be lost');
    await cancelJob(machine.host, cancelled.id, { by: 'Ana' }, task);
    const kill = 'read -r _ _ runner _ < "/var/lib/selfhost/jobs/$1/runs/$2/started"; kill -9 "$runner"';
    await runCommand(machine.host, { script: kill, arguments: [lost.id, lost.run] }, {}, task);
    const states = (await takeFinishedJobs(machine.host, 'third', {}, task)).map(({ run, state }) => [run, state.kind]);
    expect(new Map(states as [string, string][])).toEqual(
      new Map([
        [cancelled.run, 'cancelled'],
        [lost.run, 'lost'],
      ]),
    );
    await cancelJob(machine.host, lost.id, { by: 'Ana' }, task);
  });

  test('of twenty who acknowledge at once exactly one has changed something', async () => {
    await taken('fourth');
    const run = await finish('contended');
    const [job] = await takeFinishedJobs(machine.host, 'fourth', {}, task);
    const hosts = Array.from({ length: 4 }, (_, index) => hostOf(machine.server, `eva-${index}`));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        acknowledgeJob(hosts[index % 4] ?? machine.host, job?.id ?? '', run, 'fourth', taskOf(`worker ${index}`)),
      ),
    );
    expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
    expect(await taken('fourth')).toEqual([]);
  });
});
