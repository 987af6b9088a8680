import { Resolver } from 'node:dns/promises';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { longestGap, overlapping, prepareLedger, startLedger } from '../../../lab/commit-ledger';
import { until } from '../../../lab/hosts/waiting';
import type { N8nApi } from '../../../lab/n8n/api';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../lab/postgres-pair';
import { startCloudflare, type CloudflareStandIn } from '../../../lab/standins/cloudflare';
import { runCommand } from '../../../lib/host/run';
import { rejoin } from '../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../lib/postgres/replication/set-up';
import { nodeUnderTest, ownN8n, ownQueueN8n, type NodeUnderTest } from '../../e2e/harness';
import { credentialsOfPair, describePair } from '../../shared/pair-description';
import { quietTask } from '../../shared/task';

jest.setTimeout(600_000);
const ROUNDS = Number(process.env.SELFHOST_FAILOVER_ROUNDS ?? 3);

// From the fault to a client that resolves the name of the database and writes to the new primary, through the real n8n.
describe('a database whose primary is lost', () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-long-ledger-'));
  let pair: PostgresPair;
  let cloudflare: CloudflareStandIn;
  let resolver: Resolver;
  let from: PairName = 'bruno';
  const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');
  let count = 0;

  beforeAll(async () => {
    [pair, cloudflare] = await Promise.all([startPostgresPair(), startCloudflare()]);
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    await prepareLedger(both.primary.address, pair.app);
    const zone = cloudflare.addZone('pair.cl');
    const content = both.primary.address;
    cloudflare.addRecord(zone, { name: 'db.pair.cl', type: 'A', content, ttl: 60, proxied: false });
    const { port } = await cloudflare.serveDns('104.16.0.1');
    resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([`127.0.0.1:${port}`]);
  });
  afterAll(async () => {
    await cloudflare.close();
    await pair.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Lost or hung → fail over → point the name at whoever is the primary now. */
  async function publishWatch(api: N8nApi): Promise<string> {
    const credentials: Record<string, { id: string; name: string }> = {};
    for (const [type, data] of Object.entries(credentialsOfPair(pair))) {
      credentials[type] = await api.createCredential(`pair ${type}`, type, data);
    }
    const token = { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url };
    const dns = await api.createCredential('pair dns', 'selfhostCloudflare', token);
    const cluster = JSON.stringify(describePair(pair));
    const chain: NodeUnderTest[] = [
      {
        ...{ name: 'Watch', type: 'n8n-nodes-selfhost.postgresReplicationTrigger', credentials },
        parameters: {
          ...{ cluster, events: ['primaryLost', 'primaryHung'], keepIn: 'host', stateHost: 'eva' },
          options: { topologySeconds: 2, heartbeatSeconds: 1 },
        },
      },
      {
        ...{ name: 'Fail over', type: 'n8n-nodes-selfhost.postgresReplication', credentials },
        parameters: {
          ...{ resource: 'primary', operation: 'failover', cluster, from: '={{ $json.primary }}', commitFence: true },
        },
      },
      {
        ...{ name: 'Point', type: 'n8n-nodes-selfhost.cloudflareDns', credentials: { selfhostCloudflare: dns } },
        parameters: {
          ...{ resource: 'address', operation: 'point', zone: { mode: 'id', value: 'pair.cl' } },
          ...{ names: 'db.pair.cl', address: '={{ $json.address }}' },
        },
      },
    ];
    const nodes = chain.map(nodeUnderTest);
    const to = (name: string) => ({ main: [[{ node: name, type: 'main', index: 0 }]] });
    const connections = { Watch: to('Fail over'), 'Fail over': to('Point') };
    const id = await api.createWorkflow({ name: 'Failover', nodes, connections });
    await api.publish(id);
    return id;
  }

  const beats = async () =>
    Number(await pair.sql(from, 'select coalesce(sum(beats), 0) from selfhost.heartbeat').catch(() => '0'));

  /** One loss under load; answers what it took. */
  async function lose(struck?: () => Promise<void>) {
    const to = other(from);
    const [old, now] = [pair.member(from).address, pair.member(to).address];
    const begin = await beats();
    await until('the watch writes its heartbeat', 60_000, async () => ((await beats()) > begin ? true : undefined));
    count += 1;
    await pair.sql(from, 'truncate public.ledger');
    const file = join(folder, `ledger-${count}`);
    const commits = startLedger({ addresses: [old, now], login: pair.app, writers: 2, file, everyMs: 2 });
    try {
      const by = (address: string) => commits.acknowledged.filter((one) => one.by === address).length;
      await until(`${from} acknowledges commits`, 30_000, () => (by(old) >= 100 ? true : undefined));
      const killedAt = performance.now();
      pair.signal(from, 'SIGKILL', 'postmaster');
      await struck?.();
      await until('the name of the database follows', 240_000, async () =>
        (await resolver.resolve4('db.pair.cl'))[0] === now ? true : undefined,
      );
      const resolvedMs = Math.round(performance.now() - killedAt);
      await until(`${to} acknowledges commits`, 30_000, () => (by(now) >= 100 ? true : undefined));
      await commits.freeze();
      const there = new Set((await pair.sql(to, 'select id from public.ledger')).split('\n'));
      const told = readFileSync(file, 'utf8').trim().split('\n');
      const missing = told.filter((line) => !there.has(line.split(' ')[0] ?? '')).length;
      const twice = overlapping(commits.acknowledged, old, now).length;
      return {
        acknowledged: told.length,
        missing,
        overlapping: twice,
        gapMs: longestGap(commits.acknowledged),
        resolvedMs,
      };
    } finally {
      await commits.freeze();
    }
  }

  async function bringBack(): Promise<void> {
    const back = { primary: pair.member(other(from)), standby: pair.member(from), synchronous: true, allowCopy: true };
    await rejoin(pair.cluster, back, quietTask());
    from = other(from);
  }

  const lostNothing = { missing: 0, overlapping: 0 };

  test('is found by its name at the new primary (regular mode)', async () => {
    const owned = await ownN8n();
    try {
      const id = await publishWatch(owned.api);
      for (let round = 0; round < ROUNDS; round++) {
        const figures = await lose();
        console.log(`regular mode: ${JSON.stringify(figures)}`);
        expect(figures).toMatchObject(lostNothing);
        await bringBack();
      }
      await owned.api.unpublish(id);
    } finally {
      await owned.remove();
    }
  });

  test('is found by its name at the new primary (queue mode), also when the worker is killed in the middle', async () => {
    // A worker that is gone is noticed when its lock on the job has run out: n8n's own default is a minute.
    const environment = { QUEUE_WORKER_LOCK_DURATION: '10000', QUEUE_WORKER_STALLED_INTERVAL: '5000' };
    const owned = await ownQueueN8n({ environment });
    try {
      const id = await publishWatch(owned.api);
      for (let round = 0; round < ROUNDS; round++) {
        const figures = await lose();
        console.log(`queue mode: ${JSON.stringify(figures)}`);
        expect(figures).toMatchObject(lostNothing);
        await bringBack();
      }
      const figures = await lose(async () => {
        const { host } = pair.member(other(from));
        const journal = { script: 'cat /var/lib/selfhost/postgres/*/journal' };
        const claimed = `from=${from}`;
        await until('the failover has begun', 60_000, async () => {
          const { stdout } = await runCommand(host, journal, { acceptExitCodes: [0, 1] }, quietTask());
          return stdout.includes(claimed) && !/^step=(done|abandoned)$/m.test(stdout) ? true : undefined;
        });
        // Which of them has it is no matter of ours: both are killed, and new ones come.
        await Promise.all(owned.n8n.workers.map((worker) => worker.kill()));
        await owned.n8n.startWorker();
      });
      console.log(`queue mode, workers killed in the middle: ${JSON.stringify(figures)}`);
      expect(figures).toMatchObject(lostNothing);
      await bringBack();
      await owned.api.unpublish(id);
    } finally {
      await owned.remove();
    }
  });
});
