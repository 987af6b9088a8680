import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { prepareLedger } from '../../../lab/commit-ledger';
import { labCredential } from '../../../lab/estate';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { until } from '../../../lab/hosts/waiting';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../../lab/standins/cloudflare';
import type { SentMessage } from '../../../lab/standins/telegram';
import type { PairName } from '../../../lab/postgres-pair';
import type { JsonObject } from '../../../lib/json';
import { lookAt, type Sight, statusOf } from '../../../lib/standby/look';
import type { Place } from '../../../lib/standby/service';
import { startService } from '../../../lib/standby/steps';
import { readTurn, type Turn } from '../../../lib/standby/turn';
import { editInventory, type Estate, startEstate } from '../../e2e/estate';
import { manualWorkflow } from '../../e2e/harness';
import { troublesIn } from '../../e2e/troubles';
import { quietTask } from '../../shared/task';
import { owner, people } from '../../shared/people';
import { type Shop, startShop } from '../lib/standby/shop';

const FLOWS = [
  ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
  ...['service-data.json', 'service-move.json', 'service-settle.json'],
  ...['service-failover.json', 'service-failback.json'],
];

/** A shop on bruno with its standby on eva, backups of it, names at Cloudflare, and an n8n with the flows. */
export interface ServiceLab extends Shop {
  readonly estate: Estate;
  /** Where the name of the shop points. */
  readonly pointsAt: () => string;
  readonly status: () => ReturnType<typeof statusOf>;
  readonly backUp: () => Promise<void>;
  /** The only destination is empty until they are found again. */
  readonly loseBackups: () => void;
  readonly findBackups: () => void;
  /** Whether Cloudflare refuses every write. */
  readonly refuseNames: (refused: boolean) => void;
  /** Every path in the folder of the shop on this host. */
  readonly tree: (of: PairName) => readonly string[];
  /** Somebody edits whether it moves by itself. */
  readonly setAutomatic: (automatic: boolean) => Promise<void>;
  readonly turn: () => Promise<Turn>;
  /** What this end has written down, when it answers. */
  readonly seen: (at: Place) => Promise<Extract<Sight, { kind: 'seen' }> | undefined>;
  /** Waits for it; without it, all that was said and seen is told. */
  readonly becomes: (what: string, look: () => boolean | Promise<boolean>) => Promise<void>;
  readonly becomesFinished: (at: Place, turn: number) => Promise<void>;
  readonly said: (chat: string, text: string, from?: number) => Promise<SentMessage>;
  readonly press: (question: SentMessage, label: string) => Promise<void>;
}

/** It runs at home, with a ledger that nobody has written to yet. */
export async function startServiceLab({ automatic }: { readonly automatic: boolean }): Promise<ServiceLab> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const shop = await startShop();
    ends.push(shop.stop);
    const cloudflare = await startCloudflare();
    ends.push(cloudflare.close);
    const hetzner = await startLabHetzner();
    ends.push(hetzner.stop);
    const estate = await startEstate();
    ends.push(estate.stop);
    const { pair } = shop;
    const turn = await readTurn(pair.service, quietTask());
    await startService(pair.service, turn, { otherIsSilent: true }, quietTask());
    await prepareLedger(shop.addressOf('bruno'), pair.app);
    return { ...(await furnish({ shop, cloudflare, hetzner, estate }, automatic)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Parts {
  readonly shop: Shop;
  readonly cloudflare: CloudflareStandIn;
  readonly hetzner: LabHetzner;
  readonly estate: Estate;
}

async function furnish(
  { shop, cloudflare, hetzner, estate }: Parts,
  atFirst: boolean,
): Promise<Omit<ServiceLab, 'stop'>> {
  const { pair, addressOf } = shop;
  const box = join(shop.scratch, 'box');
  const zone: Zone = cloudflare.addZone('lab.test');
  const record = cloudflare.addRecord(zone, {
    ...{ name: 'shop.lab.test', type: 'A', ttl: 300, proxied: false },
    content: addressOf('bruno'),
  });
  const pointsAt = () => String(zone.records.get(record.id)?.['content']);
  const credentials = {
    'Estate hosts': {
      type: 'selfhostHost',
      data: labCredential([pair.network.hosts.bruno, pair.network.hosts.eva]),
    },
    'Rclone remotes': {
      type: 'selfhostRclone',
      data: { place: 'here', configuration: '[disk]\ntype = local\n', ...PASSWORDS },
    },
    Secrets: { type: 'selfhostSecrets', data: { secrets: 'UNUSED=nothing' } },
    'Named secrets': { type: 'selfhostSecrets', data: { secrets: 'UNUSED=nothing' } },
    Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
    Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url } },
  };
  const inventory = (automatic: boolean): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    n8n: { name: 'n8n-lab' },
    hosts: (['bruno', 'eva'] as const).map((name) => ({
      ...{ name, address: addressOf(name), provider: name === 'bruno' ? 'hetzner' : 'ovh' },
      docker: pair.service.sockets?.[name] ?? '',
    })),
    services: [
      {
        ...{ name: 'shop', host: 'bruno', standby: 'eva', project: '/srv/shop', url: 'http://shop.lab.test/' },
        data: [{ name: 'www' }, { name: 'shop-db', start: 'db' }],
      },
    ],
    databases: [{ name: 'shop-db', kind: 'postgres', host: 'bruno', container: 'shop-db-1', database: 'shop' }],
    folders: [{ name: 'www', host: 'bruno', path: '/srv/shop/www', as: 'archive' }],
    destinations: [{ name: 'box', remote: `disk:${box}`, provider: 'google' }],
    domains: [{ zone: 'lab.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'shop.lab.test', host: 'bruno' }] }],
    ...people,
    automatic: { failover: automatic ? ['shop'] : [] },
  });
  const { api } = estate.own;
  const made = async () => {
    const { body } = await api.request('GET', '/api/v1/credentials');
    const { data } = body as { data: { id: string; name: string }[] };
    return Object.fromEntries(data.map(({ id, name }) => [name, { id }]));
  };
  await estate.install({ files: FLOWS, inventory: inventory(atFirst), everySeconds: 10, credentials });
  const task = quietTask();
  const status = () => statusOf(pair.service, task);
  const seen: ServiceLab['seen'] = async (at) => {
    const sight = await lookAt(pair.service, at, task);
    return sight.kind === 'seen' ? sight : undefined;
  };
  const becomes: ServiceLab['becomes'] = (what, look) =>
    until(what, WITHIN, async () => ((await look()) ? (true as const) : undefined)).then(
      () => undefined,
      async (error: unknown) => {
        const said = estate.telegram.messages.map(({ chat, text }) => `${chat}: ${text.slice(0, 400)}`);
        const lines = [String(error), ...said, JSON.stringify(await status()), await troublesIn(estate.own)];
        throw new Error(lines.join('\n'), { cause: error });
      },
    );
  return {
    ...shop,
    estate,
    pointsAt,
    ...{ status, seen, becomes },
    turn: () => readTurn(pair.service, task),
    becomesFinished: (at, turn) => becomes(`turn ${turn} is finished`, async () => (await seen(at))?.finished === turn),
    backUp: async () => {
      const credential = await made();
      const node = (name: string, parameters: JsonObject) => ({
        ...{ name, type: 'n8n-nodes-selfhost.rcloneBackup', parameters },
        credentials: {
          selfhostHost: { id: credential['Estate hosts']?.id ?? '', name: 'Estate hosts' },
          selfhostRclone: { id: credential['Rclone remotes']?.id ?? '', name: 'Rclone remotes' },
          selfhostSecrets: { id: credential['Secrets']?.id ?? '', name: 'Secrets' },
        },
      });
      const host = { __rl: true, mode: 'id', value: 'bruno' };
      const id = await api.createWorkflow(
        manualWorkflow(
          'Back up',
          node('Plan', { resource: 'plan', operation: 'nightly', host, inventory: JSON.stringify(inventory(false)) }),
          node('Scatter', { resource: 'backup', operation: 'scatter', host, plan: '={{ $json.plan }}', wait: true }),
        ),
      );
      const execution = await api.runToEnd(id, 'By hand');
      if (execution.status !== 'success') throw new Error(`The backup failed: ${execution.stored.slice(0, 3000)}`);
    },
    loseBackups: () => renameSync(box, `${box}-lost`),
    findBackups: () => renameSync(`${box}-lost`, box),
    refuseNames: (refused) => {
      const errors = [{ code: 10_000, message: 'Authentication error' }];
      const reply = { status: 403, json: { success: false, errors, messages: [], result: null } };
      if (!refused) cloudflare.forget();
      else
        for (const method of ['POST', 'PUT', 'PATCH'])
          cloudflare.fail({ kind: 'answer', method, reply, times: 100_000 });
    },
    tree: (of) => readdirSync(pair.folder(of), { recursive: true, encoding: 'utf8' }).sort(),
    setAutomatic: async (automatic) => {
      await editInventory(estate, inventory(automatic));
    },
    said: (chat, text, from = 0) =>
      until(`chat ${chat} was told "${text}"`, WITHIN, () =>
        Promise.resolve(
          estate.telegram.messages.slice(from).find((one) => one.chat === chat && one.text.includes(text)),
        ),
      ).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await troublesIn(estate.own)}`, { cause: error });
      }),
    press: (question, label) =>
      until(`"${label}" is taken`, 120_000, async () =>
        // Until n8n has put away the execution that asks, an answer is refused.
        (await estate.telegram.press(question, label, owner)) === 200 ? (true as const) : undefined,
      ).then(() => undefined),
  };
}

/** For what a flow has to come to on a machine that others use as well. */
const WITHIN = 420_000;
const PASSWORDS = { encryptionPassword: 'encryption-of-the-lab', encryptionSalt: 'salt-of-the-lab' };
