import { createHash } from 'node:crypto';
import { Failure } from '../failure';
import type { Place } from '../infisical/place';
import { isObject, type Json } from '../json';
import { lockBox, openBox } from '../secrets/box';
import type { SealedText } from '../secrets/sealed';
import type { StateStore } from '../state/store';

/**
 * What a rotation leaves behind while it is under way, so that a crash at any point is no loss. The new value stands in
 * it encrypted, with a key that is made of the Infisical credential; the old one stays in Infisical's versions.
 */
export interface Journal {
  readonly phase: 'forward' | 'undoing';
  readonly owner: string;
  /** The version of the secret before. */
  readonly fromVersion: number;
  /** Absent until the owner has made it. */
  readonly fresh?: SealedText;
  readonly by: string;
}

export interface JournalOf {
  readonly store: StateStore;
  readonly boxKey: Buffer;
  readonly place: Place;
  readonly key: string;
}

const SCHEMA = 1;

export function rotationName({ place, key }: Pick<JournalOf, 'place' | 'key'>): string {
  const text = [place.projectId, place.environment, place.path, key].join('\0');
  return `${key.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 60)}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

const stateKey = (of: JournalOf) => `rotation/${rotationName(of)}`;
const aboutBox = (of: JournalOf) => `rotation of ${of.key} in ${of.place.environment}:${of.place.path}`;

export async function readJournal(of: JournalOf): Promise<Journal | undefined> {
  const entry = await of.store.read(stateKey(of));
  return entry === undefined ? undefined : parse(of, entry.value);
}

export async function keepJournal(of: JournalOf, journal: Journal): Promise<void> {
  const { fresh, ...plain } = journal;
  const value: Json = {
    schema: SCHEMA,
    environment: of.place.environment,
    path: of.place.path,
    key: of.key,
    ...plain,
    ...(fresh !== undefined && { box: lockBox(of.boxKey, fresh, aboutBox(of)) }),
  };
  await of.store.update(stateKey(of), () => value);
}

export async function endJournal(of: JournalOf): Promise<void> {
  await of.store.remove(stateKey(of));
}

function parse(of: JournalOf, value: Json): Journal {
  if (isObject(value) && value['schema'] === SCHEMA) {
    const { phase, owner, fromVersion, box, by } = value;
    if (
      (phase === 'forward' || phase === 'undoing') &&
      typeof owner === 'string' &&
      typeof fromVersion === 'number' &&
      typeof by === 'string'
    ) {
      return {
        phase,
        owner,
        fromVersion,
        by,
        ...(typeof box === 'string' && { fresh: openBox(of.boxKey, box, aboutBox(of)) }),
      };
    }
  }
  throw new Failure({
    code: 'rotation_journal_unreadable',
    subject: aboutBox(of),
    message: `The journal of the ${aboutBox(of)} is not understood: a newer version of this pack may have written it`,
    nextStep: 'Finish that rotation with the version that began it.',
  });
}

export interface Unfinished {
  readonly key: string;
  readonly environment: string;
  readonly path: string;
  readonly owner: string;
  readonly phase: Journal['phase'];
  readonly by: string;
  readonly since: string;
}

/** Rotations that are under way or were broken off, of all secrets whose journal is there. */
export async function listUnfinished(store: StateStore): Promise<readonly Unfinished[]> {
  const found: Unfinished[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await store.list('rotation/', after === '' ? {} : { after });
    for (const item of page.items) {
      if ('failure' in item) throw item.failure;
      const { value, updatedAt } = item.entry;
      const text = (name: string) => (isObject(value) && typeof value[name] === 'string' ? value[name] : '');
      const phase = text('phase') === 'undoing' ? 'undoing' : 'forward';
      const [key, environment, path, owner, by] = ['key', 'environment', 'path', 'owner', 'by'].map(text);
      found.push({
        key: key ?? '',
        environment: environment ?? '',
        path: path ?? '',
        owner: owner ?? '',
        phase,
        by: by ?? '',
        since: updatedAt,
      });
    }
    after = page.next;
  }
  return found;
}
