import type { Readable } from 'node:stream';

import type { Task } from '../task';
import { perform } from './call';
import { createAgentPool } from './connect';
import { allItems, type Page, pages, type Paging, type Some } from './pages';
import { createRedaction } from './redact';
import { readJson, readStream, readText } from './reading';
import type { Answer, HttpRequest } from './request';
import type { Context } from './running';
import {
  defaultConcurrency,
  defaultTimeouts,
  type HttpSettings,
  parseBaseUrl,
  realSurroundings,
  type Surroundings,
} from './settings';
import { createSlots } from './turns';

export interface HttpClient {
  /** Asks for JSON. An empty answer is null. */
  readonly request: (request: HttpRequest, task: Task) => Promise<Answer<unknown>>;
  readonly text: (request: HttpRequest, task: Task) => Promise<Answer<string>>;
  /** The body as it comes; whoever gets it reads it to the end or destroys it. */
  readonly stream: (request: HttpRequest, task: Task) => Promise<Answer<Readable>>;
  /** Every page of a list, one after the other. */
  readonly pages: <Item>(
    request: HttpRequest,
    paging: Paging<Item>,
    task: Task,
  ) => AsyncGenerator<Page<Item>, void, undefined>;
  /** The items of all pages, or the first `limit`. */
  readonly allItems: <Item>(
    request: HttpRequest,
    paging: Paging<Item>,
    task: Task,
    limit?: number,
  ) => Promise<Some<Item>>;
  /** Hangs up kept connections. They hold up nothing and end by themselves after seconds, so this is a courtesy. */
  readonly close: () => void;
}

export function createHttpClient(settings: HttpSettings, surroundings: Surroundings = realSurroundings): HttpClient {
  const baseUrl = parseBaseUrl(settings.service, settings.baseUrl);
  const timeouts = { ...defaultTimeouts, ...settings.timeouts };
  const context: Context = {
    settings,
    surroundings,
    baseUrl,
    timeouts,
    agents: createAgentPool({
      connectMs: timeouts.connectMs,
      openSocket: settings.openSocket,
      privateAuthority: settings.privateAuthority,
    }),
    slots: createSlots(settings.concurrency ?? defaultConcurrency),
  };
  const request: HttpClient['request'] = (wanted, task) => perform(context, wanted, task, readJson);
  const source = { request, baseUrl, redact: createRedaction(settings.secrets ?? []) };
  return {
    request,
    text: (wanted, task) => perform(context, wanted, task, readText),
    stream: (wanted, task) => perform(context, wanted, task, readStream),
    pages: (wanted, paging, task) => pages(source, wanted, paging, task),
    allItems: (wanted, paging, task, limit) => allItems(source, wanted, paging, task, limit),
    close: context.agents.close,
  };
}
