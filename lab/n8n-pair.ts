import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from '../lib/host/run';
import { closeSessions } from '../lib/host/sessions';
import { type Power, powerOf, startComposeMachine } from './compose-machine';
import type { Daemon } from './docker-pair';
import { cacheFolder } from './folders';
import { hostOf } from './hosts/as-host';
import { type Network, startNetwork } from './hosts/network';
import { run } from './hosts/programs';
import { installN8n, type N8nInstall } from './n8n/install';
import { bootN8n, type N8n } from './n8n/instance';
import { installPack, packTarball } from './n8n/pack';
import { makeN8nImage } from './n8n-image';
import { until } from './hosts/waiting';
import { startTogether, type Together } from './together';

/** bruno carries the n8n that works, dev is where that would go, and on eva is its sentinel. */
export type PairHost = 'bruno' | 'dev' | 'eva';
const HOSTS: readonly PairHost[] = ['bruno', 'dev', 'eva'];
type Carrier = 'bruno' | 'dev';
const PORT = 5678;
const CONTAINER = 'n8n-n8n-1';
const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

/** Where people reach each, as far as it knows. */
export const ADDRESSES = { first: 'https://n8n.lab.test', sentinel: 'https://sentinel.lab.test' } as const;

export interface N8nPair extends Power<Carrier> {
  readonly network: Network<PairHost>;
  readonly sockets: Readonly<Record<Carrier, string>>;
  /** A real n8n in a Compose project on bruno. Its folder is where its data are seen from here. */
  readonly first: Pick<N8n, 'url' | 'folder' | 'command'>;
  /** A real n8n in the network of eva, the same one after it was killed and started again. */
  readonly sentinel: Pick<N8n, 'url' | 'folder' | 'command' | 'readLog' | 'kill'> & { restart(): Promise<void> };
  /** Where the first would answer if it ran there. */
  readonly urlOn: (of: Carrier) => string;
  readonly docker: (of: Carrier, ...argv: readonly string[]) => Promise<string>;
  /** Where the project's folder of that machine is seen from here. */
  readonly project: (of: Carrier) => string;
  /** A folder that outlives every machine, seen by all of them: somebody else's disk. */
  readonly store: string;
  readonly stop: () => Promise<void>;
}

/** Two real n8n on machines of their own, the first in a container that can move. Needs root. */
export async function startN8nPair(): Promise<N8nPair> {
  const install = await installN8n();
  const tarball = await packTarball();
  return startTogether((together) => start(together, install, tarball));
}

async function start({ ledger, keep, stop }: Together, install: N8nInstall, tarball: string): Promise<N8nPair> {
  // The machines do not see the home of this one, where both are installed.
  const programs = join(ledger.folder, 'programs');
  await mkdir(programs);
  ledger.add({ kind: 'mount', path: programs });
  await run(['mount', '--bind', cacheFolder, programs]);
  const network = keep(await startNetwork<PairHost>({ hosts: HOSTS }));
  keep({ stop: closeSessions });
  const store = join(ledger.folder, 'store');
  await mkdir(store);
  await chmod(store, 0o777);
  const project = (of: Carrier) => join(ledger.folder, `${of}-srv`, 'n8n');
  const mounts = {
    n8n: join(programs, basename(dirname(install.modules))),
    node: join(programs, install.folder.slice(cacheFolder.length)),
  };
  const daemons = {} as Record<Carrier, Daemon>;
  for (const name of ['bruno', 'dev'] as const) {
    // As they are after Compose has been there once.
    await mkdir(join(project(name), 'data'), { recursive: true });
    await writeFile(join(project(name), 'compose.yml'), compose(mounts));
    daemons[name] = await startComposeMachine(network, ledger, name, dirname(project(name)));
    await makeN8nImage(daemons[name], install);
  }
  const docker = (of: Carrier, ...argv: readonly string[]) => daemons[of].docker(...argv);
  const urlOn = (of: Carrier) => `http://${network.hosts[of].address}:${PORT}`;
  const folder = join(project('bruno'), 'data');
  await installPack(install, folder, tarball);
  const up = ['docker', 'compose', '--project-directory', '/srv/n8n', 'up', '--detach'] as const;
  const environment = { DOCKER_HOST: `unix://${daemons.bruno.socket}` };
  await runCommand(hostOf(network.hosts.bruno), { argv: up, environment }, { timeoutMs: 120_000 }, quiet);

  const own = join(ledger.folder, 'sentinel');
  await installPack(install, own, tarball);
  let sentinel = await bootN8n({
    install,
    folder: own,
    logs: join(ledger.folder, 'sentinel-logs'),
    on: { namespace: network.namespaces.eva, address: network.hosts.eva.address },
    environment: { WEBHOOK_URL: `${ADDRESSES.sentinel}/`, N8N_PROXY_HOPS: '1' },
  });
  keep({ stop: () => sentinel.stop() });
  await until('the first n8n is ready', 240_000, () => isReady(urlOn('bruno'))).catch(async (error: unknown) => {
    const log = await docker('bruno', 'logs', CONTAINER).catch(String);
    throw new Error(`The first n8n did not start: ${log.slice(-3000)}`, { cause: error });
  });
  return {
    network,
    sockets: { bruno: daemons.bruno.socket, dev: daemons.dev.socket },
    first: {
      url: urlOn('bruno'),
      folder,
      command: (args) =>
        docker(
          ...(['bruno', 'exec', '-e', 'N8N_RUNNERS_BROKER_PORT=5690', CONTAINER, ...N8N] as const),
          ...args.map((each) => each.replace(folder, '/data')),
        ),
    },
    sentinel: {
      ...{ url: sentinel.url, folder: own, command: sentinel.command },
      readLog: () => sentinel.readLog(),
      kill: () => sentinel.kill(),
      restart: async () => {
        sentinel = await sentinel.restart();
      },
    },
    urlOn,
    docker,
    project,
    store,
    ...powerOf<Carrier>(network, ledger, daemons),
    stop,
  };
}

export async function isReady(url: string): Promise<true | undefined> {
  try {
    const { ok } = await fetch(`${url}/healthz/readiness`, { signal: AbortSignal.timeout(5_000) });
    return ok ? true : undefined;
  } catch {
    return undefined;
  }
}

const N8N = ['/opt/node/bin/node', '/opt/n8n/node_modules/n8n/bin/n8n'] as const;

/** As people write it, with a restart policy, and with its database in the folder of its other data. */
function compose(mounts: { readonly n8n: string; readonly node: string }): string {
  return JSON.stringify({
    name: 'n8n',
    services: {
      n8n: {
        image: 'n8n:lab',
        restart: 'always',
        network_mode: 'host',
        volumes: ['./data:/data', `${mounts.n8n}:/opt/n8n:ro`, `${mounts.node}:/opt/node:ro`],
        environment: {
          ...{
            PATH: '/opt/node/bin:/bin',
            HOME: '/data',
            N8N_USER_FOLDER: '/data',
            N8N_PORT: String(PORT),
          },
          ...{ N8N_LISTEN_ADDRESS: '0.0.0.0', N8N_SECURE_COOKIE: 'false', N8N_DIAGNOSTICS_ENABLED: 'false' },
          ...{ N8N_VERSION_NOTIFICATIONS_ENABLED: 'false', N8N_TEMPLATES_ENABLED: 'false', N8N_PROXY_HOPS: '1' },
          ...{ N8N_PERSONALIZATION_ENABLED: 'false', WEBHOOK_URL: `${ADDRESSES.first}/` },
        },
        command: [...N8N, 'start'],
        healthcheck: {
          test: ['CMD', 'wget', '-q', '-O', '/dev/null', `http://127.0.0.1:${PORT}/healthz/readiness`],
          interval: '2s',
          timeout: '5s',
          retries: 200,
        },
      },
    },
  });
}
