import type { PathValue } from '../http/path';
import type { Side } from './api';
import { type ItemOf, readItem, type Shape } from './shape';

/** Where an item stands: `{ id: 42 }`, or `{ zone: 'kua.cl', name: 'www', type: 'A' }`. */
export type Place = Readonly<Record<string, PathValue>>;

/** What an action of a resource is called in its address, and what Hetzner's list of actions calls it. */
export type Commands = Readonly<Record<string, string>>;

/** One kind of thing at Hetzner, said once: where it is, what an item of it holds, what can be done with it. */
export interface Resource<S extends Shape = Shape, C extends Commands = Commands> {
  readonly side: Side;
  /** In sentences: `server`. */
  readonly label: string;
  /** In answers: `server`, and `servers` for lists. */
  readonly one: string;
  readonly many: string;
  readonly collection: string;
  readonly member: string;
  readonly shape: S;
  readonly commands: C;
  /** Whether the list can be asked for a name. */
  readonly byName: boolean;
  /** Whether the list comes in pages; otherwise it is always whole. */
  readonly paged: boolean;
  /** The most that a page of the list holds. */
  readonly perPage: number;
}

export type Item<R extends Resource> = ItemOf<R['shape']>;
export type CommandOf<R extends Resource> = keyof R['commands'] & string;

type Facts<S extends Shape, C extends Commands> = Pick<Resource<S, C>, 'label' | 'one' | 'many' | 'shape'> &
  Partial<Pick<Resource<S, C>, 'side' | 'collection' | 'member' | 'commands' | 'byName' | 'paged' | 'perPage'>>;

export function resourceOf<const S extends Shape, const C extends Commands = Readonly<Record<string, never>>>(
  facts: Facts<S, C>,
): Resource<S, C> {
  const collection = facts.collection ?? `/${facts.many}`;
  return {
    side: 'cloud',
    collection,
    member: `${collection}/{id}`,
    commands: {} as C,
    byName: true,
    paged: true,
    perPage: 50,
    ...facts,
  };
}

export function readOne<R extends Resource>(resource: R, value: unknown): Item<R> {
  return readItem(resource.shape, value, resource.one);
}
