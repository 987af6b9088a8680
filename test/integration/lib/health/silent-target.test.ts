import { startNetwork, type Network } from '../../../../lab/hosts/network';
import { hostOf } from '../../../../lab/hosts/as-host';
import { look } from '../../../../lib/health/probes/probe';
import { ssh } from '../../../../lib/health/probes/ssh';
import { fromHost } from '../../../../lib/health/vantage';
import { within } from '../../../../lib/health/watch';
import { closeSessions } from '../../../../lib/host/sessions';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

// Packets to a machine without power vanish: its neighbour's connection neither opens nor fails for two minutes.
describeAsRoot('a machine that is silent, looked at from its neighbour', () => {
  let network: Network<'a' | 'b'>;
  beforeAll(async () => {
    network = await startNetwork();
  }, 60_000);
  afterAll(async () => {
    // A session ends by saying so, and waits for whoever cannot hear it.
    for (const host of ['a', 'b'] as const) await network.heal(host);
    await closeSessions();
    await network.stop();
  });

  const lookAtB = () => {
    const { address, port } = network.hosts.b;
    return within(
      5_000,
      (task) => look(ssh, { host: address, port }, fromHost(hostOf(network.hosts.a)), task),
      quietTask(),
    );
  };

  test('is gone, when the neighbour shows that it is there itself; from a neighbour that is silent too nobody has looked', async () => {
    expect(await lookAtB()).toMatchObject({ outcome: 'ok' });
    await network.cut('b');
    expect(await lookAtB()).toEqual({ outcome: 'wrong', says: 'a gets no answer from it' });
    await network.cut('a');
    expect(await lookAtB()).toMatchObject({ outcome: 'unknown' });
  }, 60_000);
});
