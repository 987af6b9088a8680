import { until } from '../../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import type { PostgresPair } from '../../../lab/postgres-pair';
import { type CloudflareStandIn, startCloudflare } from '../../../lab/standins/cloudflare';
import type { SentMessage } from '../../../lab/standins/telegram';
import type { JsonObject } from '../../../lib/json';
import { type Estate, startEstate, tellAtOnce } from '../../e2e/estate';
import { troublesIn } from '../../e2e/troubles';
import { credentialsOfPair, describePair } from '../../shared/pair-description';
import { owner, people } from '../../shared/people';

/** An n8n with the flows that keep a pair of PostgreSQL servers, and the people and providers that they talk to. */
export interface PairEstate {
  readonly estate: Estate;
  readonly cloudflare: CloudflareStandIn;
  /** Where the flows keep what they have to remember. */
  readonly state: PostgresServer;
  /** What was told since the last call of `fromNowOn`. */
  readonly said: (chat: string, text: string) => Promise<SentMessage>;
  readonly fromNowOn: () => void;
  readonly since: () => readonly SentMessage[];
  readonly asked: (text: string) => Promise<SentMessage>;
  readonly press: (question: SentMessage, label: string) => Promise<void>;
  /** Submits one of the forms as a browser does. */
  readonly submit: (path: string, fields: Readonly<Record<string, string>>) => Promise<void>;
  /** One after the other: n8n wants what is called to be there first. */
  readonly publish: (...names: readonly string[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What an inventory of the lab needs beside its clusters. */
export function inventoryOfPair(pair: PostgresPair, cluster: JsonObject, more: JsonObject): JsonObject {
  const { members } = describePair(pair) as { members: readonly JsonObject[] };
  const hosts = (['bruno', 'eva'] as const).map((name) => {
    const { address, port } = pair.network.hosts[name];
    return { name, address, port, provider: 'other' };
  });
  return {
    ...{ estate: 'lab', timezone: 'Europe/Berlin', hosts },
    domains: [{ zone: 'pair.cl', at: 'cloudflare', owner: 'n8n', names: [] }],
    clusters: [{ name: 'immich', members, preferred: 'bruno', allowRestart: true, allowCopy: true, ...cluster }],
    ...people,
    ...more,
  };
}

export async function startPairEstate(pair: PostgresPair, inventory: JsonObject): Promise<PairEstate> {
  const [estate, state, cloudflare] = await Promise.all([startEstate(), startPostgres(), startCloudflare()]);
  const { selfhostHost = {}, selfhostPostgres = {} } = credentialsOfPair(pair);
  await estate.install({
    files: [
      ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json', 'report.json', 'status-page.json'],
      ...['postgres-names.json', 'postgres-failover.json', 'postgres-care.json', 'postgres-switchover.json'],
      ...['postgres-set-up.json', 'postgres-pitr.json', 'pgbackrest.json', 'drill-calendar.json', 'restore-drill.json'],
    ],
    inventory,
    everySeconds: 10,
    publish: false,
    parameters: { Watch: { cluster: JSON.stringify(describePair(pair)), options: { topologySeconds: 2 } } },
    credentials: {
      'Estate hosts': { type: 'selfhostHost', data: selfhostHost },
      'Postgres pair': { type: 'selfhostPostgres', data: selfhostPostgres },
      Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url } },
      // Nothing of this estate is there; the nodes are, and n8n asks for their credential.
      Hetzner: {
        type: 'selfhostHetzner',
        data: { apiToken: 'not used', readOnly: false, cloudUrl: 'http://127.0.0.1:9', storageUrl: '' },
      },
      'Named secrets': { type: 'selfhostSecrets', data: { secrets: 'NOTHING=here' } },
      Secrets: { type: 'selfhostSecrets', data: { secrets: 'NOTHING=here' } },
      'Rclone remotes': { type: 'selfhostRclone', data: { place: 'here', configuration: '[none]\ntype = local\n' } },
      'Database forms': { type: 'httpBasicAuth', data: { user: 'people', password: 'of the estate' } },
      State: {
        type: 'selfhostState',
        data: {
          ...{ host: state.host, port: state.port, user: state.user, password: state.password },
          ...{ database: state.database, encrypt: false, privateAuthority: '' },
        },
      },
    },
  });
  await tellAtOnce(estate);
  const publish = async (...names: readonly string[]) => {
    for (const name of names) await estate.own.api.publish(`selfhost${name}`);
  };
  await publish('Inventory', 'Notify', 'OnError', 'Approve', 'Report', 'StatusPage', 'PgNames', 'PgSetUp');

  let heard = 0;
  const since = () => estate.telegram.messages.slice(heard);
  const said = (chat: string, text: string) =>
    until(`chat ${chat} was told "${text}"`, 300_000, () =>
      Promise.resolve(since().find((one) => one.chat === chat && one.text.includes(text))),
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await troublesIn(estate.own)}`, { cause: error });
    });
  return {
    ...{ estate, cloudflare, state, said, since, publish },
    fromNowOn: () => {
      heard = estate.telegram.messages.length;
    },
    asked: (text) => said(String(owner.id), text),
    press: async (question, label) => {
      await until('n8n takes the answer', 180_000, async () =>
        (await estate.telegram.press(question, label, owner)) === 200 ? true : undefined,
      );
    },
    submit: async (path, fields) => {
      const authorization = `Basic ${Buffer.from('people:of the estate').toString('base64')}`;
      const url = `${estate.own.n8n.url}/form/${path}`;
      // What looks like a link preview is turned away.
      const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
      // An n8n that has just been started again knows its forms a moment later.
      const page = await until(`the form ${path} is there`, 120_000, async () => {
        const answer = await fetch(url, { headers: { ...browser, authorization } });
        return answer.ok ? answer : undefined;
      });
      const token = /authToken = '([^']+)'/.exec(await page.text())?.[1] ?? '';
      const body = new FormData();
      Object.values(fields).forEach((value, index) => {
        body.set(`field-${index}`, value);
      });
      const answer = await fetch(url, { method: 'POST', headers: { ...browser, 'x-auth-token': token }, body });
      await answer.arrayBuffer();
      expect(answer.status).toBe(200);
    },
    stop: async () => {
      await estate.stop();
      await Promise.all([state.stop(), cloudflare.close()]);
    },
  };
}
