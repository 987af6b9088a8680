import { Failure } from '../../failure';
import { jsonOf, type JsonObject } from '../../json';
import type { Database, Destination, Folder, Inventory, Service } from '../../inventory/inventory';
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
    ...on(inventory.databases).map((one) => databaseSource(one, dockerOf(inventory, hostName))),
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

/** Something a service has written, and how it comes back on its standby. */
export interface ReturningData {
  readonly service: string;
  /** Its name in the inventory, and in its backups. */
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'tree' | 'database';
  /** The plan to restore it by, on the standby. */
  readonly plan: JsonObject;
  /** The plan by which an inventory of backups tells what there is of it. */
  readonly look: JsonObject;
  /** Where it belongs: a path, or the name of the database. */
  readonly to: string;
  /** The outermost of its folders in which it lies: it is put there after that, and restored beside that. Empty: in none. */
  readonly within: string;
  /** The Compose service that has to run meanwhile, and how the programs in its container log in. */
  readonly start: string;
  readonly user: string;
  readonly runAs: string;
}

/** Everything that a service needs back on its standby, without asking its home, which is gone. */
export function returningData(inventory: Inventory, serviceName: string): readonly ReturningData[] {
  const service = inventory.services.find(({ name }) => name === serviceName);
  if (service === undefined) throw noSuchService(serviceName);
  const { host, standby, data } = service;
  const common = { service: serviceName, within: '', start: '', user: '', runAs: '' };
  const planOf = (source: WantedSource) => ({
    ...frameOf(inventory, host, { set: NIGHTLY, folder: host, to: [] }),
    everyHours: inventory.backups.everyHours,
    sources: [jsonOf(source)],
  });
  const all = data.flatMap(({ name, to, start }): ReturningData[] => {
    const database = inventory.databases.find((one) => one.name === name);
    if (database !== undefined) {
      const plan = planOf(databaseSource(database, dockerOf(inventory, standby)));
      const { user, runAs } = database;
      return database.kind === 'sqlite'
        ? [{ ...common, name, kind: 'file', plan, look: plan, to: to || database.database }]
        : [{ ...common, name, kind: 'database', plan, look: plan, to: database.database, start, user, runAs }];
    }
    const folder = inventory.folders.find((one) => one.name === name);
    if (folder === undefined) return [];
    const look = planOf({ kind: 'directory', name, path: folder.path });
    const tree = plannedTrees(inventory).find((one) => one.name === name);
    if (tree === undefined) return [{ ...common, name, kind: 'folder', plan: look, look, to: to || folder.path }];
    const { tree: _, password: __, ...frame } = tree.plan;
    const { sources } = look;
    const versions = { ...frame, everyHours: inventory.backups.everyHours, sources };
    return [{ ...common, name, kind: 'tree', plan: tree.plan, look: versions, to: to || folder.path }];
  });
  return outermostFirst(all);
}

/** n8n keeps its database in the folder of its other data: whoever puts that folder in place last puts it over the database. */
function outermostFirst(all: readonly ReturningData[]): readonly ReturningData[] {
  const isAround = (outer: ReturningData, one: ReturningData) =>
    (outer.kind === 'folder' || outer.kind === 'tree') && one.kind !== 'database' && one.to.startsWith(`${outer.to}/`);
  const depth = ({ to, within }: ReturningData) => (within === '' ? 0 : to.split('/').length);
  return all
    .map((one) => {
      const [outermost] = all.filter((outer) => isAround(outer, one)).sort((a, b) => a.to.length - b.to.length);
      return { ...one, within: outermost?.to ?? '' };
    })
    .sort((a, b) => depth(a) - depth(b));
}

function noSuchService(name: string): Failure {
  return new Failure({
    code: 'service_unknown',
    subject: `service ${name.slice(0, 100)}`,
    message: `The inventory has no service "${name.slice(0, 100)}"`,
    nextStep: 'Name one of its services.',
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
    files: environmentFiles(inventory, host),
    inventory: jsonOf(inventory),
  };
  return { host, kit };
}

/** What the `.env` of a service is called among the keys of a kit. */
export const environmentKey = (service: string) => `env.${service}`;

/** Where the variables of a service lie on its host: beside its Compose files. */
export function environmentFile({ project, folder }: Service): string {
  return [project.replace(/\/+$/, ''), ...(folder === '' ? [] : [folder]), '.env'].join('/');
}

/** Of the services on the host where the kit is made. Those of other hosts it cannot read. */
function environmentFiles({ services }: Inventory, hostName: string): JsonObject {
  return Object.fromEntries(
    services
      .filter(({ host, project }) => host === hostName && project !== '')
      .map((service) => [environmentKey(service.name), environmentFile(service)]),
  );
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

function dockerOf({ hosts }: Inventory, hostName: string): string {
  return hosts.find(({ name }) => name === hostName)?.docker ?? '';
}

function databaseSource(one: Database, dockerSocket: string): WantedSource {
  const { name, kind, database, container } = one;
  const inContainer = container !== '' && { container, ...(dockerSocket !== '' && { dockerSocket }) };
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
