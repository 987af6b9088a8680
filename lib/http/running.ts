import type { Answer, HttpRequest } from './request';
import type { Failure } from '../failure';
import type { Task } from '../task';
import type { WireBody } from './body';
import type { Bucket } from './bucket';
import type { AgentPool } from './connect';
import type { Call, Sentence } from './errors';
import type { Outcome } from './retry';
import type { RawAnswer } from './send';
import {
  defaultCorrelationHeaders,
  type Headers,
  type HttpSettings,
  type Surroundings,
  type Timeouts,
} from './settings';
import type { Slots } from './turns';

/** What all calls of one client share. */
export interface Context {
  readonly settings: HttpSettings;
  readonly surroundings: Surroundings;
  readonly baseUrl: string;
  readonly timeouts: Timeouts;
  readonly agents: AgentPool;
  readonly slots: Slots;
}

/** One call with all its attempts. */
export interface Running {
  readonly context: Context;
  readonly request: HttpRequest;
  readonly task: Task;
  readonly call: Call;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: WireBody;
  readonly bucket: Bucket;
  readonly endsAt: number;
  /** Stop or the deadline. */
  readonly signal: AbortSignal;
  readonly fail: (sentence: Sentence) => Failure;
  /** Has the attempt that is under way, or the last one, reached the server? */
  readonly progress: { sent: boolean; attempts: number; onBytes: () => void };
}

/** How the body of a good answer becomes what the caller asked for. */
export interface Reading<Content> {
  readonly accept: string;
  readonly encodings: string;
  readonly read: (running: Running, answer: RawAnswer) => Promise<Content>;
}

/** How one attempt ended. */
export type Ending<Content> =
  | { readonly answer: Answer<Content> }
  | { readonly outcome: Outcome; readonly sentence: Sentence; readonly whyUnknown: string };

/** The ids under which the service finds this call in its own logs. */
export function correlationOf({ context }: Running, headers: Headers): Headers {
  const names = context.settings.correlationHeaders ?? defaultCorrelationHeaders;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name.toLowerCase()];
      return value === undefined ? [] : [[name.toLowerCase(), value]];
    }),
  );
}
