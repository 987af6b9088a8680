import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { longestGap, overlapping, prepareLedger, startLedger, type CommitLedger } from '../../lab/commit-ledger';
import { run as shell } from '../../lab/hosts/programs';
import { until } from '../../lab/hosts/waiting';
import { startPostgresPair, type PostgresPair } from '../../lab/postgres-pair';
import { startCloudflare, type CloudflareStandIn, type Zone } from '../../lab/standins/cloudflare';
import type { JsonObject } from '../../lib/json';
import { credentialsOfPair, describePair } from '../shared/pair-description';
import { manualWorkflow, nodeUnderTest, sharedN8n, type NodeUnderTest } from './harness';

const { api, readLog } = sharedN8n();

describe('a pair of PostgreSQL servers that n8n watches', () => {
  let pair: PostgresPair;
  let cloudflare: CloudflareStandIn;
  let zone: Zone;
  let resolver: Resolver;
  let ours: Record<string, { id: string; name: string }>;
  let dns: { id: string; name: string };
  let ledger: CommitLedger | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-e2e-ledger-'));
  const workflows: string[] = [];

  beforeAll(async () => {
    [pair, cloudflare] = await Promise.all([startPostgresPair(), startCloudflare()]);
    const credentials = credentialsOfPair(pair);
    ours = {};
    for (const [type, data] of Object.entries(credentials)) {
      ours[type] = await api.createCredential(`pair ${type}`, type, data);
    }
    dns = await api.createCredential('pair dns', 'selfhostCloudflare', {
      apiToken: cloudflare.addToken(),
      baseUrl: cloudflare.url,
    });
    zone = cloudflare.addZone('pair.cl');
    const { address } = pair.member('bruno');
    cloudflare.addRecord(zone, { name: 'db.pair.cl', type: 'A', content: address, ttl: 60, proxied: false });
    const { port } = await cloudflare.serveDns('104.16.0.1');
    resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([`127.0.0.1:${port}`]);
  }, 120_000);
  afterAll(async () => {
    for (const id of workflows) await api.unpublish(id);
    await ledger?.freeze();
    await cloudflare.close();
    await pair.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const node = (name: string, resource: string, operation: string, parameters: JsonObject): NodeUnderTest => ({
    name,
    type: 'n8n-nodes-selfhost.postgresReplication',
    parameters: { resource, operation, cluster: JSON.stringify(describePair(pair)), ...parameters },
    credentials: ours,
  });
  const run = async (...nodes: NodeUnderTest[]) =>
    api.runToEnd(await api.createWorkflow(manualWorkflow('Pair', ...nodes)), 'By hand');

  it('is set up as its dry run says, drawn, and asked', async () => {
    const wish = { primary: 'bruno', options: { allowRestart: true } };
    const { runs, error } = await run(
      node('Plan', 'replica', 'setUp', { ...wish, dryRun: true }),
      node('Set up', 'replica', 'setUp', { ...wish, planHash: '={{ $json.hash }}' }),
      node('Topology', 'topology', 'get', { options: { picture: true } }),
      node('Ask', 'sql', 'query', { statement: 'select $1::text as answer', values: '["yes"]' }),
    );
    expect(error).toBeUndefined();
    expect(runs['Topology']?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ verdict: 'healthy', primary: 'bruno', reasons: [] }),
    ]);
    expect(runs['Ask']?.[0]?.outputs[0]).toEqual([expect.objectContaining({ rows: [{ answer: 'yes' }] })]);
  }, 60_000);

  it('fails over by itself when its primary is killed, and the name of the database follows; no commit is lost', async () => {
    const [bruno, eva] = [pair.member('bruno').address, pair.member('eva').address];
    await prepareLedger(bruno, pair.app);
    const id = await api.createWorkflow(failoverWorkflow());
    workflows.push(id);
    await api.publish(id);
    const cluster = `state of ${pair.cluster.name}`;
    await until(`the trigger keeps the ${cluster}`, 30_000, async () =>
      (await pair.sql('bruno', 'select coalesce(max(beats), 0) from selfhost.heartbeat').catch(() => '0')) === '0'
        ? undefined
        : true,
    );
    const file = join(folder, 'ledger');
    const commits = startLedger({ addresses: [bruno, eva], login: pair.app, writers: 2, file });
    ledger = commits;
    const by = (address: string) => commits.acknowledged.filter((one) => one.by === address).length;
    await until('bruno acknowledges commits', 20_000, () => (by(bruno) >= 50 ? true : undefined));
    const killedAt = performance.now();
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    await until('the name of the database follows', 60_000, async () =>
      (await resolver.resolve4('db.pair.cl'))[0] === eva ? true : undefined,
    );
    const resolvedAfterMs = Math.round(performance.now() - killedAt);
    await until('eva acknowledges commits', 30_000, () => (by(eva) >= 50 ? true : undefined));
    await commits.freeze();
    const there = new Set((await pair.sql('eva', 'select id from public.ledger')).split('\n'));
    const told = readFileSync(file, 'utf8').trim().split('\n');
    const missing = told.filter((line) => !there.has(line.split(' ')[0] ?? ''));
    const figures = { acknowledged: told.length, gapMs: longestGap(commits.acknowledged), resolvedAfterMs };
    console.log(`Failover in n8n: ${JSON.stringify(figures)}`);
    expect(missing).toEqual([]);
    expect(overlapping(commits.acknowledged, bruno, eva)).toEqual([]);
    expect(readLog()).not.toContain(pair.cluster.replication.password);
  }, 120_000);

  it('is whole again after a rejoin, by the same node', async () => {
    const { runs, error } = await run(node('Rejoin', 'replica', 'rejoin', {}), node('Topology', 'topology', 'get', {}));
    expect(error).toBeUndefined();
    expect(runs['Rejoin']?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ changed: true, primary: 'eva', standby: 'bruno' }),
    ]);
    expect(runs['Topology']?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ verdict: 'healthy', primary: 'eva', reasons: [] }),
    ]);
  }, 60_000);

  it('is backed up by pgBackRest, and a moment of it restored beside it, with no secret in what n8n keeps', async () => {
    const home = pair.member('eva').socketFolder;
    const password = 'planted-repository-password';
    for (const name of ['repository', 'logs', 'lock']) mkdirSync(join(home, name));
    await shell(['chown', 'postgres:', ...['repository', 'logs', 'lock'].map((name) => join(home, name))]);
    const named = { secrets: `REPOSITORY=${password}` };
    const selfhostSecrets = await api.createCredential('pair secrets', 'selfhostSecrets', named);
    const configFile = join(home, 'pgbackrest.conf');
    const asked = { stanza: 'immich', member: 'eva', options: { configFile } };
    const kept = { kind: 'folder', path: join(home, 'repository'), retentionFull: 2 };
    const configure = {
      ...asked,
      repositories: JSON.stringify([{ ...kept, cipherPassword: 'credential:REPOSITORY' }]),
      options: {
        ...{ configFile, allowRestart: true },
        settings: {
          pairs: ['log', 'lock'].map((one) => ({ key: `${one}-path`, value: join(home, one.replace('log', 'logs')) })),
        },
      },
    };
    const backrest = (name: string, operation: string, parameters: JsonObject = asked): NodeUnderTest => ({
      ...node(name, 'pgBackRest', operation, parameters),
      credentials: { ...ours, selfhostSecrets },
    });
    const { runs, error, stored } = await run(
      backrest('Plan', 'configure', { ...configure, dryRun: true }),
      backrest('Configure', 'configure', { ...configure, planHash: '={{ $json.hash }}' }),
      backrest('Stanza', 'createStanza'),
      backrest('Back up', 'backup', { ...asked, type: 'full' }),
      backrest('Check', 'check', { ...asked, seconds: 30 }),
      backrest('Info', 'info'),
      backrest('Look', 'restoreScratch', { ...asked, folder: join(home, 'copy'), target: 'newest' }),
      backrest('Put away', 'removeScratch', { ...asked, folder: '={{ $json.folder }}' }),
      backrest('Plan the way back', 'restore', { ...asked, target: 'newest', dryRun: true }),
      backrest('Go back', 'restore', { ...asked, target: 'newest', planHash: '={{ $json.hash }}' }),
    );
    expect(error?.message).toContain('its standby bruno still follows it');
    expect(runs['Plan the way back']?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ inTheWay: [{ member: 'bruno', why: 'its standby bruno still follows it' }] }),
    ]);
    expect(runs['Info']?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({
        verdict: 'ok',
        reasons: [],
        repositories: [expect.objectContaining({ status: 'ok' })],
      }),
    ]);
    expect(runs['Put away']?.[0]?.outputs[0]).toEqual([expect.objectContaining({ changed: true })]);
    expect(readFileSync(configFile, 'utf8')).toContain(password);
    expect(stored + readLog()).not.toContain(password);
  }, 120_000);

  /** Lost or hung → fail over → point the name at whoever is the primary now. */
  function failoverWorkflow() {
    const chain: NodeUnderTest[] = [
      {
        name: 'Watch',
        type: 'n8n-nodes-selfhost.postgresReplicationTrigger',
        parameters: {
          cluster: JSON.stringify(describePair(pair)),
          events: ['primaryLost', 'primaryHung'],
          keepIn: 'host',
          stateHost: 'eva',
          options: { topologySeconds: 2, heartbeatSeconds: 1 },
        },
        credentials: ours,
      },
      node('Fail over', 'primary', 'failover', { from: '={{ $json.primary }}', commitFence: true }),
      {
        name: 'Point',
        type: 'n8n-nodes-selfhost.cloudflareDns',
        parameters: {
          ...{ resource: 'address', operation: 'point', zone: { mode: 'id', value: zone.name } },
          ...{ names: 'db.pair.cl', address: '={{ $json.address }}' },
        },
        credentials: { selfhostCloudflare: dns },
      },
    ];
    const nodes = chain.map(nodeUnderTest);
    const to = (name: string) => ({ main: [[{ node: name, type: 'main', index: 0 }]] });
    return { name: 'Failover', nodes, connections: { Watch: to('Fail over'), 'Fail over': to('Point') } };
  }
});
