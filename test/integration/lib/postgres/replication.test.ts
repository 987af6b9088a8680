import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import { planSetUp, setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { drawTopology } from '../../../../lib/postgres/replication/drawing';
import { quietTask } from '../../../shared/task';

describe('a pair', () => {
  let pair: PostgresPair;
  beforeAll(async () => {
    pair = await startPostgresPair();
  });
  afterAll(() => pair.stop());

  test('status', async () => {
    const wish = { primary: pair.member('bruno'), standby: pair.member('eva'), synchronous: true, allowRestart: true };
    console.log(await planSetUp(pair.cluster, wish, quietTask()));
    console.time('set up');
    console.log(
      await setUpReplication(pair.cluster, wish, quietTask()).catch(async (e) => {
        console.log(e, e.details, await pair.log('bruno'), await pair.log('eva').catch(() => ''));
        throw e;
      }),
    );
    console.timeEnd('set up');
    console.log(await setUpReplication(pair.cluster, wish, quietTask()));
    const topology = await readTopology(pair.cluster, {}, quietTask());
    console.log(JSON.stringify({ ...topology }, null, 1), drawTopology(topology));
  });
});
