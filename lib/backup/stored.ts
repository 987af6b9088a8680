import { Failure, messageOf } from '../failure';
import { describeHost, type Host } from '../host/host';
import { runCommand } from '../host/run';
import { isObject } from '../json';
import { isWhole, parseManifest, type Manifest } from '../manifest/manifest';
import { backupTime } from '../manifest/names';
import { redact } from '../secrets/redact';
import type { Task } from '../task';
import { folderOf, type Destination, type Vault } from './plan';
import { renderFields, secretsOf, vaultFields, type Fields } from './plan-fields';
import { FETCH_MANIFESTS } from './script/verify';

/** One backup of one source: the name of the source as in the plan, and the name that the report gave. */
export interface BackupId {
  readonly source: string;
  readonly name: string;
}

export type StoredManifest =
  | { readonly kind: 'there'; readonly manifest: Manifest }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'damaged'; readonly why: string };

export function backupFields(
  { source, name }: BackupId,
  vault: Vault,
  destinations: readonly Pick<Destination, 'name' | 'remote'>[],
): Fields {
  if (backupTime(name) === undefined) {
    throw new Failure({
      code: 'backup_name_invalid',
      subject: `backup ${name.slice(0, 60)}`,
      message: `"${name.slice(0, 60)}" is not the name of a backup`,
      nextStep: 'Take the name from the report of a run; it looks like 2026-01-31T020000Z.',
    });
  }
  return {
    ...vaultFields(vault),
    folder: folderOf({ name: source }),
    name,
    legs: destinations.length,
    ...Object.fromEntries(
      destinations.flatMap((each, index) => [
        [`leg.${index}.name`, each.name],
        [`leg.${index}.remote`, each.remote],
      ]),
    ),
  };
}

/** Reads the manifest of a backup at each destination, in their order. */
export async function readManifests(
  host: Host,
  vault: Vault,
  id: BackupId,
  destinations: readonly Pick<Destination, 'name' | 'remote'>[],
  task: Task,
): Promise<StoredManifest[]> {
  const input = renderFields(backupFields(id, vault, destinations));
  const { stdout } = await runCommand(
    host,
    { script: FETCH_MANIFESTS, strict: false, input },
    { timeoutMs: 30_000 + destinations.length * 90_000, maxOutputBytes: 64 * 1024 * 1024 },
    task,
  );
  const found = new Map<number, StoredManifest>();
  for (const line of stdout.split('\n')) {
    const [, kind, number, rest = ''] = /^(manifest|missing|unreachable) (\d+) ?(.*)$/.exec(line) ?? [];
    if (number === undefined) continue;
    if (kind === 'manifest') found.set(Number(number), judged(Buffer.from(rest, 'base64').toString('utf8')));
    else if (kind === 'missing') found.set(Number(number), { kind: 'missing' });
    else found.set(Number(number), { kind: 'unreachable', why: redact(rest, secretsOf(vault)) });
  }
  return destinations.map(
    (_, index) => found.get(index) ?? { kind: 'unreachable', why: 'the host gave no answer about it' },
  );
}

function judged(text: string): StoredManifest {
  try {
    const manifest = parseManifest(text);
    return isWhole(manifest)
      ? { kind: 'there', manifest }
      : { kind: 'damaged', why: 'it describes a backup that is not whole' };
  } catch (error) {
    return { kind: 'damaged', why: messageOf(error) };
  }
}

/** The manifest that one destination holds, or why there is none to work with. */
export async function needManifest(
  host: Host,
  vault: Vault,
  id: BackupId,
  destination: Pick<Destination, 'name' | 'remote'>,
  task: Task,
): Promise<Manifest> {
  const [stored] = await readManifests(host, vault, id, [destination], task);
  if (stored?.kind === 'there') return stored.manifest;
  const why =
    stored === undefined || stored.kind === 'missing' ? 'has no manifest of it' : `cannot give it: ${stored.why}`;
  throw new Failure({
    code: stored?.kind === 'unreachable' ? 'backup_unreachable' : 'backup_missing',
    subject: `backup ${id.source} ${id.name} at ${destination.name}`,
    message: `Backup ${id.name} of ${id.source} cannot be read: ${destination.name} ${why}`,
    nextStep: `Try another destination, and check from ${describeHost(host)} that this one can be reached with the same crypt passwords.`,
  });
}

/** Parts and whatever hashes the manifest has of them, as the scripts read them. */
export function partFields({ parts, facts }: Manifest): Fields {
  const hashes: [string, unknown][] = isObject(facts.hashes) ? Object.entries(facts.hashes) : [];
  const fields: Record<string, string | number | undefined> = {
    parts: parts.length,
    kind: typeof facts.kind === 'string' ? facts.kind : undefined,
    server: typeof facts.server === 'number' ? facts.server : undefined,
    // Written into the configuration of a throwaway server, so nothing that could end a line or a quoted text.
    preload: plain(facts.preload, /^[A-Za-z0-9_$./, -]+$/),
    charset: plain(facts.charset, /^[A-Za-z0-9_]+$/),
    collation: plain(facts.collation, /^[A-Za-z0-9_]+$/),
  };
  parts.forEach(({ name, size, sha256 }, index) => {
    fields[`part.${index}.name`] = name;
    fields[`part.${index}.size`] = size;
    fields[`part.${index}.sha256`] = sha256;
    for (const [type, list] of hashes) {
      const value: unknown = Array.isArray(list) ? list[index] : undefined;
      if (typeof value === 'string' && /^[a-z0-9]+$/.test(type)) fields[`part.${index}.${type}`] = value;
    }
  });
  return fields;
}

/** What stands in the manifest of a tree is its record only; its files are in a repository of their own. */
export function refuseTree({ facts }: Manifest, backup: BackupId): void {
  if (facts.kind !== 'tree') return;
  throw new Failure({
    code: 'backup_is_tree',
    subject: `backup ${backup.source} ${backup.name}`,
    message: `Backup ${backup.name} of ${backup.source} is a snapshot of a tree, whose files are in a repository`,
    nextStep: 'Use the operations for trees. Nothing was changed.',
  });
}

function plain(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

export interface TableCount {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
}

export function parseTables(value: unknown): TableCount[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const tables = value.flatMap((each: unknown): TableCount[] => {
    if (!isObject(each)) return [];
    const { schema, table, rows } = each;
    return typeof schema === 'string' && typeof table === 'string' && typeof rows === 'number'
      ? [{ schema, table, rows }]
      : [];
  });
  return tables.length === value.length ? tables : undefined;
}
