import { quietTask } from '../../../shared/task';
import { startNetwork, type Network } from '../../../../lab/hosts/network';
import { until } from '../../../../lab/hosts/waiting';
import { readJob } from '../../../../lib/host/jobs/read';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { startJob } from '../../../../lib/host/jobs/start';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { openSocket } from '../../../../lib/host/socket';
import { hostOf } from '../../../../lab/hosts/as-host';

describe('a cable that is pulled', () => {
  let network: Network<'a' | 'b'>;
  beforeAll(async () => {
    network = await startNetwork();
  });
  afterEach(async () => {
    await network.heal('a');
    await closeSessions();
  });
  afterAll(() => network.stop());

  const watched = () => ({ ...hostOf(network.hosts.a), watchful: true });

  it('fails a command on the host within the keepalive bound, and leaves no hang behind', async () => {
    let said = '';
    const attempt = runCommand(
      watched(),
      { script: 'echo on; sleep 4718' },
      { onOutput: (_, chunk) => (said += chunk.toString()) },
      quietTask(),
    );
    await until('it runs', 10_000, () => said || undefined);
    const outcome = attempt.then(
      () => 'done',
      (error: unknown) => error,
    );
    await network.cut('a');
    const cut = Date.now();
    expect(await outcome).toMatchObject({
      code: 'connection_lost',
      nextStep: 'What was running there may still run or may have finished. Look before you repeat it.',
    });
    // 1 s x 2 misses, and the second in which the cable was pulled.
    expect(Date.now() - cut).toBeLessThan(4_500);
    await network.heal('a');
    expect((await runCommand(watched(), { argv: ['echo', 'back'] }, {}, quietTask())).stdout).toBe('back\n');
  });

  it('is heard through by Stop, which says that it could not verify the end', async () => {
    const stop = new AbortController();
    let said = '';
    const host = hostOf(network.hosts.a);
    const attempt = runCommand(
      host,
      { script: 'echo on; sleep 4719' },
      { onOutput: (_, chunk) => (said += chunk.toString()) },
      quietTask(stop.signal),
    );
    await until('it runs', 10_000, () => said || undefined);
    const outcome = attempt.then(
      () => 'done',
      (error: unknown) => error,
    );
    await network.cut('a');
    const pressed = Date.now();
    stop.abort();
    expect(await outcome).toMatchObject({
      code: 'cancelled',
      message: expect.stringContaining('could not be verified'),
    });
    expect(Date.now() - pressed).toBeLessThan(6_000);
  });

  it('breaks an open socket instead of ending it', async () => {
    const { port } = network.hosts.a;
    const socket = await openSocket(watched(), { host: '127.0.0.1', port: 1 }, quietTask()).catch(() => undefined);
    expect(socket).toBeUndefined();
    const open = await openSocket(watched(), { host: network.hosts.a.address, port }, quietTask());
    const broken = new Promise((resolve) => open.once('error', resolve));
    await network.cut('a');
    expect(await broken).toMatchObject({ code: 'connection_lost' });
  });

  it('does not touch a job: whoever waits for it gets its end once the cable is back', async () => {
    const host = watched();
    const job = await startJob(
      host,
      { name: 'cable', intent: String(Date.now()), owner: 'test', command: { script: 'sleep 4; exit 5' } },
      quietTask(),
    );
    const waiting = awaitJob(host, job.id, { timeoutMs: 60_000, longestPauseMs: 500 }, quietTask());
    await network.cut('a');
    await until('the connection is given up', 10_000, async () => {
      const signal = AbortSignal.timeout(500);
      return readJob(host, job.id, quietTask(signal)).then(
        () => undefined,
        () => true,
      );
    });
    await network.heal('a');
    expect(await waiting).toMatchObject({ state: { kind: 'finished', exit: { exitCode: 5 } } });
  });
});
