import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { postgresPrograms } from '../../../lab/debian-packages';
import { until } from '../../../lab/hosts/waiting';
import type { Execution } from '../../../lab/n8n/api';
import { type HetznerStandIn, startHetznerStandIn } from '../../../lab/standins/hetzner';
import { type Estate, startEstate } from '../../e2e/estate';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type LostHost, loseHost, SECRETS } from '../../shared/lost-host';
import { owner } from '../../shared/people';

const MINUTE = 60;
/** Two folders, a database, a tree and three services. */
const STEPS = 7;

jest.setTimeout(1_500_000);

/** The nodes that do something to the estate, or look at it. All else is the flow itself. */
const WORK = [
  ...['Servers', 'Does it answer?', 'Cut its power', 'Server', 'Prepare', 'It still boots', 'Open the kit'],
  ...['Recover', 'Newest commit', 'Variables', 'Start', 'Its job ends', 'Journal'],
  ...['Point at Cloudflare', 'Point at Hetzner', 'Look', 'A little later', 'Put the kit away', 'Delete the throwaway'],
];

interface NodeTime {
  readonly node: string;
  readonly began: number;
  readonly ended: number;
}

/** As n8n has noted them. */
function timesOf({ stored }: Execution): readonly NodeTime[] {
  const { data } = JSON.parse(stored) as {
    readonly data?: {
      readonly resultData: {
        readonly runData: Readonly<
          Record<string, readonly { readonly startTime: number; readonly executionTime: number }[]>
        >;
      };
    };
  };
  return Object.entries(data?.resultData.runData ?? {}).flatMap(([node, runs]) =>
    runs.map(({ startTime, executionTime }) => ({ node, began: startTime, ended: startTime + executionTime })),
  );
}

/** An n8n that survives, Hetzner, another host with the backups, and a mirror of the code. Nothing else is left. */
describeAsRoot('a host that is gone for good, in n8n', () => {
  let estate: Estate;
  let lost: LostHost;
  let hetzner: HetznerStandIn;

  const stops: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    lost = await loseHost();
    stops.push(lost.stop);
    hetzner = await startHetznerStandIn({ token: 'lab', machines: lost.handedOut.machines, instant: true });
    stops.push(hetzner.close);
    estate = await startEstate();
    stops.push(estate.stop);
    const { network, git, identity } = lost;
    hetzner.add('ssh_keys', { name: 'operator', public_key: lost.login.publicKey });
    hetzner.add('servers', { name: 'bruno', server_type: 'cx33', image: '103', location: 'fsn1' });
    const zone = hetzner.add('zones', { name: 'lab.test', mode: 'primary', ttl: 60 });
    for (const name of ['@', 'app', 'photos'])
      hetzner.add('rrsets', { name, type: 'A', ttl: 300, records: [{ value: '203.0.113.9' }] }, {}, zone);
    const { bruno, eva } = network.hosts;
    const pins = [bruno, eva].map(({ name, address, pins: [pin] }) => `${name}=${address} ${pin?.fingerprint ?? ''}`);
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['recover-step.json', 'disaster-recovery.json'],
      ],
      inventory: lost.inventory,
      credentials: {
        'Estate hosts': {
          type: 'selfhostHost',
          data: {
            ...{ user: 'root', login: 'key', privateKey: lost.login.privateKey, sudo: 'none' },
            ...{ hosts: pins.join('\n'), pinsFromWorkflow: true },
          },
        },
        'Places of the recovery kit': { type: 'selfhostRclone', data: { place: 'here', configuration: lost.places } },
        'Rclone of the opened kit': {
          type: 'selfhostRclone',
          data: { place: 'host', configPath: '/var/lib/selfhost/recovery/kit/rclone.conf', vault: 'vault' },
        },
        'Named secrets': {
          type: 'selfhostSecrets',
          data: { secrets: `KIT_IDENTITY=${identity}\nMIRROR_TOKEN=${git.password}` },
        },
        Hetzner: {
          type: 'selfhostHetzner',
          data: { apiToken: 'lab', readOnly: false, cloudUrl: hetzner.cloud.url, storageUrl: hetzner.storage.url },
        },
        Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: 'not used', readOnly: false } },
        'Disaster recovery': { type: 'httpBasicAuth', data: { user: 'night', password: 'watch' } },
      },
    });
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  const servers = () => (hetzner.state.things.get('servers') ?? []).map(({ name }) => String(name)).sort();
  const addressOf = (name: string) => {
    const set = (hetzner.state.things.get('rrsets') ?? []).find((one) => one['name'] === name);
    return (set?.['records'] as readonly { readonly value: string }[] | undefined)?.map(({ value }) => value);
  };
  const names = () => Object.fromEntries(['@', 'app', 'photos'].map((name) => [name, addressOf(name)]));
  const told = (chat: string, text: string) =>
    estate.telegram.messages.filter((one) => one.chat === chat && one.text.includes(text));
  /** Whatever is critical and is not the end: it need not be waited for any longer. */
  const trouble = (): string | undefined => {
    // That an execution was killed n8n says itself.
    const expected = ['is back on', 'Workflow did not finish'];
    const bad = estate.telegram.messages.filter(
      ({ chat, text }) => chat === '666' && !expected.some((part) => text.includes(part)),
    );
    return bad.length === 0 ? undefined : bad.map(({ text }) => text).join('\n');
  };
  /** Waits for it, and tells all that is known when it does not come. */
  const awaited = async <T>(what: string, look: () => T | undefined): Promise<T> => {
    try {
      return await until(what, 600_000, () => {
        const why = trouble();
        if (why !== undefined) throw new Error(why);
        return look();
      });
    } catch (error) {
      const flows = ['selfhostDisaster', 'selfhostRecoverStep', 'selfhostApprove'];
      const all = await Promise.all(flows.map((id) => estate.own.api.executionsOf(id)));
      const ends = all.flat().map(({ workflowId, id, status, runs, error: end }) => {
        const nodes = Object.keys(runs);
        return `${workflowId} ${id} ${status} ${nodes.slice(-3).join(' > ')} ${end?.message ?? ''}`;
      });
      const said = estate.telegram.messages.map(({ chat, text }) => `${chat}: ${text.slice(0, 300)}`);
      const log = estate.own.n8n.readLog().slice(-3000);
      throw new Error([what, ...ends, ...said, ...journal(), log].join('\n'), { cause: error });
    }
  };
  const report = (chat: string, text: string) => awaited(`chat ${chat} is told "${text}"`, () => told(chat, text)[0]);
  const allEnded = () =>
    until('no recovery runs', 600_000, async () => {
      const all = await estate.own.api.executionsOf('selfhostDisaster');
      return all.every(({ status }) => !['new', 'running', 'waiting'].includes(status)) ? all : undefined;
    });
  const state = (...path: string[]) => join(lost.handedOut.folder('state'), ...path);
  const journal = () => {
    const file = state('recovery', 'journal');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };

  /** Each is told once more by whoever finds it done. */
  const steps = () => new Set(journal().map((line) => line.replace(/^.*("name":.*"does":"[a-z]+").*$/, '$1'))).size;

  /** What the flow itself adds to the work that it calls, as n8n timed its nodes. */
  function overhead(flow: Execution, steps: readonly Execution[]): void {
    const all = timesOf(flow);
    const seconds = Math.max(...all.map(({ ended }) => ended)) - Math.min(...all.map(({ began }) => began));
    const worked = [flow, ...steps].flatMap(timesOf).filter(({ node }) => WORK.includes(node));
    // Otherwise the figure would say nothing.
    for (const node of ['Server', 'Prepare', 'Open the kit', 'Recover', 'Newest commit', 'Start', 'Look'])
      expect(worked.map((one) => one.node)).toContain(node);
    const work = worked.reduce((sum, { began, ended }) => sum + ended - began, 0);
    const kept = [flow, ...steps].reduce((sum, { stored }) => sum + stored.length, 0);
    const figures = { took: seconds, work, 'of its own': seconds - work };
    for (const [what, ms] of Object.entries(figures))
      process.stdout.write(`the drill, ${what}: ${(ms / 1000).toFixed(1)} s\n`);
    process.stdout.write(`${steps.length} steps; n8n keeps ${kept} characters of all this\n`);
  }

  test('a drill brings everything back on a throwaway server, looks at it from outside, and leaves nothing behind', async () => {
    const before = { servers: servers(), names: names() };
    const path = await estate.caller('drill', 'selfhostDisaster', { host: 'bruno', drill: true });
    // It answers at the end, which may take longer than a client waits.
    const answered = fetch(`${estate.own.n8n.url}/webhook/${path}`, { method: 'POST' }).then(
      (answer) => answer.arrayBuffer(),
      () => undefined,
    );
    const said = await report('888', 'Disaster drill: bruno is back on bruno-drill');
    expect(said.text).toContain('2 of 2 addresses are seen from outside');
    expect(said.text).toContain('No name was touched; the server is deleted.');
    expect(lost.handedOut.orders).toEqual(['bruno-drill']);
    expect(lost.handedOut.running()).toEqual([]);
    expect({ servers: servers(), names: names() }).toEqual(before);
    expect(told(String(owner.id), 'bruno')).toEqual([]);
    const [ended, ...others] = await allEnded();
    await answered;
    expect(others).toEqual([]);
    expect(ended?.status).toBe('success');
    const steps = await estate.own.api.executionsOf('selfhostRecoverStep');
    expect(steps.map(({ status }) => status)).toEqual(Array.from({ length: STEPS }, () => 'success'));
    if (ended !== undefined) overhead(ended, steps);
    process.stdout.write(`${said.text}\n`);
  });

  test('asked for by the form and allowed once, it is killed at every boundary, started again, and ends as if nothing had been', async () => {
    const began = Date.now();
    await submit();
    const question = await awaited('the owner is asked', () => told(String(owner.id), 'bruno')[0]);
    expect(question.text).toContain('does not answer from n8n');
    expect(question.text).toContain('WHAT WAS WRITTEN SINCE IS LOST');
    expect(lost.handedOut.orders).toEqual(['bruno-drill']);
    await until('it can be answered', 240_000, async () => {
      const all = await estate.own.api.executionsOf('selfhostApprove');
      return all.find(({ status }) => status === 'waiting');
    });
    expect(await estate.telegram.press(question, 'Do it', owner)).toBe(200);

    const boundaries: readonly (readonly [string, () => boolean])[] = [
      ['the server is ordered', () => lost.handedOut.orders.includes('bruno-recovery')],
      ['it is prepared', () => existsSync(state('recovery'))],
      ['the kit is open', () => existsSync(state('recovery', 'kit', 'rclone.conf'))],
      ...Array.from({ length: STEPS }, (_, at) => [`${at + 1} steps are done`, () => steps() > at] as const),
      ['the names point at it', () => addressOf('app')?.[0] === lost.handedOut.address],
      ['the kit is put away', () => !existsSync(state('recovery', 'kit'))],
    ];
    for (const [what, reached] of boundaries) {
      await awaited(what, () => (reached() ? true : undefined));
      process.stdout.write(`killed when ${what}\n`);
      await estate.own.n8n.kill();
      estate.own.n8n = await estate.own.n8n.restart();
      await submit();
    }
    const said = await report('666', 'bruno is back on bruno-recovery');
    process.stdout.write(
      `killed ${boundaries.length} times; ${((Date.now() - began) / 1000).toFixed(0)} s in all\n${said.text}\n`,
    );

    // One server, asked about once.
    expect(lost.handedOut.orders).toEqual(['bruno-drill', 'bruno-recovery']);
    expect(servers()).toEqual(['bruno', 'bruno-recovery']);
    expect(told(String(owner.id), 'failover: bruno')).toHaveLength(1);
    const old = (hetzner.state.things.get('servers') ?? []).find(({ name }) => name === 'bruno');
    expect(old?.['status']).toBe('off');

    // As the world sees it: by the name, at the address that it has now.
    const { address } = lost.handedOut;
    expect(names()).toEqual({ '@': [address], app: [address], photos: ['203.0.113.9'] });
    const app = `http://${addressOf('app')?.[0] ?? ''}:8080`;
    expect((await (await fetch(`${app}/cgi-bin/orders`)).text()).trim()).toBe(String(lost.rows));
    for (const [path, hash] of Object.entries(lost.hashes)) {
      const bytes = Buffer.from(await (await fetch(`${app}${path}`)).arrayBuffer());
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(hash);
    }
    const certificate = await fetch(`http://${addressOf('@')?.[0] ?? ''}/certificates/acme.json`);
    expect(await certificate.text()).toBe('{"certificates":["of the lab"]}\n');

    // As the server sees it.
    const psql = [join(postgresPrograms(), 'psql'), '-XAtq', '-h', '/tmp', '-U', 'postgres', '-d', 'shop', '-c'];
    const sum = await lost.handedOut.docker(
      'exec',
      'shop-db',
      ...psql,
      'SELECT count(*), sum(id), max(what) FROM orders',
    );
    const { rows } = lost;
    expect(sum.trim()).toBe(`${rows}|${(rows * (rows + 1)) / 2}|order 999`);
    const owned = await lost.handedOut.docker(
      'exec',
      'shop-db',
      ...psql,
      "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'",
    );
    expect(owned.trim()).toBe('app');
    const variables = join(lost.handedOut.folder('srv'), 'app', 'app', '.env');
    expect(readFileSync(variables, 'utf8')).toContain(SECRETS.app);
    expect((statSync(variables).mode & 0o777).toString(8)).toBe('600');
    expect(existsSync(state('recovery', 'kit'))).toBe(false);

    // In time, with all kills.
    const times = [...said.text.matchAll(/^Stage (\d) .* stood (\d+) s after/gm)].map(([, stage, seconds]) => [
      Number(stage),
      Number(seconds),
    ]);
    expect(times.map(([stage]) => stage)).toEqual([1, 2, 3]);
    expect(Math.max(...times.map(([, seconds = 0]) => seconds))).toBeLessThan(15 * MINUTE);
    // A restore that was on its way when n8n was killed is found by the next one.
    expect(said.text).toMatch(/shop-db (came back from (eva-disks|drive)|was there already), 0(\.\d)? h old/);
    expect(said.text).toContain('Now write into the inventory');

    // Nothing of the kit has come here.
    const hidden = [
      ...Object.values(SECRETS),
      lost.identity,
      lost.git.password,
      lost.login.privateKey.split('\n')[2] ?? 'none',
    ];
    for (const id of ['selfhostDisaster', 'selfhostRecoverStep'])
      for (const { stored } of await estate.own.api.executionsOf(id))
        for (const secret of hidden) expect(stored).not.toContain(secret);
  });

  test('started once more when all is done, it changes nothing', async () => {
    const lines = journal().length;
    const container = async () =>
      (await lost.handedOut.docker('ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}')).trim().split('\n').sort();
    const before = await container();
    const reports = told('666', 'bruno is back on').length;
    await submit();
    await until('it says so again', 600_000, () =>
      Promise.resolve(told('666', 'bruno is back on').length > reports ? true : undefined),
    );
    expect(await container()).toEqual(before);
    expect(lost.handedOut.orders).toEqual(['bruno-drill', 'bruno-recovery']);
    expect(journal().length).toBeGreaterThan(lines);
  });

  /** The form as a browser sends it. */
  async function submit(
    fields: Readonly<Record<string, string>> = { host: 'bruno', again: 'bruno', who: 'Felipe' },
  ): Promise<void> {
    const url = `${estate.own.n8n.url}/form/disaster-recovery`;
    const authorization = `Basic ${Buffer.from('night:watch').toString('base64')}`;
    const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
    const token = await until('the form is there', 240_000, async () => {
      const page = await fetch(url, { headers: { ...browser, authorization } }).catch(() => undefined);
      return /authToken = '([^']+)'/.exec((await page?.text()) ?? '')?.[1];
    });
    const body = new FormData();
    Object.values(fields).forEach((value, index) => {
      body.set(`field-${index}`, value);
    });
    const answer = await fetch(url, { method: 'POST', headers: { ...browser, 'x-auth-token': token }, body });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
  }
});
