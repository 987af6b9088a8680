import { environmentFile, environmentKey, nightlyDraft, plannedTrees } from '../backup/estate/plans';
import type { WantedSource } from '../backup/expand';
import { Failure } from '../failure';
import type { Inventory, Service } from '../inventory/inventory';
import { isObject, isTexts, jsonOf, type JsonObject } from '../json';

/** One thing that is brought back. What it needs is in it, so that it can be done alone, and again. */
export interface RecoveryStep {
  /** The group of the recovery order it belongs to, counted from 1. */
  readonly stage: number;
  readonly name: string;
  readonly does: 'restore' | 'tree' | 'start';
  /** Of a restore: a plan with this one source. Of a tree: its plan. */
  readonly plan: JsonObject;
  /** Which key of the recovery kit each secret reference is. */
  readonly keys: Readonly<Record<string, string>>;
  /** Of a start: what is deployed. */
  readonly service: ServiceToStart | null;
}

export interface ServiceToStart {
  readonly stack: string;
  readonly directory: string;
  readonly repository: string;
  readonly branch: string;
  readonly folder: string;
  readonly files: readonly string[];
  /** Where its variables belong, and which key of the kit they are. */
  readonly environmentFile: string;
  readonly environmentKey: string;
  readonly url: string;
  readonly watchSeconds: number;
}

export interface RecoveryPlan {
  readonly host: string;
  readonly steps: readonly RecoveryStep[];
  readonly stages: readonly { readonly stage: number; readonly services: readonly string[] }[];
  /** What this leaves to people, each with its reason. */
  readonly left: readonly string[];
}

/**
 * All that was on a host, in the order in which it is brought back: for each service its files, then its containers, then
 * the databases in these. Services that the recovery order does not name come last.
 */
export function planRecovery(
  inventory: Inventory,
  hostName: string,
  { drill = false }: { readonly drill?: boolean } = {},
): RecoveryPlan {
  const host = inventory.hosts.find(({ name }) => name === hostName);
  if (host === undefined) throw unplanned(hostName, 'the inventory has no such host');
  const omitted = drill ? (host.recovery?.notInDrills ?? []) : [];
  const services = inventory.services.filter(({ name, host: at }) => at === hostName && !omitted.includes(name));
  const left: string[] = omitted.map((name) => `${name}: drills leave it out`);
  const groups = groupsOf(inventory, services);
  const keys = kitKeys(inventory);
  const draft = nightlyDraft(inventory, hostName);
  const steps: RecoveryStep[] = [];
  const planned = new Set<string>();
  const restore = (stage: number, wanted: WantedSource) => {
    if (draft === undefined || planned.has(wanted.name)) return;
    planned.add(wanted.name);
    const { notices: _, ...frame } = draft.frame;
    const plan = { ...frame, sources: [jsonOf(wanted)] };
    steps.push({ stage, name: wanted.name, does: 'restore', plan, keys, service: null });
  };
  const trees = plannedTrees(inventory).filter((tree) => tree.host === hostName && tree.as === 'tree');
  const tree = (stage: number, { name, plan }: (typeof trees)[number]) => {
    if (planned.has(name)) return;
    planned.add(name);
    steps.push({ stage, name, does: 'tree', plan, keys, service: null });
  };
  const files = (draft?.wanted ?? []).flatMap((wanted) =>
    wanted.kind === 'directory' || wanted.kind === 'sqlite' || wanted.kind === 'every-sqlite'
      ? [{ wanted, path: wanted.path }]
      : [],
  );
  const databases = (draft?.wanted ?? []).filter(({ kind }) => /postgres|mysql/.test(kind));

  groups.forEach((group, index) => {
    const stage = index + 1;
    for (const service of group) {
      for (const { wanted, path } of files) if (isBelow(path, service)) restore(stage, wanted);
      for (const one of trees) if (isBelow(treePath(one.plan), service)) tree(stage, one);
      if (service.project === '' || service.repository === '')
        left.push(`${service.name}: the inventory does not say from which repository it is started, and where`);
      else steps.push(startOf(inventory, service, stage));
      for (const wanted of databases) if (serviceOf(inventory, wanted.name) === service.name) restore(stage, wanted);
    }
  });
  const last = Math.max(1, groups.length);
  // What belongs to no service can be looked at when everything runs again.
  for (const { wanted } of files) restore(last, wanted);
  for (const one of trees) tree(last, one);
  for (const wanted of draft?.wanted ?? []) {
    if (wanted.kind === 'command') restore(last, wanted);
    else if (planned.has(wanted.name) || omitted.includes(serviceOf(inventory, wanted.name) ?? '')) continue;
    else if (wanted.kind === 'redis')
      left.push(`${wanted.name}: a Redis is started empty; its backup is restored by hand`);
    else
      left.push(
        `${wanted.name}: the inventory does not say which service brings its server ("service" of the database)`,
      );
  }
  for (const { name, as, host: at } of inventory.folders)
    if (as === 'host' && at === hostName)
      left.push(`${name}: the files of the whole host are there to look things up in`);
  return {
    host: hostName,
    steps,
    stages: groups.map((group, index) => ({ stage: index + 1, services: group.map(({ name }) => name) })),
    left,
  };
}

function groupsOf({ recoveryOrder }: Inventory, services: readonly Service[]): readonly (readonly Service[])[] {
  const named = recoveryOrder.map((names) =>
    names.flatMap((name) => services.find((service) => service.name === name) ?? []),
  );
  const others = services.filter(({ name }) => !recoveryOrder.flat().includes(name));
  return [...named, others].filter((group) => group.length > 0);
}

function startOf({ git }: Inventory, service: Service, stage: number): RecoveryStep {
  const { name, project, repository, branch, folder, files, url, watchSeconds } = service;
  const from = git.mirror?.url ?? git.url;
  const start: ServiceToStart = {
    stack: name,
    directory: project,
    repository: from === '' ? '' : `${from.replace(/\/+$/, '')}/${repository}.git`,
    ...{ branch, folder, files, url, watchSeconds },
    environmentFile: environmentFile(service),
    environmentKey: environmentKey(name),
  };
  return { stage, name, does: 'start', plan: {}, keys: {}, service: start };
}

function serviceOf({ databases, services }: Inventory, name: string): string | undefined {
  const database = databases.find((one) => one.name === name);
  if (database === undefined || database.container === '') return undefined;
  const brings = database.service === '' ? database.container : database.service;
  return services.find((service) => service.name === brings && service.host === database.host)?.name;
}

function kitKeys({ backups }: Inventory): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(backups.kit.keys).map(([name, reference]) => [reference, name]));
}

function isBelow(path: string, { project }: Service): boolean {
  const top = project.replace(/\/+$/, '');
  return top !== '' && (path === top || path.startsWith(`${top}/`));
}

function treePath({ tree }: JsonObject): string {
  return isObject(tree) && typeof tree['path'] === 'string' ? tree['path'] : '';
}

/** A step as it was planned, and has come back through a flow. */
export function parseStep(value: unknown): RecoveryStep {
  const { stage, name, does, plan, keys } = isObject(value) ? value : {};
  if (
    typeof stage === 'number' &&
    typeof name === 'string' &&
    (does === 'restore' || does === 'tree') &&
    isObject(plan) &&
    isTexts(keys)
  ) {
    return { stage, name, does, plan: jsonOf(plan), keys, service: null };
  }
  throw unplanned('a step', 'it is no step of a plan that restores something');
}

function unplanned(what: string, why: string): Failure {
  return new Failure({
    code: 'recovery_unplanned',
    subject: `the recovery of ${what.slice(0, 60)}`,
    message: `The recovery of ${what.slice(0, 60)} cannot be planned: ${why}`,
    nextStep: 'Take the name of a host of the inventory, and the steps as Plan Recovery gives them.',
  });
}
