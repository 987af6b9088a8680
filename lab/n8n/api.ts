import { Failure, messageOf } from '../../lib/failure';
import type { Json, JsonObject } from '../../lib/json';
import { waitFor } from '../processes';

export interface Owner {
  readonly email: string;
  readonly password: string;
}

export interface WorkflowNode {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly typeVersion: number;
  readonly position: readonly [number, number];
  readonly parameters: JsonObject;
  readonly credentials?: { readonly [type: string]: { readonly id: string; readonly name: string } };
  readonly webhookId?: string;
  readonly onError?: 'stopWorkflow' | 'continueRegularOutput' | 'continueErrorOutput';
}

export interface WorkflowDraft {
  readonly name: string;
  readonly nodes: readonly WorkflowNode[];
  readonly connections: JsonObject;
  readonly settings?: JsonObject;
}

export type ExecutionStatus = 'new' | 'running' | 'waiting' | 'success' | 'error' | 'canceled' | 'crashed' | 'unknown';

/** One run of one node. */
export interface NodeRun {
  readonly status: string;
  /** The items of each output. */
  readonly outputs: readonly (readonly JsonObject[])[];
  readonly error?: { readonly message: string; readonly description?: string; readonly name?: string };
}

export interface Execution {
  readonly id: string;
  readonly workflowId: string;
  readonly status: ExecutionStatus;
  readonly mode: string;
  /** By node name; a node that looped has several runs. Empty unless asked for with data. */
  readonly runs: { readonly [node: string]: readonly NodeRun[] };
  /** What ended the execution, when it failed. */
  readonly error?: { readonly message: string; readonly description?: string };
  /** Everything n8n stored, as text: to prove that something is not in it. */
  readonly stored: string;
}

export interface CredentialTest {
  readonly status: string;
  readonly message: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** What a logged-in client carries: n8n limits log-ins, so one is shared. */
export interface Session {
  readonly cookie: string;
  readonly apiKey: string;
}

/** One n8n, driven over HTTP the way its editor and its public API do. */
export interface N8nApi {
  readonly url: string;
  readonly session: Session;
  createCredential(
    name: string,
    type: string,
    data: JsonObject,
  ): Promise<{ readonly id: string; readonly name: string }>;
  updateCredential(id: string, data: JsonObject): Promise<void>;
  testCredential(id: string): Promise<CredentialTest>;
  createWorkflow(draft: WorkflowDraft): Promise<string>;
  /** Publishes it, and waits until its triggers run; a trigger that cannot start is an error with its message. */
  publish(workflowId: string): Promise<void>;
  unpublish(workflowId: string): Promise<void>;
  /** Starts it the way the editor's button does; gives the execution's id at once. */
  runManually(workflowId: string, trigger: string): Promise<string>;
  /** Runs it and waits for its end. */
  runToEnd(workflowId: string, trigger: string, options?: { within?: number }): Promise<Execution>;
  stopExecution(id: string): Promise<void>;
  execution(id: string): Promise<Execution>;
  /** Those of a workflow, the newest first; those of all without one. Running ones are surely there only when asked for. */
  executionsOf(workflowId?: string, status?: ExecutionStatus): Promise<readonly Execution[]>;
  /** Waits until it has ended, or is in one of these states. */
  waitForExecution(id: string, options?: { within?: number; states?: readonly ExecutionStatus[] }): Promise<Execution>;
  /** A production webhook; the path is what stands after /webhook/. */
  callWebhook(path: string, body: Json, options?: { url?: string; headers?: Record<string, string> }): Promise<Answer>;
  /** The choices of a drop-down. */
  options(request: DropDown): Promise<readonly { readonly name: string; readonly value: Json }[]>;
  /** The hits of a searchable list (a resource locator). */
  search(request: DropDown, filter?: string): Promise<readonly { readonly name: string; readonly value: Json }[]>;
  /** Descriptions of all node types that n8n knows, as its editor loads them. */
  nodeTypes(): Promise<readonly JsonObject[]>;
  /** Names of all credential types that n8n knows. */
  credentialTypes(): Promise<readonly string[]>;
  request(method: string, path: string, body?: Json): Promise<Answer>;
}

export interface DropDown {
  readonly nodeType: string;
  readonly version: number;
  readonly method: string;
  /** Path of the parameter that has the drop-down: `parameters.type`. */
  readonly path: string;
  readonly parameters: JsonObject;
  readonly credentials?: JsonObject;
}

const ended: readonly ExecutionStatus[] = ['success', 'error', 'canceled', 'crashed'];

/** Makes the owner of a new n8n. */
export async function setUpOwner(url: string, owner: Owner): Promise<void> {
  await call(url, 'POST', '/rest/owner/setup', { ...owner, firstName: 'Lab', lastName: 'Owner' }, {});
}

/** Logs in and makes an API key; every kind of request is then open. */
export async function logIn(url: string, owner: Owner): Promise<N8nApi> {
  const cookie = await logInForCookie(url, owner);
  const scopes = at((await call(url, 'GET', '/rest/api-keys/scopes', undefined, { cookie })).body, 'data');
  const made = await call(
    url,
    'POST',
    '/rest/api-keys',
    { label: `lab ${new Date().toISOString()} ${Math.random().toString(36).slice(2, 8)}`, scopes, expiresAt: null },
    { cookie },
  );
  return connect(url, { cookie, apiKey: textAt(made.body, 'data', 'rawApiKey') });
}

async function logInForCookie(url: string, { email, password }: Owner): Promise<string> {
  const response = await fetch(`${url}/rest/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ emailOrLdapLoginId: email, password }),
    signal: AbortSignal.timeout(30_000),
  });
  const cookie = response.headers.getSetCookie().find((one) => one.startsWith('n8n-auth='));
  if (!response.ok || cookie === undefined)
    throw refused('POST', '/rest/login', response.status, await response.text());
  return cookie.slice(0, cookie.indexOf(';'));
}

export function connect(url: string, session: Session): N8nApi {
  const cookie = { cookie: session.cookie };
  const key = { 'x-n8n-api-key': session.apiKey };
  const asEditor = (method: string, path: string, body?: Json) => call(url, method, `/rest${path}`, body, cookie);
  const asClient = (method: string, path: string, body?: Json) => call(url, method, `/api/v1${path}`, body, key);

  const execution = async (id: string) =>
    parseExecution((await asClient('GET', `/executions/${id}?includeData=true`)).body);
  const waitForExecution: N8nApi['waitForExecution'] = (id, { within = 60_000, states = [] } = {}) =>
    waitFor(
      `execution ${id} has ended`,
      async () => {
        const now = await execution(id);
        return ended.includes(now.status) || states.includes(now.status) ? now : undefined;
      },
      { within },
    );
  const runManually: N8nApi['runManually'] = async (workflowId, trigger) => {
    const started = await asEditor('POST', `/workflows/${workflowId}/run`, { triggerToStartFrom: { name: trigger } });
    return textAt(started.body, 'data', 'executionId');
  };
  /** Since 2.41 publishing is an order that the leader carries out later, and a trigger's failure stands in its status. */
  const publication = async (workflowId: string, settled: readonly string[]) => {
    const look = async () => {
      const { body } = await asEditor('GET', `/workflows/${workflowId}/publication-status`);
      return settled.includes(textAt(body, 'data', 'status')) ? at(body, 'data') : undefined;
    };
    const now = await waitFor(`workflow ${workflowId} is ${settled[0] ?? ''}`, look, { within: 60_000 });
    const failed = listAt(now, 'triggers').filter((trigger) => at(trigger, 'status') === 'failed');
    if (failed.length === 0) return;
    throw new Failure({
      code: 'not_published',
      subject: `workflow ${workflowId}`,
      message: `n8n could not start the triggers of the workflow: ${failed.map((one) => wordAt(one, 'errorMessage')).join('; ')}`,
      nextStep: 'Read the message of the trigger and the log of n8n.',
    });
  };
  const dropDown = ({ nodeType, version, method, path, parameters, credentials }: DropDown) => ({
    nodeTypeAndVersion: { name: nodeType, version },
    methodName: method,
    path,
    currentNodeParameters: parameters,
    ...(credentials === undefined ? {} : { credentials }),
  });

  return {
    url,
    session,
    execution,
    waitForExecution,
    runManually,
    runToEnd: async (workflowId, trigger, options) => waitForExecution(await runManually(workflowId, trigger), options),
    createCredential: async (name, type, data) => {
      const { body } = await asClient('POST', '/credentials', { name, type, data });
      return { id: textAt(body, 'id'), name };
    },
    updateCredential: async (id, data) => {
      await asClient('PATCH', `/credentials/${id}`, { data });
    },
    testCredential: async (id) => {
      const { body } = await asClient('POST', `/credentials/${id}/test`);
      return { status: textAt(body, 'status'), message: textAt(body, 'message') };
    },
    createWorkflow: async ({ name, nodes, connections, settings = {} }) => {
      const { body } = await asClient('POST', '/workflows', {
        name,
        nodes: nodes as readonly unknown[] as Json[],
        connections,
        settings: { executionOrder: 'v1', ...settings },
      });
      return textAt(body, 'id');
    },
    publish: async (workflowId) => {
      await asClient('POST', `/workflows/${workflowId}/publish`, {});
      await publication(workflowId, ['published', 'partial', 'failed']);
    },
    unpublish: async (workflowId) => {
      await asClient('POST', `/workflows/${workflowId}/unpublish`, {});
      await publication(workflowId, ['not_published']);
    },
    stopExecution: async (id) => {
      await asClient('POST', `/executions/${id}/stop`);
    },
    executionsOf: async (workflowId, status) => {
      const wanted = {
        includeData: 'true',
        limit: '100',
        ...(workflowId && { workflowId }),
        ...(status && { status }),
      };
      const { body } = await asClient('GET', `/executions?${new URLSearchParams(wanted).toString()}`);
      return listAt(body, 'data').map(parseExecution);
    },
    callWebhook: async (path, body, { url: base = url, headers = {} } = {}) => {
      const response = await fetch(`${base}/webhook/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      return { status: response.status, body: asJson(await response.text()) };
    },
    options: async (request) => {
      const { body } = await asEditor('POST', '/dynamic-node-parameters/options', dropDown(request));
      return listAt(body, 'data').map((one) => ({ name: textAt(one, 'name'), value: at(one, 'value') }));
    },
    search: async (request, filter) => {
      const { body } = await asEditor('POST', '/dynamic-node-parameters/resource-locator-results', {
        ...dropDown(request),
        ...(filter === undefined ? {} : { filter }),
      });
      return listAt(body, 'data', 'results').map((one) => ({ name: textAt(one, 'name'), value: at(one, 'value') }));
    },
    nodeTypes: async () =>
      asList((await call(url, 'GET', '/types/nodes.json', undefined, cookie)).body).filter(isObject),
    credentialTypes: async () =>
      asList((await call(url, 'GET', '/types/credentials.json', undefined, cookie)).body).map((one) =>
        textAt(one, 'name'),
      ),
    request: (method, path, body) => call(url, method, path, body, { ...cookie, ...key }),
  };
}

async function call(
  url: string,
  method: string,
  path: string,
  body: Json | undefined,
  headers: Record<string, string>,
): Promise<Answer> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    text = await response.text();
  } catch (error) {
    throw new Failure({
      code: 'n8n_unreachable',
      subject: url,
      message: `n8n does not answer to ${method} ${path}: ${messageOf(error)}`,
      nextStep: 'Read the log of n8n.',
      cause: error,
    });
  }
  if (!response.ok) throw refused(method, path, response.status, text);
  return { status: response.status, body: asJson(text) };
}

function refused(method: string, path: string, status: number, text: string): Failure {
  return new Failure({
    code: 'n8n_refused',
    subject: `${method} ${path}`,
    message: `n8n answered ${status} to ${method} ${path}: ${text.slice(0, 1000)}`,
    nextStep: 'Read the answer and the log of n8n.',
    details: { status },
  });
}

/** The stored data comes parsed from the public API; n8n keeps it flattened in its database. */
function parseExecution(body: Json): Execution {
  const result = at(at(body, 'data'), 'resultData');
  const runData = at(result, 'runData');
  const runs: Record<string, readonly NodeRun[]> = {};
  if (isObject(runData)) for (const [name, list] of Object.entries(runData)) runs[name] = asList(list).map(parseRun);
  const error = parseError(at(result, 'error'));
  return {
    id: wordAt(body, 'id'),
    workflowId: textAt(body, 'workflowId'),
    status: textAt(body, 'status') as ExecutionStatus,
    mode: textAt(body, 'mode'),
    runs,
    ...(error === undefined ? {} : { error }),
    stored: JSON.stringify(body),
  };
}

function parseRun(run: Json): NodeRun {
  const error = parseError(at(run, 'error'));
  return {
    status: wordAt(run, 'executionStatus'),
    outputs: asList(at(at(run, 'data'), 'main')).map((output) =>
      asList(output)
        .map((item) => at(item, 'json'))
        .filter(isObject),
    ),
    ...(error === undefined ? {} : { error }),
  };
}

function parseError(error: Json): NodeRun['error'] {
  if (!isObject(error)) return undefined;
  const description = at(error, 'description');
  const name = at(error, 'name');
  return {
    message: wordAt(error, 'message'),
    ...(typeof description === 'string' ? { description } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

function asJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function asList(value: Json): readonly Json[] {
  return isList(value) ? value : [];
}

/** A text or a number as text; anything else is nothing. */
function wordAt(value: Json, name: string): string {
  const found = at(value, name);
  return typeof found === 'string' || typeof found === 'number' ? `${found}` : '';
}

function at(value: Json, ...path: readonly string[]): Json {
  let here = value;
  for (const name of path) here = isObject(here) ? (here[name] ?? null) : null;
  return here;
}

function textAt(value: Json, ...path: readonly string[]): string {
  const found = at(value, ...path);
  if (typeof found === 'string') return found;
  throw new Failure({
    code: 'n8n_answer',
    subject: path.join('.'),
    message: `n8n's answer has no ${path.join('.')}: ${JSON.stringify(value).slice(0, 500)}`,
    nextStep: 'Compare lab/n8n/api.ts with this version of n8n.',
  });
}

function listAt(value: Json, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path);
  if (isList(found)) return found;
  textAt(null, ...path);
  return [];
}
