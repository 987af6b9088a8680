import type { PathValue } from '../http/path';
import type { Json } from '../json';
import { type ItemOf, readShape, type Shape } from '../shape';
import { unreadable } from './fields';
import type { Since } from './version';

/** Below what things stand: `/repos/{owner}/{repo}` with the two names, `/orgs/{org}`, `/user`, `/admin`, or nothing. */
export interface Base {
  readonly path: string;
  readonly at: Readonly<Record<string, PathValue>>;
}

/** How the values that are written to a field look in what the server answers. */
export type Views = Readonly<Record<string, (raw: Readonly<Record<string, unknown>>) => unknown>>;

/** One kind of thing at Forgejo, said once: where it is below its base, and what an item of it holds. */
export interface Kind<S extends Shape = Shape> {
  /** In sentences: `branch protection`. */
  readonly label: string;
  readonly collection: string;
  readonly member: string;
  readonly shape: S;
  /** The field of the answer that people call it by. */
  readonly called: string;
  /** Whether the list comes in pages; otherwise it is always whole. */
  readonly paged: boolean;
  readonly views: Views;
  readonly since: Since | undefined;
}

type Facts<S extends Shape> = Pick<Kind<S>, 'label' | 'collection' | 'shape'> & Partial<Kind<S>>;

export function kindOf<const S extends Shape>(facts: Facts<S>): Kind<S> {
  return {
    member: `${facts.collection}/{id}`,
    called: 'name',
    paged: true,
    views: {},
    since: undefined,
    ...facts,
  };
}

export type Item<K extends Kind> = ItemOf<K['shape']>;

/** A thing as the server shows it, and what of it is put out. */
export interface Found<S extends Shape = Shape> {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly item: ItemOf<S>;
}

export function readFound<S extends Shape>(kind: Kind<S>, body: unknown): Found<S> {
  const item = readItem(kind.shape, body, kind.label);
  return { raw: body as Record<string, unknown>, item };
}

export function readItem<S extends Shape>(shape: S, body: unknown, label: string): ItemOf<S> {
  return readShape(shape, body, label, (where, mustBe) => unreadable(`a ${label}`, `${where} is not ${mustBe}`));
}

/** What is in the answer under this name, as it is written. */
export function shownAs({ views }: Kind, raw: Found['raw'], name: string): Json | undefined {
  const view = views[name];
  return (view === undefined ? raw[name] : view(raw)) as Json | undefined;
}
