import { isFailure } from '../../failure';
import { path } from '../../http/path';
import type { Task } from '../../task';
import { filtersOf, type Engine } from './engine';
import { idAt, labelsAt, listAt, textAt, timeAt } from './read';

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly created: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

export async function listVolumes(
  engine: Engine,
  filter: { readonly name?: string; readonly labels?: readonly string[]; readonly unused?: boolean },
  task: Task,
): Promise<readonly Volume[]> {
  const filters = filtersOf({
    name: filter.name === undefined ? undefined : [filter.name],
    label: filter.labels,
    dangling: filter.unused === undefined ? undefined : [String(filter.unused)],
  });
  const { body } = await engine.request({ method: 'GET', path: path('/volumes'), query: { filters } }, task);
  return listAt(body, 'Volumes').map(readVolume);
}

function readVolume(value: unknown): Volume {
  return {
    name: idAt(value, 'Name'),
    driver: textAt(value, 'Driver'),
    mountpoint: textAt(value, 'Mountpoint'),
    created: timeAt(value, 'CreatedAt'),
    labels: labelsAt(value, 'Labels'),
  };
}

/** With the containers that use it, running or not. */
export async function inspectVolume(
  engine: Engine,
  volume: string,
  task: Task,
): Promise<Volume & { readonly usedBy: readonly string[] }> {
  const { body } = await engine.request({ method: 'GET', path: path('/volumes/{volume}', { volume }) }, task);
  const { body: users } = await engine.request(
    { method: 'GET', path: path('/containers/json'), query: { all: true, filters: filtersOf({ volume: [volume] }) } },
    task,
  );
  const usedBy = (Array.isArray(users) ? users : []).map((one) =>
    textAt({ name: listAt(one, 'Names')[0] }, 'name').slice(1),
  );
  return { ...readVolume(body), usedBy };
}

/** Makes it, or finds it made: volumes of one name are one volume. */
export async function createVolume(
  engine: Engine,
  wish: { readonly name: string; readonly driver?: string; readonly labels?: Readonly<Record<string, string>> },
  task: Task,
): Promise<Volume & { readonly changed: boolean }> {
  const there = (await listVolumes(engine, { name: wish.name }, task)).find(({ name }) => name === wish.name);
  if (there !== undefined) return { ...there, changed: false };
  const { body } = await engine.request(
    {
      method: 'POST',
      path: path('/volumes/create'),
      body: { json: { Name: wish.name, Driver: wish.driver ?? 'local', Labels: wish.labels ?? {} } },
      idempotent: true,
    },
    task,
  );
  return { ...readVolume(body), changed: true };
}

export async function removeVolume(
  engine: Engine,
  volume: string,
  wish: { readonly dryRun?: boolean },
  task: Task,
): Promise<{ readonly name: string; readonly changed: boolean }> {
  try {
    if (wish.dryRun === true) await inspectVolume(engine, volume, task);
    else await engine.request({ method: 'DELETE', path: path('/volumes/{volume}', { volume }) }, task);
    return { name: volume, changed: true };
  } catch (error) {
    if (isFailure(error, 'not_found')) return { name: volume, changed: false };
    throw error;
  }
}
