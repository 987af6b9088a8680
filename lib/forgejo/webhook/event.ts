import type { JsonObject } from '../../json';
import type { EventType, Kind } from './event-types';

/** What happened, in the fields that workflows ask for. What an event does not tell is null. */
export interface ForgejoEvent {
  readonly event: EventType;
  readonly kind: Kind;
  /** `opened`, `published`, `failure`; null where the event has none. */
  readonly action: string | null;
  /** The id of the delivery; a delivery that is sent again has the same. */
  readonly delivery: string;
  /** `owner/name`; null for packages, which belong to an owner. */
  readonly repo: string | null;
  readonly repoUrl: string | null;
  readonly cloneUrl: string | null;
  /** As git names it: `refs/heads/main`. */
  readonly ref: string | null;
  /** Of a pull request: the one it goes into. */
  readonly branch: string | null;
  readonly tag: string | null;
  readonly isTag: boolean;
  readonly isDeletion: boolean;
  /** Something that was not there before: a new branch or tag. */
  readonly isCreation: boolean;
  /** Whether a push threw commits away. The payload never says it: null where nobody asked the server, or it cannot say. */
  readonly forced: boolean | null;
  readonly before: string | null;
  readonly after: string | null;
  readonly compareUrl: string | null;
  /** Login of whoever did it. */
  readonly pusher: string | null;
  /** Added, changed and removed in the commits that the payload lists. */
  readonly changedPaths: readonly string[];
  /** False when the push had more commits than the payload lists. */
  readonly changedPathsComplete: boolean;
  /** Of the issue or pull request. */
  readonly number: number | null;
  readonly title: string | null;
  readonly url: string | null;
  /** As sent, without the secret that old servers put into it. */
  readonly payload: JsonObject;
}
