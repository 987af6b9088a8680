import { hostOf } from '../../../../lab/hosts/as-host';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import type { Host } from '../../../../lib/host/host';
import { isDeafTo } from '../../../../lib/postgres/replication/knock';
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

  test('tells a machine from which nothing comes back from one that refuses, hangs or cannot be asked about', async () => {
    const bruno = pair.member('bruno');
    const eva = pair.member('eva').host;
    const nobody = { ...eva, target: { ...eva.target, port: 1 } };
    const deaf = (asked: Host, port: number) => isDeafTo(asked, { address: bruno.address, port }, quietTask());
    expect(await Promise.all([deaf(eva, bruno.port), deaf(hostOf(witness), bruno.port)])).toEqual([true, false]);
    expect(await Promise.all([deaf(hostOf(witness), 9), deaf(nobody, bruno.port)])).toEqual([false, false]);
    pair.signal('bruno', 'SIGSTOP', 'postmaster');
    expect(await deaf(hostOf(witness), bruno.port)).toBe(false);
    pair.signal('bruno', 'SIGCONT', 'postmaster');
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
