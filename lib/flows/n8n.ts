import { Failure } from '../failure';
import { createHttpClient } from '../http/client';
import { path } from '../http/path';
import { headerAuthentication } from '../http/settings';
import { isObject } from '../json';
import { pause, type Task } from '../task';
import type { Content } from './compose';
import { flowFrom, NotAFlow } from './flow';
import type { Installed } from './plan';

/** The public API of one n8n, as far as flows need it. */
export interface N8nFlows {
  readonly all: (task: Task) => Promise<readonly Installed[]>;
  readonly one: (id: string, task: Task) => Promise<Installed>;
  /** Writes the draft; what runs goes on as it was. Gives the version that it made. */
  readonly save: (id: string, content: Content, task: Task) => Promise<string>;
  /** Publishes this version, and waits until it is the one that runs. */
  readonly publish: (id: string, versionId: string, task: Task) => Promise<void>;
}

const PUBLISHED_WITHIN_MS = 60_000;

export function n8nFlows(baseUrl: string, apiKey: string): N8nFlows {
  const http = createHttpClient({
    service: 'n8n',
    baseUrl: `${baseUrl.replace(/\/+$/, '')}/api/v1`,
    authentication: headerAuthentication('X-N8N-API-KEY', apiKey),
    explain: (body) =>
      isObject(body) && typeof body['message'] === 'string' ? { message: body['message'] } : undefined,
  });
  const one: N8nFlows['one'] = async (id, task) => {
    const query = { excludePinnedData: true };
    return read((await http.request({ method: 'GET', path: path('/workflows/{id}', { id }), query }, task)).body);
  };
  return {
    one,
    all: async (task) => {
      const { items } = await http.allItems(
        { method: 'GET', path: path('/workflows'), query: { limit: 100, excludePinnedData: true } },
        {
          by: 'cursor',
          parameter: 'cursor',
          next: (body) => (isObject(body) && typeof body['nextCursor'] === 'string' ? body['nextCursor'] : undefined),
          items: (body) => {
            if (!isObject(body) || !Array.isArray(body['data'])) throw unreadable('the list of workflows');
            return body['data'].filter(notArchived).map(read);
          },
        },
        task,
      );
      return items;
    },
    save: async (id, content, task) => {
      const query = { publishIfActive: false };
      const body = { json: content };
      const answer = await http.request({ method: 'PUT', path: path('/workflows/{id}', { id }), query, body }, task);
      return read(answer.body).versionId;
    },
    publish: async (id, versionId, task) => {
      const order = { path: path('/workflows/{id}/publish', { id }), body: { json: { versionId } } };
      await http.request({ method: 'POST', ...order, idempotent: true }, task);
      const end = Date.now() + PUBLISHED_WITHIN_MS;
      for (let wait = 100; (await one(id, task)).publishedVersionId !== versionId; wait = Math.min(wait * 2, 2000)) {
        if (Date.now() > end) throw notPublished(id);
        await pause(wait, task.signal, `workflow ${id}`);
      }
    },
  };
}

function read(body: unknown): Installed {
  if (!isObject(body)) throw unreadable('a workflow');
  const { versionId, activeVersionId } = body;
  if (typeof versionId !== 'string') throw unreadable('a workflow');
  try {
    const flow = flowFrom('n8n', body);
    return { flow, versionId, publishedVersionId: typeof activeVersionId === 'string' ? activeVersionId : undefined };
  } catch (error) {
    if (error instanceof NotAFlow) throw unreadable(`the workflow ${String(body['name'])}: ${error.message}`);
    throw error;
  }
}

function notArchived(body: unknown): boolean {
  return !isObject(body) || body['isArchived'] !== true;
}

function unreadable(what: string): Failure {
  return new Failure({
    code: 'unreadable_answer',
    subject: 'n8n',
    message: `n8n answered with something that is not ${what}`,
    nextStep: 'Check that the address is that of n8n 2.41 or newer, without a path behind it.',
  });
}

function notPublished(id: string): Failure {
  return new Failure({
    code: 'not_published',
    subject: `workflow ${id}`,
    message: `n8n took the new version of workflow ${id}, but did not let it run within a minute`,
    nextStep: 'Open the workflow in n8n and read what its Publish button says; the former version goes on meanwhile.',
  });
}
