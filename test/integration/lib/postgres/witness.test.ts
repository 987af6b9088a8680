import { hostOf } from '../../../../lab/hosts/as-host';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import type { Host } from '../../../../lib/host/host';
import { confirmLoss } from '../../../../lib/postgres/replication/watch/confirm';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describeAsRoot('a second vantage point beside the standby', () => {
  let pair: PostgresPair;
  let witness: SshHost;
  beforeAll(async () => {
    [pair, witness] = await Promise.all([startPostgresPair(), startSshHost({ name: 'witness' })]);
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    await pair.network.separate('eva', 'bruno');
  }, 120_000);
  afterAll(async () => {
    await witness.stop();
    await pair.stop();
  });

  // Its SSH is out of reach for us, and eva does not hear it: only the witness still can tell.
  const confirm = (witnesses: readonly Host[]) => {
    const bruno = pair.member('bruno');
    const lost = { ...bruno.host, target: { ...bruno.host.target, port: 1 } };
    const seats = { primary: { ...bruno, host: lost }, standby: pair.member('eva'), witnesses };
    return confirmLoss(pair.cluster, seats, quietTask());
  };

  test('keeps a primary from being called lost that only the others do not see', async () => {
    expect(await confirm([])).toMatchObject({ kind: 'lost' });
    expect(await confirm([hostOf(witness)])).toEqual({ kind: 'alive', why: 'bruno answers to witness' });
  }, 60_000);

  test('does not take a server that hangs, or that is gone, for one that answers', async () => {
    pair.signal('bruno', 'SIGSTOP', 'postmaster');
    expect(await confirm([hostOf(witness)])).toMatchObject({
      kind: 'lost',
      evidence: expect.arrayContaining(['witness gets no answer from bruno']),
    });
    pair.signal('bruno', 'SIGCONT', 'postmaster');
    pair.signal('bruno', 'SIGKILL', 'all');
    await until('bruno is gone', 10_000, () => (pair.processes('bruno').length === 0 ? true : undefined));
    expect(await confirm([hostOf(witness)])).toMatchObject({
      kind: 'lost',
      evidence: expect.arrayContaining(['witness gets no answer from bruno']),
    });
  }, 60_000);
});
