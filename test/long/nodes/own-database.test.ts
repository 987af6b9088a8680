import { prepareLedger } from '../../../lab/commit-ledger';
import { startPostgresPair, type PostgresPair } from '../../../lab/postgres-pair';
import { messageOf } from '../../../lib/failure';
import { setUpReplication } from '../../../lib/postgres/replication/set-up';
import { nodeUnderTest, ownN8n } from '../../e2e/harness';
import { describeAsRoot } from '../../integration/lab/as-root';
import { credentialsOfPair, describePair } from '../../shared/pair-description';
import { quietTask } from '../../shared/task';

jest.setTimeout(600_000);

// When that pair loses its primary, n8n is lost with it: a watch would hang on what it should repair.
describeAsRoot('a real n8n that keeps its workflows in PostgreSQL', () => {
  let own: PostgresPair;
  let other: PostgresPair;
  beforeAll(async () => {
    [own, other] = await Promise.all([startPostgresPair(), startPostgresPair()]);
    for (const pair of [own, other]) {
      const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
      await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
      await prepareLedger(both.primary.address, pair.app);
    }
    const { user } = own.app;
    await own.sql('bruno', `create database automation owner ${user}`);
    await own.sql('bruno', `\\c automation\ncreate schema flows authorization ${user}`);
  });
  afterAll(async () => {
    await other.stop();
    await own.stop();
  });

  it('is not armed for the pair that holds them, in whatever schema and by whatever prefix, and is for another', async () => {
    const { address, port } = own.member('bruno');
    const lab = await ownN8n({
      environment: {
        DB_TYPE: 'postgresdb',
        DB_POSTGRESDB_HOST: address,
        DB_POSTGRESDB_PORT: String(port),
        DB_POSTGRESDB_DATABASE: 'automation',
        DB_POSTGRESDB_SCHEMA: 'flows',
        DB_POSTGRESDB_USER: own.app.user,
        DB_POSTGRESDB_PASSWORD: own.app.password,
        DB_TABLE_PREFIX: 'night_',
      },
    });
    try {
      const watch = async (name: string, pair: PostgresPair) => {
        const credentials: Record<string, { id: string; name: string }> = {};
        for (const [type, data] of Object.entries(credentialsOfPair(pair))) {
          credentials[type] = await lab.api.createCredential(`${name} ${type}`, type, data);
        }
        const parameters = {
          ...{ cluster: JSON.stringify(describePair(pair)), events: ['primaryLost'], keepIn: 'host', stateHost: 'eva' },
        };
        const type = 'n8n-nodes-selfhost.postgresReplicationTrigger';
        const nodes = [nodeUnderTest({ name: 'Watch', type, credentials, parameters })];
        return lab.api.createWorkflow({ name, nodes, connections: {} });
      };
      const mine = await watch('mine', own);
      const refused = await lab.api.publish(mine).then(
        () => 'published',
        (error: unknown) => messageOf(error),
      );
      console.log(refused);
      expect(refused).toContain('this n8n keeps its own workflows in database automation of bruno');
      expect(await own.sql('bruno', "select to_regclass('selfhost.heartbeat')")).toBe('');
      const elsewhere = await watch('elsewhere', other);
      await lab.api.publish(elsewhere);
      await lab.api.unpublish(elsewhere);
    } finally {
      await lab.remove();
    }
  });
});
