import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { hostOf as asHost } from '../../../lab/hosts/as-host';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import { connect, logIn, type N8nApi, setUpOwner } from '../../../lab/n8n/api';
import { ADDRESSES, type N8nPair, startN8nPair } from '../../../lab/n8n-pair';
import { methodsContract, type MethodsDescription } from '../../../lab/standins/methods-contract';
import { type SentMessage, startTelegram, type TelegramStandIn } from '../../../lab/standins/telegram';
import { installFlows } from '../../../lab/workflows/install';
import { messageOf } from '../../../lib/failure';
import { listJobs } from '../../../lib/host/jobs/read';
import type { JsonObject } from '../../../lib/json';
import type { Service } from '../../../lib/standby/service';
import { readTurn, type Turn } from '../../../lib/standby/turn';
import { manualWorkflow, owner as account, webhookWorkflow } from '../../e2e/harness';
import { owner, people } from '../../shared/people';
import { quietTask } from '../../shared/task';

export type Which = 'first' | 'sentinel';
const BOTH: readonly Which[] = ['first', 'sentinel'];
export type Carrier = 'bruno' | 'dev';

/** In the order in which they can be published. */
const CALLED = ['Inventory', 'Notify', 'OnError', 'Approve', 'Hold', 'ServiceData', 'ServiceSettle', 'ServiceMove'];
const FLOWS = [
  ...['approve.json', 'hold.json', 'inventory.json', 'notify.json', 'on-error.json', 'sentinel.json'],
  ...['service-data.json', 'service-move.json', 'service-settle.json', 'backup-scatter.json'],
];
/** Where the first keeps its work, on its hosts. */
export const DATABASE = '/srv/n8n/data/.n8n/database.sqlite';

const description = JSON.parse(
  readFileSync(join(__dirname, '../../contracts/telegram.json'), 'utf8'),
) as MethodsDescription;

/** Two real n8n on machines of their own with the flow Sentinel, a bot for each, and a destination elsewhere. */
export interface SentinelLab {
  readonly pair: N8nPair;
  readonly telegrams: Readonly<Record<Which, TelegramStandIn>>;
  readonly apis: Readonly<Record<Which, N8nApi>>;
  readonly service: Service;
  readonly turn: () => Promise<Turn>;
  /** Waits for a message of one of them to a chat. */
  readonly said: (which: Which, chat: string, text: string) => Promise<SentMessage>;
  readonly toldOf: (which: Which, text: string) => readonly SentMessage[];
  /** Failures of its flow Sentinel that it has told of. A run that ended because its n8n did has not failed. */
  readonly failures: (which: Which) => readonly SentMessage[];
  /** What has been asked so far, by either; an answered one has another text. */
  readonly questions: () => readonly SentMessage[];
  readonly question: (count: number) => Promise<SentMessage>;
  /** Pressed where the question came from. */
  readonly press: (question: SentMessage, label: string) => Promise<void>;
  /** What that n8n remembers as wrong. */
  readonly remembered: (which: Which) => Promise<readonly string[]>;
  /** The form of the sentinel's hold switch, as a browser sends it. No hosts: all of them. */
  readonly holdSwitch: (what: 'Hold' | 'Lift', hosts: string) => Promise<void>;
  /** Project containers that run there. */
  readonly running: (of: Carrier) => Promise<readonly string[]>;
  /** Calls a piece of its work, which is a production webhook. */
  readonly work: (of: Carrier, path: string) => Promise<{ readonly status: number; readonly text: string }>;
  /** How often the first n8n has done that work, by its own records, wherever it runs. */
  readonly timesDone: (of: Carrier, id: string) => Promise<number>;
  /** The first backs itself up, and the whole estate with it. */
  readonly backUp: () => Promise<void>;
  /**
   * Both look after each other; the first does `work`, is backed up, then does `later` as well, and Docker would not
   * start it by itself any more. The id of `work`.
   */
  readonly settleIn: () => Promise<string>;
  /** Where the public address of the first leads. */
  readonly leadTo: (of: Carrier) => void;
  /** Finished moves, by the executions of whoever moved it. */
  readonly moves: () => Promise<readonly JsonObject[]>;
  readonly trouble: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

interface SentinelOptions {
  /** Whether the inventory lets the sentinel move the first without asking. */
  readonly automatic: boolean;
  /** How often each of them looks. */
  readonly everySeconds?: number;
}

async function startSentinelLab(options: SentinelOptions): Promise<SentinelLab> {
  const pair = await startN8nPair();
  const ends: (() => Promise<unknown>)[] = [pair.stop];
  const stop = async () => {
    for (const end of ends.splice(0)) await end();
  };
  try {
    return { ...(await furnish(pair, options, ends)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function furnish(
  pair: N8nPair,
  { automatic, everySeconds = 30 }: SentinelOptions,
  ends: (() => Promise<unknown>)[],
): Promise<Omit<SentinelLab, 'stop'>> {
  const task = quietTask();
  const rclone = await configuration();
  const contract = methodsContract(description, ['sendMessage.disable_web_page_preview']);
  const telegrams = {} as Record<Which, TelegramStandIn>;
  const apis = {} as Record<Which, N8nApi>;
  const urls = { first: pair.first.url, sentinel: pair.sentinel.url };
  let firstAt: Carrier = 'bruno';
  for (const which of BOTH) {
    const telegram = await startTelegram({
      token: tokenOf(which),
      address: pair.network.address,
      contract,
      deliverTo: (url) => {
        const to = which === 'first' ? pair.urlOn(firstAt) : pair.sentinel.url;
        return url.startsWith(ADDRESSES[which]) ? url.replace(ADDRESSES[which], to) : undefined;
      },
    });
    ends.push(telegram.close);
    telegrams[which] = telegram;
    await setUpOwner(urls[which], account);
    apis[which] = await logIn(urls[which], account);
  }
  const hosts = Object.values(pair.network.hosts);
  const setUp = async (which: Which) => {
    await installFlows(which === 'first' ? pair.first : pair.sentinel, apis[which], {
      files: FLOWS,
      inventory: inventoryOf(pair, automatic),
      everySeconds,
      publish: false,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential(hosts) },
        'Telegram bot': {
          type: 'telegramApi',
          data: { accessToken: tokenOf(which), baseUrl: telegrams[which].url },
        },
        'Slack bot': { type: 'slackApi', data: { accessToken: 'not used' } },
        Mail: { type: 'smtp', data: { user: '', password: '', host: '127.0.0.1', port: 9 } },
        'Rclone remotes': { type: 'selfhostRclone', data: { place: 'here', configuration: rclone } },
        Secrets: { type: 'selfhostSecrets', data: { secrets: 'UNUSED=nothing' } },
        'Named secrets': { type: 'selfhostSecrets', data: { secrets: 'UNUSED=nothing' } },
        Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: 'not used' } },
        Hetzner: { type: 'selfhostHetzner', data: { apiToken: 'not used' } },
        'Hold switch': { type: 'httpBasicAuth', data: { user: 'night', password: 'watch' } },
      },
    });
    await tellAtOnce(apis[which], which);
    for (const flow of CALLED) await apis[which].publish(`selfhost${flow}`);
  };
  await Promise.all(BOTH.map(setUp));

  const service: Service = {
    name: 'n8n',
    directory: '/srv/n8n',
    home: { ...asHost(pair.network.hosts.bruno), watchful: true },
    standby: { ...asHost(pair.network.hosts.dev), watchful: true },
    sockets: pair.sockets,
  };
  const toldOf = (which: Which, text: string) =>
    telegrams[which].messages.filter((message) => message.text.includes(text));
  const questions = () => BOTH.flatMap((which) => telegrams[which].messages).filter(({ chat }) => chat === OWNER);
  const firstOn = (of: Carrier) => connect(pair.urlOn(of), apis.first.session);
  /** Another piece of the first n8n's own work. Its id. */
  const publishWork = async (path: string) => {
    const node = {
      ...{ type: 'n8n-nodes-base.set', typeVersion: 3.4 },
      parameters: { mode: 'raw', jsonOutput: `{ "work": "${path}" }`, options: {} },
    };
    const id = await apis.first.createWorkflow(webhookWorkflow(path, path, node));
    await apis.first.publish(id);
    return id;
  };
  const backUp = async () => {
    await apis.first.runToEnd('selfhostBackupScatter', 'By hand', { within: 180_000 });
    const ended = await until('the backup has ended', 180_000, async () => {
      const [newest] = await listJobs(service.home, { name: 'Backup nightly' }, task);
      return newest !== undefined && newest.state.kind !== 'running' ? newest : undefined;
    });
    expect(ended).toMatchObject({ state: { kind: 'finished', exit: { exitCode: 0 } } });
  };
  const reading: Partial<Record<Which, string>> = {};
  return {
    ...{ pair, telegrams, apis, service, questions, backUp },
    turn: () => readTurn(service, task),
    said: (which, chat, text) =>
      until(`${which} told chat ${chat} "${text}"`, 300_000, () =>
        telegrams[which].messages.find((message) => message.chat === chat && message.text.includes(text)),
      ),
    toldOf,
    failures: (which) => toldOf(which, 'Sentinel failed').filter(({ text }) => !text.includes('did not finish')),
    question: (count) => until(`question ${count} is put`, 420_000, () => questions()[count - 1]),
    press: async (question, label) => {
      const which = telegrams.first.messages.includes(question) ? 'first' : 'sentinel';
      // Until n8n has put away the execution that asks, an answer is refused.
      await until('the button is taken', 120_000, async () =>
        (await telegrams[which].press(question, label, owner)) === 200 ? true : undefined,
      );
    },
    remembered: async (which) => {
      const api = apis[which];
      reading[which] ??= await api.createWorkflow(
        manualWorkflow('Remembered', await memoryNode(api, which, { resource: 'incident', operation: 'list' })),
      );
      const { runs } = await api.runToEnd(reading[which], 'By hand');
      const incidents = runs['Node']?.[0]?.outputs[0] ?? [];
      const things = incidents.flatMap(({ things: found = [] }) => found as readonly JsonObject[]);
      return things.flatMap(({ wrong, target }) => (wrong === true && typeof target === 'string' ? [target] : []));
    },
    holdSwitch: async (what, hosts) => {
      const url = `${pair.sentinel.url}/form/hold`;
      const authorization = `Basic ${Buffer.from('night:watch').toString('base64')}`;
      // What looks like a link preview is turned away.
      const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
      const page = await fetch(url, { headers: { ...browser, authorization } });
      const token = /authToken = '([^']+)'/.exec(await page.text())?.[1] ?? '';
      const body = new FormData();
      [what, 'Felipe', 'a test of the lab', '0', hosts].forEach((value, index) => body.set(`field-${index}`, value));
      const answer = await fetch(url, { method: 'POST', headers: { ...browser, 'x-auth-token': token }, body });
      await answer.arrayBuffer();
      expect(answer.status).toBe(200);
    },
    running: async (of) => (await pair.docker(of, 'ps', '--format', '{{.Names}}')).split('\n').filter(Boolean),
    work: async (of, path) => {
      const answer = await fetch(`${pair.urlOn(of)}/webhook/${path}`, { method: 'POST' });
      return { status: answer.status, text: await answer.text() };
    },
    timesDone: async (of, id) => (await firstOn(of).executionsOf(id)).length,
    settleIn: async () => {
      const id = await publishWork('work');
      for (const which of BOTH) await apis[which].publish('selfhostSentinel');
      await backUp();
      await publishWork('later');
      const policy = ['inspect', '--format', '{{.HostConfig.RestartPolicy.Name}}', 'n8n-n8n-1'] as const;
      await until('Docker does not start it', 180_000, async () =>
        (await pair.docker('bruno', ...policy)).trim() === 'no' ? true : undefined,
      );
      return id;
    },
    leadTo: (of) => {
      firstAt = of;
    },
    moves: async () => {
      const executions = await apis.sentinel.executionsOf('selfhostServiceMove');
      return executions.flatMap(({ runs }) => runs['Moved']?.[0]?.outputs[0] ?? []);
    },
    trouble: async () => {
      const parts = BOTH.map(async (which) => {
        const messages = telegrams[which].messages.map(({ chat, text }) => `  to ${chat}: ${text}`);
        const api = which === 'first' ? firstOn(firstAt) : apis.sentinel;
        return [`${which} has told:`, ...messages, `${which} has done:`, ...(await executionsIn(api))].join('\n');
      });
      const containers = (['bruno', 'dev'] as const).map(async (of) =>
        pair.docker(of, 'ps', '--all', '--format', `${of}: {{.Names}} {{.Status}}`).catch(messageOf),
      );
      const turn = readTurn(service, task).then(JSON.stringify, messageOf);
      const log = `The log of the sentinel ends:\n${pair.sentinel.readLog().slice(-3_000)}`;
      return [...(await Promise.all([...parts, ...containers, turn])), log].join('\n');
    },
  };
}

const OWNER = String(owner.id);
const tokenOf = (which: Which) => (which === 'first' ? '4242:FIRST' : '4242:SENTINEL');

function inventoryOf({ network, sockets, first, sentinel, store }: N8nPair, automatic: boolean): JsonObject {
  return {
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: Object.values(network.hosts).map(({ name, address, port }) => ({
      ...{ name, address, port, provider: 'home' },
      docker: name === 'eva' ? '' : sockets[name as Carrier],
    })),
    instances: [
      {
        ...{ name: 'n8n', host: 'bruno', url: ADDRESSES.first, service: 'n8n', lostMinutes: 0, backMinutes: 0 },
        health: `${first.url}/healthz/readiness`,
      },
      {
        ...{ name: 'sentinel', host: 'eva', url: ADDRESSES.sentinel, lostMinutes: 0, backMinutes: 0 },
        health: `${sentinel.url}/healthz/readiness`,
      },
    ],
    services: [
      {
        ...{ name: 'n8n', host: 'bruno', standby: 'dev', project: '/srv/n8n' },
        data: [{ name: 'n8n-db' }, { name: 'n8n-files' }],
      },
    ],
    databases: [{ name: 'n8n-db', kind: 'sqlite', host: 'bruno', database: DATABASE }],
    folders: [{ name: 'n8n-files', host: 'bruno', path: '/srv/n8n/data', as: 'archive', tolerateChanges: true }],
    destinations: [{ name: 'elsewhere', remote: `disk:${store}`, provider: 'other', attempts: 1, pauseSeconds: 1 }],
    backups: { quorum: 1, spool: '/var/lib/selfhost/spool', logFile: '/var/lib/selfhost/backup.log' },
    automatic: { failover: automatic ? ['n8n'] : [] },
    ...people,
  };
}

/** The remotes of both: a folder that outlives every machine, and what it is encrypted with. */
async function configuration(): Promise<string> {
  const [one, two] = await Promise.all(
    ['a long crypt password', 'and its salt'].map(async (each) => (await run(['rclone', 'obscure', each])).trim()),
  );
  return [
    ...['[vault]', 'type = crypt', 'remote = /nonexistent', `password = ${one}`, `password2 = ${two}`],
    ...['', '[disk]', 'type = local', ''],
  ].join('\n');
}

/** What asks, or tells, the memory of the flow Sentinel in that n8n. */
async function memoryNode(api: N8nApi, which: Which, parameters: JsonObject) {
  const { body } = await api.request('GET', '/api/v1/credentials');
  const { data } = body as { data: { id: string; name: string }[] };
  const credential = data.find(({ name }) => name === 'Estate hosts');
  if (credential === undefined) throw new Error('There is no credential Estate hosts');
  const { id, name } = credential;
  return {
    type: 'n8n-nodes-selfhost.alertState',
    parameters: {
      ...{ estate: 'lab sentinel', keepIn: 'host', stateHost: which === 'first' ? 'bruno' : 'eva' },
      ...parameters,
    },
    credentials: { selfhostHost: { id, name } },
  };
}

/** Nothing is waited for, and people are awake at any time. */
async function tellAtOnce(api: N8nApi, which: Which): Promise<void> {
  const settings = {
    ...{ waitSeconds: 0, clearSeconds: 0, repeatMinutes: 0, escalateMinutes: [], confirmSeconds: 5 },
    ...{ wakingFrom: '00:00', wakingTo: '24:00' },
  };
  const set = await memoryNode(api, which, { resource: 'settings', operation: 'set', settings });
  const id = await api.createWorkflow(manualWorkflow('Settings', set));
  expect((await api.runToEnd(id, 'By hand')).status).toBe('success');
}

/** The newest of each flow: how they ended, and what each node said. */
async function executionsIn(api: N8nApi): Promise<readonly string[]> {
  const flows = [...CALLED, 'Sentinel', 'BackupScatter'].map(async (flow) => {
    const found = await api.executionsOf(`selfhost${flow}`).catch(messageOf);
    if (typeof found === 'string') return [`  ${flow}: ${found}`];
    return found
      .slice(0, 4)
      .flatMap(({ id, status, error, runs }) => [
        `  ${flow} ${id} (${status}) ${error?.message ?? ''}`,
        ...Object.entries(runs).flatMap(([name, all]) =>
          all.map((one) => `    ${name}: ${one.error?.message ?? JSON.stringify(one.outputs).slice(0, 600)}`),
        ),
      ]);
  });
  return (await Promise.all(flows)).flat();
}

/**
 * Tests of one lab, each of which begins where the one before has ended. The first that fails tells what the lab looks
 * like, and nothing is tried after it.
 */
export function inSentinelLab(options: SentinelOptions) {
  let lab: SentinelLab;
  beforeAll(async () => {
    lab = await startSentinelLab(options);
  }, 900_000);
  afterAll(() => (lab as SentinelLab | undefined)?.stop(), 120_000);
  let failed = false;
  return (name: string, step: (lab: SentinelLab) => Promise<void>) =>
    test(
      name,
      async () => {
        if (failed) throw new Error('A step before this one has failed');
        try {
          await step(lab);
        } catch (error) {
          failed = true;
          console.log(await lab.trouble().catch(messageOf));
          throw error;
        }
      },
      1_500_000,
    );
}
