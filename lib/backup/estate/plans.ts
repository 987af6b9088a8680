import type { JsonObject } from '../../json';
import type { Database, Destination, Folder, Inventory } from '../../inventory/inventory';
import type { WantedSource } from '../expand';

/** What an inventory says of backups, as the plans of the engines. Passwords stay references. */
export interface NightlyDraft {
  /** The plan as people keep it, still without its sources. */
  readonly frame: JsonObject;
  readonly wanted: readonly WantedSource[];
}

export const NIGHTLY = 'nightly';

/** The nightly backup of a host, or undefined where nothing of it is backed up. */
export function nightlyDraft(inventory: Inventory, hostName: string): NightlyDraft | undefined {
  const on = <One extends { readonly host: string }>(all: readonly One[]) =>
    all.filter(({ host }) => host === hostName);
  const wanted: WantedSource[] = [
    ...on(inventory.databases).map(databaseSource),
    ...on(inventory.folders)
      .filter((folder) => folder.as === 'archive')
      .map(({ name, path, excludes, marker, tolerateChanges }) => ({
        ...{ kind: 'directory' as const, name, path, tolerateChanges },
        ...(excludes.length > 0 && { excludes }),
        ...(marker !== '' && { marker }),
      })),
    ...on(inventory.commands).flatMap(({ name, argv: [program, ...others], runAs }) =>
      program === undefined
        ? []
        : [{ kind: 'command' as const, name, argv: [program, ...others] as const, ...(runAs !== '' && { runAs }) }],
    ),
  ];
  if (wanted.length === 0) return undefined;
  const { backups } = inventory;
  const frame = {
    ...frameOf(inventory, hostName, { set: NIGHTLY, folder: hostName, to: [] }),
    everyHours: backups.everyHours,
    ...(backups.deadManUrl !== '' && {
      notices: { deadMan: backups.deadManUrl.replaceAll('{host}', hostName) },
    }),
  };
  return { frame, wanted };
}

export interface PlannedTree {
  readonly host: string;
  readonly name: string;
  readonly as: 'tree' | 'host';
  readonly set: string;
  readonly plan: JsonObject;
}

/** Every folder of which versions are kept, with the set that its runs and its jobs are known by. */
export function plannedTrees(inventory: Inventory): readonly PlannedTree[] {
  return inventory.folders.flatMap((folder): PlannedTree[] => {
    const { host, name, as, path, excludes, marker, tolerateChanges, to } = folder;
    if (as === 'archive') return [];
    const set = setOf(folder);
    const tree = {
      ...{ name, path, tolerateChanges, oneFileSystem: as === 'host' },
      ...(excludes.length > 0 && { excludes: [...excludes] }),
      ...(marker !== '' && { marker }),
    };
    // Beside the nightly backups, whose retention would take the versions for its own.
    const frame = frameOf(inventory, host, { set, folder: `${host}-trees`, to });
    return [{ host, name, as, set, plan: { ...frame, tree, password: inventory.backups.treePassword } }];
  });
}

/** `folder-vaults`, `host-bruno`: by how they begin the flows know whose end they hear of. */
function setOf({ as, name }: Folder): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return `${as === 'host' ? 'host' : 'folder'}-${plain}`.slice(0, 41).replace(/-+$/, '');
}

/** The recovery kit as its node reads it, or undefined where there is none. */
export function plannedKit(inventory: Inventory): { readonly host: string; readonly kit: JsonObject } | undefined {
  const { host, recipients, places, keys } = inventory.backups.kit;
  if (host === '') return undefined;
  const provider = inventory.hosts.find(({ name }) => name === host)?.provider ?? 'other';
  const kit = {
    estate: inventory.estate,
    recipients: [...recipients],
    protects: { provider, host },
    places: places.map(({ host: at, ...place }) => ({ ...place, ...(at !== '' && { host: at }) })),
    keys: { ...keys },
    inventory: inventory as unknown as JsonObject,
  };
  return { host, kit };
}

interface Frame {
  readonly set: string;
  /** Below each destination. Hosts do not share one: what retention of one host sees is all its own. */
  readonly folder: string;
  readonly to: readonly string[];
}

function frameOf(inventory: Inventory, hostName: string, { set, folder, to }: Frame): JsonObject {
  const { backups, hosts } = inventory;
  const destinations = inventory.destinations.filter(({ name, host }) =>
    // A copy on the host itself counts for nothing, so there is one only where somebody has asked for it by name.
    to.length > 0 ? to.includes(name) : host !== hostName,
  );
  const providers = new Set(destinations.map(({ provider }) => provider));
  return {
    set,
    home: { host: hostName, provider: hosts.find(({ name }) => name === hostName)?.provider ?? 'other' },
    // What goes to fewer places on purpose is not degraded every night.
    quorum: Math.max(1, Math.min(backups.quorum, providers.size)),
    destinations: destinations.map((destination) => destinationOf(destination, folder)),
    keep: { ...backups.keep },
    ...(backups.spool !== '' && { spool: { folder: backups.spool } }),
    ...(backups.logFile !== '' && { logFile: backups.logFile }),
  };
}

function destinationOf(destination: Destination, folder: string): JsonObject {
  const { name, remote, provider, host, bandwidth, undeletable, attempts, pauseSeconds } = destination;
  return {
    name,
    remote: remote.endsWith(':') ? `${remote}${folder}` : `${remote.replace(/\/+$/, '')}/${folder}`,
    provider,
    ...(host !== '' && { host }),
    ...(bandwidth !== '' && { bandwidth }),
    ...(undeletable && { undeletable }),
    ...(attempts > 0 && { attempts }),
    ...(pauseSeconds > 0 && { pauseSeconds }),
  };
}

function databaseSource(one: Database): WantedSource {
  const { name, kind, database, container } = one;
  const inContainer = container !== '' && { container };
  const network = {
    ...(one.address !== '' && { address: one.address }),
    ...(one.port > 0 && { port: one.port }),
    ...(one.user !== '' && { user: one.user }),
    ...(one.password !== '' && { password: one.password }),
  };
  switch (kind) {
    case 'postgres': {
      const access = { name, ...inContainer, ...network, ...runAsOf(one) };
      return database === '' ? { kind: 'every-postgres', ...access } : { kind, ...access, database };
    }
    case 'mariadb': {
      const access = { name, ...inContainer, ...network, ...(one.runAs !== '' && { runAs: one.runAs }) };
      return database === '' ? { kind: 'every-mysql', ...access } : { kind: 'mysql', ...access, database };
    }
    case 'sqlite':
      return database.endsWith('/')
        ? { kind: 'every-sqlite', name, path: database }
        : { kind: 'sqlite', name, path: database };
    case 'redis':
      return { kind, name, ...inContainer, ...network };
  }
}

/** Debian lets in who asks as the system user postgres; any other way to log in is somebody's own. */
function runAsOf({ runAs, container, user, address }: Database): { readonly runAs?: string } {
  if (runAs !== '') return { runAs };
  return container === '' && user === '' && address === '' ? { runAs: 'postgres' } : {};
}
