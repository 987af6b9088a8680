import { isFailure } from '../../failure';
import { path } from '../../http/path';
import type { Task } from '../../task';
import { filtersOf, type Engine } from './engine';
import { flagAt, idAt, labelsAt, listAt, recordAt, textAt } from './read';

export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly internal: boolean;
  readonly subnets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export async function listNetworks(
  engine: Engine,
  filter: { readonly name?: string; readonly unused?: boolean },
  task: Task,
): Promise<readonly Network[]> {
  const filters = filtersOf({
    name: filter.name === undefined ? undefined : [filter.name],
    dangling: filter.unused === undefined ? undefined : [String(filter.unused)],
  });
  const { body } = await engine.request({ method: 'GET', path: path('/networks'), query: { filters } }, task);
  return (Array.isArray(body) ? body : []).map(readNetwork);
}

function readNetwork(value: unknown): Network {
  return {
    id: idAt(value, 'Id'),
    name: textAt(value, 'Name'),
    driver: textAt(value, 'Driver'),
    scope: textAt(value, 'Scope'),
    internal: flagAt(value, 'Internal'),
    subnets: listAt(value, 'IPAM', 'Config')
      .map((one) => textAt(one, 'Subnet'))
      .filter(Boolean),
    labels: labelsAt(value, 'Labels'),
  };
}

export async function inspectNetwork(
  engine: Engine,
  network: string,
  task: Task,
): Promise<Network & { readonly usedBy: readonly string[] }> {
  const { body } = await engine.request({ method: 'GET', path: path('/networks/{network}', { network }) }, task);
  const usedBy = Object.values(recordAt(body, 'Containers')).map((one) => textAt(one, 'Name'));
  return { ...readNetwork(body), usedBy };
}

export async function createNetwork(
  engine: Engine,
  wish: {
    readonly name: string;
    readonly driver?: string;
    readonly subnet?: string;
    readonly internal?: boolean;
    readonly labels?: Readonly<Record<string, string>>;
  },
  task: Task,
): Promise<Network & { readonly changed: boolean }> {
  // Docker allows two networks of one name; nobody wants them.
  const there = (await listNetworks(engine, { name: wish.name }, task)).find(({ name }) => name === wish.name);
  if (there !== undefined) return { ...there, changed: false };
  const { body } = await engine.request(
    {
      method: 'POST',
      path: path('/networks/create'),
      body: {
        json: {
          Name: wish.name,
          CheckDuplicate: true,
          Driver: wish.driver ?? 'bridge',
          Internal: wish.internal ?? false,
          Labels: wish.labels ?? {},
          ...(wish.subnet !== undefined && { IPAM: { Config: [{ Subnet: wish.subnet }] } }),
        },
      },
    },
    task,
  );
  const { usedBy: _, ...network } = await inspectNetwork(engine, idAt(body, 'Id'), task);
  return { ...network, changed: true };
}

export async function removeNetwork(
  engine: Engine,
  network: string,
  wish: { readonly dryRun?: boolean },
  task: Task,
): Promise<{ readonly name: string; readonly changed: boolean }> {
  try {
    if (wish.dryRun === true) await inspectNetwork(engine, network, task);
    else await engine.request({ method: 'DELETE', path: path('/networks/{network}', { network }) }, task);
    return { name: network, changed: true };
  } catch (error) {
    if (isFailure(error, 'not_found')) return { name: network, changed: false };
    throw error;
  }
}
