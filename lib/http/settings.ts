import type { Duplex } from 'node:stream';

import { Failure } from '../failure';
import { pause } from '../task';
import type { RetryPolicy } from './retry';

export type Headers = Readonly<Record<string, string>>;

/** Gives the headers that say who we are. Asked for every call, so that a token can be renewed. */
export type Authentication = (signal: AbortSignal) => Headers | Promise<Headers>;

export const noAuthentication: Authentication = () => ({});

/** Pasted tokens often end in a line break, which no header may hold. */
export function bearer(token: string): Authentication {
  return () => ({ authorization: `Bearer ${token.trim()}` });
}

export function headerAuthentication(name: string, value: string): Authentication {
  return () => ({ [name.toLowerCase()]: value.trim() });
}

export function basic(user: string, password: string): Authentication {
  return () => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });
}

/** What a service's error body says, in our words. What is left out is filled in from the status. */
export interface Explanation {
  readonly code?: string;
  readonly message?: string;
  readonly nextStep?: string;
}

export type Explain = (body: unknown, status: number) => Explanation | undefined;

export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number;
  /** From sending one attempt until its answer begins. */
  readonly answerMs: number;
  /** How long a body, up or down, may stand still. */
  readonly idleMs: number;
  /** The whole call: waiting, every attempt, reading the answer. Of a stream, until it begins. */
  readonly totalMs: number;
}

export interface HttpSettings {
  /** As people know it: `Hetzner Cloud`. Stands in every sentence. */
  readonly service: string;
  /** With a sub-path where the service has one: `https://git.example.org/forge/api/v1`. */
  readonly baseUrl: string;
  readonly authentication?: Authentication;
  /** PEM of a private certificate authority, trusted beside the public ones. */
  readonly privateAuthority?: string;
  readonly headers?: Headers;
  readonly timeouts?: Partial<Timeouts>;
  readonly retry?: Partial<RetryPolicy>;
  readonly explain?: Explain;
  readonly correlationHeaders?: readonly string[];
  /** Never shown. What `authentication` adds is known already; this is for secrets in paths and bodies. */
  readonly secrets?: readonly string[];
  /** Calls under way at once. */
  readonly concurrency?: number;
  /** `gradual`: the budget grows back a little all the time, and its reset is the moment when it is full (Hetzner). */
  readonly refill?: 'at reset' | 'gradual';
  readonly maxResponseBytes?: number;
  /** Opens the connections instead of the network: a socket or port on a host. No proxy is used then. */
  readonly openSocket?: (signal: AbortSignal) => Promise<Duplex>;
}

/** What the engine takes from its surroundings; tests give their own. */
export interface Surroundings {
  readonly now: () => number;
  /** A deliberate wait, for a retry or for the budget. */
  readonly wait: (milliseconds: number, signal: AbortSignal, subject: string) => Promise<void>;
  /** 0 to 1. */
  readonly random: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export const realSurroundings: Surroundings = {
  now: Date.now,
  wait: pause,
  random: Math.random,
  environment: process.env,
};

export const defaultTimeouts: Timeouts = { connectMs: 10_000, answerMs: 30_000, idleMs: 30_000, totalMs: 120_000 };
export const defaultCorrelationHeaders = ['x-correlation-id', 'x-request-id', 'cf-ray'];
export const defaultConcurrency = 8;
export const defaultMaxResponseBytes = 32 * 1024 * 1024;

/** Without the last slash. A URL that holds a password, a query or a fragment is refused: it would be shown or lost. */
export function parseBaseUrl(service: string, baseUrl: string): string {
  const url = URL.canParse(baseUrl.trim()) ? new URL(baseUrl.trim()) : undefined;
  const why =
    url === undefined
      ? 'it is not a web address'
      : url.protocol !== 'https:' && url.protocol !== 'http:'
        ? 'it begins with neither https:// nor http://'
        : url.username !== '' || url.password !== ''
          ? 'it holds a user or password'
          : url.search !== '' || url.hash !== ''
            ? 'it holds a query or fragment'
            : undefined;
  if (url === undefined || why !== undefined) {
    throw new Failure({
      code: 'invalid_base_url',
      subject: service,
      message: `The base URL of ${service} cannot be used: ${why}`,
      nextStep: 'Write it like https://service.example.org or https://example.org/service in the credential.',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
