import { isObject } from '../json';
import type { Task } from '../task';
import { actionsIn } from './action';
import { entriesOf, type HetznerApi, pathOf } from './api';
import { awaitActions, type Changed, changeItem, type Manner, unchanged } from './change';
import { checkLabels, checkName, refuse } from './checks';
import { getItem, listItems } from './read';
import type { Item, Place } from './resource';
import { storageBoxes, storageBoxSnapshots, type storageBoxTypes } from './resources/storage';
import { present } from './servers';
import { integer, type Labels, readOf } from './shape';
import { write } from './write';

export type StorageBox = Item<typeof storageBoxes>;
export type StorageBoxSnapshot = Item<typeof storageBoxSnapshots>;

/** Null where Hetzner has not measured it yet. */
export function usedPercent({ usedBytes, sizeBytes }: StorageBox): number | null {
  if (usedBytes === null || sizeBytes === 0) return null;
  return Math.round((1000 * usedBytes) / sizeBytes) / 10;
}

export async function listFolders(api: HetznerApi, id: number, path: string, task: Task): Promise<readonly string[]> {
  const { body } = await api.request(
    'storage',
    { method: 'GET', path: pathOf('/storage_boxes/{id}/folders', { id }), query: path === '' ? {} : { path } },
    task,
  );
  return entriesOf(body, 'folders').map(String);
}

/** The description is what it is known by: a lost answer is found again by it. */
export async function createSnapshot(
  api: HetznerApi,
  box: number,
  { description, labels }: { readonly description: string; readonly labels: Labels },
  manner: Manner,
  task: Task,
): Promise<Changed<StorageBoxSnapshot | undefined>> {
  checkName(description, 'The description of the snapshot');
  checkLabels(labels);
  if (manner.dryRun) return { ...unchanged(undefined), changed: true };
  const within = { box };
  const answer = await write(
    api,
    {
      side: 'storage',
      method: 'POST',
      path: pathOf(storageBoxSnapshots.collection, within),
      body: { description, labels },
      lockedMs: manner.lockedMs,
      lookUp: async (since) => {
        const snapshots = await listItems(api, storageBoxSnapshots, { within }, task);
        return snapshots
          .filter((one) => one.description === description && Date.parse(one.createdAt) >= since())
          .map(({ id }) => ({ snapshot: { id } }))
          .at(0);
      },
    },
    task,
  );
  const actions = await awaitActions(api, storageBoxSnapshots, actionsIn(answer), manner, task);
  const made = isObject(answer) && isObject(answer['snapshot']) ? answer['snapshot']['id'] : undefined;
  const item = await getItem(api, storageBoxSnapshots, { ...within, id: readOf(integer, made, 'snapshot.id') }, task);
  return { changed: true, item, changes: [], actions, answer: null };
}

export async function changeBoxType(
  api: HetznerApi,
  place: Place,
  type: Item<typeof storageBoxTypes>,
  manner: Manner,
  task: Task,
): Promise<Changed<StorageBox>> {
  const gb = (bytes: number) => `${Math.round(bytes / 1e9)} GB`;
  const change = {
    place,
    command: 'change_type',
    body: { storage_box_type: type.name },
    isDone: (box: StorageBox) => box.type === type.name,
    check: ({ name, usedBytes }: StorageBox) => {
      if ((usedBytes ?? 0) <= type.sizeBytes) return;
      throw refuse(
        `storage box ${name}`,
        `${name} holds ${gb(usedBytes ?? 0)}, and ${type.name} has room for only ${gb(type.sizeBytes)}`,
        'Choose a larger type, or delete data and snapshots first.',
      );
    },
  } as const;
  return changeItem(api, storageBoxes, change, manner, task);
}

export interface SnapshotPlan {
  readonly maxSnapshots: number;
  readonly hour: number;
  readonly minute: number;
  /** 1 is Monday; undefined is every day. */
  readonly dayOfWeek?: number;
  readonly dayOfMonth?: number;
}

export function planBody(plan: SnapshotPlan) {
  if (plan.dayOfWeek !== undefined && plan.dayOfMonth !== undefined) {
    throw refuse(
      'snapshot plan',
      'A snapshot plan has a day of the week or a day of the month, not both',
      'Remove one of the two.',
    );
  }
  return present({
    max_snapshots: plan.maxSnapshots,
    hour: plan.hour,
    minute: plan.minute,
    day_of_week: plan.dayOfWeek,
    day_of_month: plan.dayOfMonth,
  });
}

/** Says what Hetzner would say, before the password is sent anywhere. */
export function checkPassword(password: string): void {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/];
  if (password.length >= 12 && password.length <= 128 && kinds.every((kind) => kind.test(password))) return;
  throw refuse(
    'storage box password',
    'The password is too weak for Hetzner',
    'Use 12 to 128 characters, with small and capital letters, digits and special characters.',
  );
}
