import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import { isObject, parseJson } from '../../json';
import type { Task } from '../../task';
import { renderFields } from '../plan-fields';
import { DISCOVER } from '../script/coverage';

/** Something on a host that holds data. */
export type Found =
  | {
      readonly kind: 'database';
      readonly engine: 'postgres' | 'mysql';
      /** As `serverOf` names it. */
      readonly server: string;
      readonly name: string;
    }
  | { readonly kind: 'sqlite'; readonly path: string; readonly bytes: number }
  | {
      readonly kind: 'mount';
      readonly container: string;
      readonly image: string;
      readonly type: 'bind' | 'volume';
      readonly path: string;
      /** Of the volume; empty for a bind mount. */
      readonly name: string;
      readonly inside: string;
      readonly writable: boolean;
    }
  | { readonly kind: 'volume'; readonly name: string; readonly path: string }
  | { readonly kind: 'application'; readonly name: string; readonly path: string };

export interface Discovery {
  readonly found: readonly Found[];
  /** What could not be looked at, and why. Nothing may be concluded about it. */
  readonly unseen: readonly { readonly what: string; readonly why: string }[];
}

export interface DiscoverRequest {
  /** Below these SQLite files are looked for. */
  readonly folders: readonly string[];
  readonly maxFiles?: number;
  /** Where dockerd listens; an empty text is where the docker client looks by itself. */
  readonly dockerSockets: readonly string[];
}

/** What stands on the disks of a host and in its Docker. Databases of servers are asked for there. */
export async function discover(host: Host, request: DiscoverRequest, task: Task): Promise<Discovery> {
  const { folders, dockerSockets, maxFiles = 500_000 } = request;
  const input = renderFields({
    maxFiles,
    sockets: dockerSockets.length,
    folders: folders.length,
    ...Object.fromEntries(dockerSockets.map((socket, index) => [`socket.${index}`, socket])),
    ...Object.fromEntries(folders.map((folder, index) => [`folder.${index}`, folder])),
  });
  const { stdout, truncated } = await runCommand(
    host,
    { script: DISCOVER, strict: false, input },
    { timeoutMs: 15 * 60_000, maxOutputBytes: 64 * 1024 * 1024 },
    task,
  );
  const discovery = truncated ? undefined : parseDiscovery(stdout);
  if (discovery !== undefined) return discovery;
  throw new Failure({
    code: 'discovery_broke_off',
    subject: describeHost(host),
    message: `Looking at what ${describeHost(host)} holds broke off, so nothing can be said about it`,
    nextStep: 'Try again, with fewer folders.',
  });
}

const SIZES = { sqlite: 2, container: 1, volume: 2, application: 2, unseen: 2 } as const;

/** Undefined for an answer that has no end. */
export function parseDiscovery(answer: string): Discovery | undefined {
  const words = answer.split('\0');
  const found: Found[] = [];
  const unseen: { what: string; why: string }[] = [];
  for (let at = 0; at < words.length;) {
    const kind = words[at] ?? '';
    if (kind === 'end') return { found, unseen };
    if (!Object.hasOwn(SIZES, kind)) return undefined;
    const size = SIZES[kind as keyof typeof SIZES];
    const [one = '', two = ''] = words.slice(at + 1, at + 1 + size);
    at += 1 + size;
    if (kind === 'sqlite') found.push({ kind, path: one, bytes: Number(two) });
    else if (kind === 'volume') found.push({ kind, name: one, path: two });
    else if (kind === 'application') found.push({ kind, name: one, path: two });
    else if (kind === 'container') found.push(...mountsOf(one));
    else unseen.push({ what: one, why: two });
  }
  return undefined;
}

function mountsOf(text: string): Found[] {
  const value = parseJson(text);
  if (!isObject(value) || !Array.isArray(value['mounts'])) return [];
  const container = String(value['name']).replace(/^\//, '');
  const image = String(value['image']);
  return value['mounts'].flatMap((mount: unknown): Found[] => {
    if (!isObject(mount)) return [];
    const { Type: type, Name: name, Source: path, Destination: inside, RW: writable } = mount;
    if ((type !== 'bind' && type !== 'volume') || typeof path !== 'string' || typeof inside !== 'string') return [];
    return [
      {
        kind: 'mount',
        container,
        image,
        type,
        path,
        name: typeof name === 'string' ? name : '',
        inside,
        writable: writable !== false,
      },
    ];
  });
}
