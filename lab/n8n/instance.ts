import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../lib/failure';
import { freePort, isPortFree } from '../ports';
import { mustRun, startServer, waitFor, type Server } from '../processes';
import { diskFull, isFull } from '../trouble';
import { withNode, type N8nInstall } from './install';
import { startPostgres, startRedis, type Postgres, type Service } from './services';

export interface N8nOptions {
  readonly install: N8nInstall;
  /** Everything this n8n remembers. Booting again on the same folder continues with the same data. */
  readonly folder: string;
  readonly logs: string;
  /** A free one when not given. */
  readonly port?: number;
  /** The machine of the lab that it runs on: its network namespace, and its address there. */
  readonly on?: { readonly namespace: string; readonly address: string };
  readonly environment?: Settings;
}

export interface QueueOptions extends N8nOptions {
  /** Where Redis and PostgreSQL keep their data: reachable for a user that is not us. */
  readonly services: string;
  readonly workers?: number;
  /** Where production webhooks are called. A free one when not given. */
  readonly webhookPort?: number;
}

/** A real n8n that answers. */
export interface N8n {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly main: Server;
  /** All of it, in order: what accepts work before what stores it. */
  stop(): Promise<void>;
  /** kill -9 of the main process and all its children. */
  kill(): Promise<void>;
  /** Boots the main process again on the same data and the same port, after `stop` or `kill`. */
  restart(): Promise<N8n>;
  /** n8n's own command line on the same data: `['import:workflow', '--input=file']`. */
  command(args: readonly string[]): Promise<string>;
  readLog(): string;
}

/** Queue mode: one main, which is the leader and the only one to run triggers, workers, and a webhook processor. */
export interface QueueN8n extends N8n {
  /** Production webhooks belong here; the main process serves the editor, the APIs and test webhooks. */
  readonly webhookUrl: string;
  readonly workers: readonly Server[];
  readonly redis: Service;
  readonly postgres: Postgres;
  startWorker(): Promise<Server>;
  restart(): Promise<QueueN8n>;
}

/** Quiet, offline, on the loopback address; n8n 2.x secures its cookie for https unless told otherwise. */
const commonEnvironment = {
  N8N_LISTEN_ADDRESS: '127.0.0.1',
  N8N_HOST: '127.0.0.1',
  N8N_SECURE_COOKIE: 'false',
  N8N_DIAGNOSTICS_ENABLED: 'false',
  N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
  N8N_TEMPLATES_ENABLED: 'false',
  N8N_PERSONALIZATION_ENABLED: 'false',
  N8N_HIRING_BANNER_ENABLED: 'false',
  N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS: 'true',
} as const;

/** One key for all processes of an n8n, and for all its lives: credentials are encrypted with it. */
function encryptionKey(folder: string): string {
  const file = join(folder, 'encryption-key');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

type Settings = Readonly<Record<string, string>>;

async function environmentOf({ install, folder, environment }: N8nOptions, own: Settings): Promise<NodeJS.ProcessEnv> {
  return {
    ...withNode(install),
    ...commonEnvironment,
    N8N_USER_FOLDER: folder,
    N8N_ENCRYPTION_KEY: encryptionKey(folder),
    // Two n8n on one machine would share the default port, and the second would not start.
    N8N_RUNNERS_BROKER_PORT: String(await freePort()),
    ...own,
    ...environment,
  };
}

/** n8n's own command line on the data of an instance. */
async function runCommand(options: N8nOptions, own: Settings, args: readonly string[]): Promise<string> {
  const { install, folder, logs } = options;
  return await mustRun(`n8n ${args[0] ?? ''}`, install.node, [install.n8n, ...args], {
    folder,
    environment: await environmentOf(options, own),
    log: join(logs, 'n8n-command.log'),
  });
}

async function startProcess(
  options: N8nOptions,
  role: 'start' | 'worker' | 'webhook',
  own: Settings,
  name: string,
  args: readonly string[] = [],
): Promise<Server> {
  const { install, folder, logs, on } = options;
  const [program, ...before] = [...(on === undefined ? [] : ['ip', 'netns', 'exec', on.namespace]), install.node];
  return await startServer({
    name,
    program,
    arguments: [...before, install.n8n, role, ...args],
    folder,
    log: join(logs, `${name.replaceAll(' ', '-')}.log`),
    environment: await environmentOf(options, own),
  });
}

async function ready(url: string, server: Server, folder: string): Promise<void> {
  const look = async () => {
    // An n8n that cannot write its database hangs instead of ending.
    if (isFull(folder)) throw diskFull(`Starting ${server.name}`);
    try {
      const { ok } = await fetch(`${url}/healthz/readiness`, { signal: AbortSignal.timeout(5000) });
      return ok ? true : undefined;
    } catch {
      return undefined;
    }
  };
  await waitFor(`${server.name} is ready`, look, { within: 180_000, of: server });
}

export async function bootN8n(options: N8nOptions): Promise<N8n> {
  const { on } = options;
  // A machine of its own has all ports to itself.
  const port = on === undefined ? await chosenPort(options.port) : (options.port ?? 5678);
  const url = `http://${on?.address ?? '127.0.0.1'}:${port}`;
  const own = {
    ...{ N8N_PORT: String(port), N8N_EDITOR_BASE_URL: url },
    ...(on !== undefined && { N8N_LISTEN_ADDRESS: on.address, N8N_HOST: on.address }),
  };
  const main = await startProcess(options, 'start', own, 'n8n');
  await ready(url, main, options.folder).catch(async (error: unknown) => {
    await main.kill();
    throw error;
  });
  return {
    url,
    port,
    folder: options.folder,
    main,
    stop: () => main.stop(),
    kill: () => main.kill(),
    restart: () => bootN8n({ ...options, port }),
    command: (args) => runCommand(options, {}, args),
    readLog: () => main.readLog(),
  };
}

export async function chosenPort(port: number | undefined): Promise<number> {
  if (port === undefined) return await freePort();
  if (await isPortFree(port)) return port;
  throw new Failure({
    code: 'port_in_use',
    subject: `port ${port}`,
    message: `Port ${port} on 127.0.0.1 is in use by another program (perhaps another n8n).`,
    nextStep: `Stop that program (\`ss -ltnp 'sport = :${port}'\` names it), or choose another port with SELFHOST_LAB_PORT.`,
  });
}

/**
 * Queue mode of n8n 2.41.1. PostgreSQL is not enforced (SQLite only logs a warning), but several processes on one
 * SQLite file are not supported. With one main there is no election: it is
 * the leader. All processes share the encryption key; workers and webhook processors wait for the main's migrations.
 */
export async function bootQueueN8n(options: QueueOptions): Promise<QueueN8n> {
  const { services, logs, workers: count = 2 } = options;
  const port = await chosenPort(options.port);
  const started: { stop(): Promise<void> }[] = [];
  const stopEverything = async () => {
    for (const one of started.splice(0).reverse()) await one.stop();
  };
  try {
    const redis = await startRedis({ folder: join(services, 'redis'), logs });
    started.push(redis);
    const postgres = await startPostgres({ folder: join(services, 'postgres'), logs });
    started.push(postgres);
    await postgres.createDatabase('n8n');
    return await bootQueueProcesses(options, { redis, postgres, port, count, started, stopEverything });
  } catch (error) {
    await stopEverything();
    throw error;
  }
}

interface QueueParts {
  readonly redis: Service;
  readonly postgres: Postgres;
  readonly port: number;
  readonly count: number;
  readonly started: { stop(): Promise<void> }[];
  readonly stopEverything: () => Promise<void>;
}

async function bootQueueProcesses(options: QueueOptions, parts: QueueParts): Promise<QueueN8n> {
  const { redis, postgres, port, count, started } = parts;
  const webhookPort = options.webhookPort ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const webhookUrl = `http://127.0.0.1:${webhookPort}`;
  const shared = {
    EXECUTIONS_MODE: 'queue',
    QUEUE_BULL_REDIS_HOST: '127.0.0.1',
    QUEUE_BULL_REDIS_PORT: String(redis.port),
    DB_TYPE: 'postgresdb',
    DB_POSTGRESDB_HOST: '127.0.0.1',
    DB_POSTGRESDB_PORT: String(postgres.port),
    DB_POSTGRESDB_DATABASE: 'n8n',
    DB_POSTGRESDB_USER: postgres.user,
    DB_POSTGRESDB_PASSWORD: postgres.password,
    WEBHOOK_URL: webhookUrl,
  };
  const startMain = async () => {
    const own = { ...shared, N8N_PORT: String(port), N8N_EDITOR_BASE_URL: url };
    const main = await startProcess(options, 'start', own, 'n8n main');
    started.push(main);
    await ready(url, main, options.folder);
    return main;
  };
  const workers: Server[] = [];
  let named = 0;
  const startWorker = async () => {
    // Several are started at once: each has a name and a log of its own.
    named += 1;
    const name = `n8n worker ${named}`;
    const health = await freePort();
    const own = { ...shared, QUEUE_HEALTH_CHECK_ACTIVE: 'true', QUEUE_HEALTH_CHECK_PORT: String(health) };
    const worker = await startProcess(options, 'worker', own, name, ['--concurrency=5']);
    started.push(worker);
    workers.push(worker);
    await ready(`http://127.0.0.1:${health}`, worker, options.folder);
    return worker;
  };
  const startWebhooks = async () => {
    const webhooks = await startProcess(
      options,
      'webhook',
      { ...shared, N8N_PORT: String(webhookPort) },
      'n8n webhooks',
    );
    started.push(webhooks);
    await ready(webhookUrl, webhooks, options.folder);
  };
  const main = await startMain();
  // The main has migrated the database: the others may start side by side.
  await Promise.all([startWebhooks(), ...Array.from({ length: count }, () => startWorker())]);
  const queue = (current: Server): QueueN8n => ({
    url,
    webhookUrl,
    port,
    folder: options.folder,
    main: current,
    workers,
    redis,
    postgres,
    startWorker,
    stop: parts.stopEverything,
    kill: () => current.kill(),
    restart: async () => queue(await startMain()),
    command: (args) => runCommand(options, shared, args),
    readLog: () => current.readLog(),
  });
  return queue(main);
}
