import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import { Failure } from '../../failure';
import { isWhole, nameOf, parseManifest, type Manifest } from '../../manifest/manifest';
import { backupTime } from '../../manifest/names';
import { redact } from '../../secrets/redact';
import type { Task } from '../../task';
import { folderOf, type Destination, type Vault } from '../plan';
import { renderFields, secretsOf, vaultFields } from '../plan-fields';
import { LIST_STORED } from '../script/list';

interface StoredFile {
  readonly name: string;
  readonly size: number;
}

/** A folder of one backup at one destination, judged by its listing alone: hashes are another matter. */
export interface StoredBackup {
  readonly folder: string;
  readonly name: string;
  readonly at: Date;
  readonly files: readonly StoredFile[];
  readonly bytes: number;
  readonly state:
    /** Its manifest is good, and every part is there with its size. */
    | { readonly kind: 'complete'; readonly manifest: Manifest }
    /** There is a manifest, but it cannot be read or not every part is as it says. */
    | { readonly kind: 'damaged'; readonly why: string; readonly manifest?: Manifest }
    /** It is being uploaded, or never became a backup. */
    | { readonly kind: 'incomplete'; readonly uploading: boolean };
}

export type Listing =
  | {
      readonly kind: 'read';
      readonly destination: string;
      readonly backups: readonly StoredBackup[];
      /** Files with names that our passwords open, but that are no part of a backup. Nobody but people removes them. */
      readonly others: readonly string[];
    }
  | { readonly kind: 'unreachable'; readonly destination: string; readonly why: string };

const DEADLINE_SECONDS = 600;

/** What the destinations hold, in their order. */
export async function listStored(
  host: Host,
  vault: Vault,
  destinations: readonly Pick<Destination, 'name' | 'remote'>[],
  task: Task,
): Promise<Listing[]> {
  const input = renderFields({
    ...vaultFields(vault),
    deadline: DEADLINE_SECONDS,
    legs: destinations.length,
    ...Object.fromEntries(destinations.map(({ remote }, index) => [`leg.${index}.remote`, remote])),
  });
  const result = await runCommand(
    host,
    { script: LIST_STORED, strict: false, input },
    { timeoutMs: (2 * DEADLINE_SECONDS + 60) * 1000, maxOutputBytes: 256 * 1024 * 1024 },
    task,
  );
  if (result.truncated)
    throw new Failure({
      code: 'backup_listing_too_long',
      subject: describeHost(host),
      message: `The listing of the destinations by way of ${describeHost(host)} is longer than this can read`,
      nextStep: 'Let retention remove old backups, or look at fewer destinations at a time.',
    });
  return readListings(result.stdout, destinations, secretsOf(vault));
}

export function readListings(
  answer: string,
  destinations: readonly Pick<Destination, 'name'>[],
  secrets: readonly string[],
): Listing[] {
  const files = destinations.map((): (StoredFile & { path: string })[] => []);
  const manifests = destinations.map(() => new Map<string, Manifest>());
  const ends: (string | undefined)[] = destinations.map(() => undefined);
  for (const line of answer.split('\n')) {
    const [, kind, number, rest = ''] = /^(file|manifest|read|unreachable) (\d+) ?(.*)$/.exec(line) ?? [];
    const index = Number(number ?? -1);
    if (kind === undefined || destinations[index] === undefined) continue;
    if (kind === 'read') ends[index] = '';
    else if (kind === 'unreachable') ends[index] = rest;
    else if (kind === 'manifest') {
      const manifest = readable(Buffer.from(rest, 'base64').toString('utf8'));
      if (manifest !== undefined) manifests[index]?.set(placeOf(manifest), manifest);
    } else {
      const [, size, path = ''] = /^(\d+) (.*)$/.exec(rest) ?? [];
      if (size !== undefined)
        files[index]?.push({ path, name: path.slice(path.lastIndexOf('/') + 1), size: Number(size) });
    }
  }
  return destinations.map(({ name: destination }, index) => {
    const end = ends[index];
    if (end !== '')
      return { kind: 'unreachable', destination, why: redact(end ?? 'the host gave no answer about it', secrets) };
    return {
      kind: 'read',
      destination,
      ...sorted(files[index] ?? [], manifests[index] ?? new Map<string, Manifest>()),
    };
  });
}

/** The source as the plan calls it: in the manifest its host stands behind it. */
export function sourceOf({ source }: Pick<Manifest, 'source'>): string {
  const at = source.lastIndexOf('@');
  return at > 0 ? source.slice(0, at) : source;
}

function placeOf(manifest: Manifest): string {
  return `${folderOf({ name: sourceOf(manifest) })}/${nameOf(manifest)}`;
}

function readable(text: string): Manifest | undefined {
  try {
    return parseManifest(text);
  } catch {
    return undefined;
  }
}

function sorted(files: readonly (StoredFile & { readonly path: string })[], manifests: ReadonlyMap<string, Manifest>) {
  const groups = new Map<string, StoredFile[]>();
  const others: string[] = [];
  for (const { path, name, size } of files) {
    const [, folder, group] = /^([^/]+)\/([^/]+)\/[^/]+$/.exec(path) ?? [];
    const backup = group?.replace(/\.uploading$/, '') ?? '';
    const ours =
      backupTime(backup) !== undefined &&
      new RegExp(`^${backup}\\.(part-\\d{5}|manifest\\.(json|uploading))$`).test(name);
    if (folder === undefined || group === undefined || !ours) {
      others.push(path);
      continue;
    }
    const list = groups.get(`${folder}/${group}`) ?? [];
    list.push({ name, size });
    groups.set(`${folder}/${group}`, list);
  }
  // A remote lists in any order, and a plan of what goes has to be the same each time.
  const inOrder = [...groups].sort(([one], [other]) => (one < other ? -1 : 1));
  const backups = inOrder.map(([place, list]): StoredBackup => {
    const [folder = '', group = ''] = place.split('/');
    const name = group.replace(/\.uploading$/, '');
    return {
      folder,
      name,
      at: backupTime(name) ?? new Date(0),
      files: list.sort((one, other) => (one.name < other.name ? -1 : 1)),
      bytes: list.reduce((sum, { size }) => sum + size, 0),
      state: judge(list, name, group.endsWith('.uploading'), manifests.get(place)),
    };
  });
  return { backups: backups.sort((one, other) => +one.at - +other.at), others: others.sort() };
}

function judge(
  files: readonly StoredFile[],
  name: string,
  uploading: boolean,
  manifest: Manifest | undefined,
): StoredBackup['state'] {
  if (uploading || !files.some((each) => each.name === `${name}.manifest.json`))
    return { kind: 'incomplete', uploading };
  if (manifest === undefined) return { kind: 'damaged', why: 'its manifest cannot be read' };
  if (!isWhole(manifest))
    return { kind: 'damaged', why: 'its manifest describes a backup that is not whole', manifest };
  const sizes = new Map(files.map((each) => [each.name, each.size]));
  // Sizes of the listing are those of the plain parts, and the manifest has those of the encrypted ones.
  const wrong = manifest.parts.filter((part) => encryptedSize(sizes.get(part.name)) !== part.size);
  const [first] = wrong;
  if (first === undefined) return { kind: 'complete', manifest };
  const problem = sizes.has(first.name) ? 'has not its size' : 'is missing';
  const more = wrong.length > 1 ? `, and so ${wrong.length - 1} more` : '';
  return { kind: 'damaged', why: `${first.name} ${problem}${more}`, manifest };
}

const HEADER = 32;
const BLOCK = 65_536;
const TAG = 16;

/** Of a file in rclone's crypt format: a header, and a tag for every 64 KiB. */
function encryptedSize(plain: number | undefined): number | undefined {
  return plain === undefined ? undefined : HEADER + plain + TAG * Math.ceil(plain / BLOCK);
}
