import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Contract, contractOf, type ExchangeAnswer, type ExchangeRequest } from '../../../lab/standins/contract';
import { type ForgejoSettings, type ForgejoStandIn, startForgejo } from '../../../lab/standins/forgejo';
import { type ForgejoApi, forgejoApi } from '../../../lib/forgejo/api';
import { forgejoRegistry } from '../../../lib/forgejo/registry/registry';
import { realSurroundings } from '../../../lib/http/settings';
import type { Task } from '../../../lib/task';

function description(name: string): unknown {
  return JSON.parse(readFileSync(join(__dirname, '../../contracts', `${name}.json`), 'utf8'));
}

export const contracts = { 15: contractOf(description('forgejo-15')), 16: contractOf(description('forgejo-16')) };

export const task: Task = { signal: new AbortController().signal, progress: () => undefined, owner: 'test' };

const open: (() => unknown)[] = [];

export function closeLater(close: () => unknown): void {
  open.push(close);
}

/** A stand-in of which every request and answer is held to both descriptions. */
export async function forgejo(settings: ForgejoSettings = {}): Promise<ForgejoStandIn> {
  const standIn = await startForgejo({
    ...settings,
    onExchange: (request, answer) => {
      for (const contract of Object.values(contracts)) heldTo(contract, request, answer);
    },
  });
  open.push(standIn.close);
  standIn.addUser('daniel');
  standIn.addUser('root', true);
  standIn.addOrganization('kua');
  await standIn.addRepository('kua', 'infrastructure');
  return standIn;
}

export function heldTo(contract: Contract, request: ExchangeRequest, answer: ExchangeAnswer | undefined): void {
  const asked = { ...request, url: onePath(request.url) };
  // Any operation may be refused for want of a token or a scope, which the description says of few.
  const isRefusal = answer?.status === 401 || answer?.status === 403;
  if (answer === undefined || isRefusal || isFolder(asked.url, answer) || isFile(asked.url))
    contract.checkRequest(asked);
  else contract.check(asked, withoutNulls(answer));
}

/** The path of a file is one parameter, and holds slashes. */
function onePath(url: string): string {
  const pulled = /^(.*\/pulls\/(?!\d+\/)[^/?]+\/)([^?]+)(.*)$/.exec(url);
  if (pulled !== null) return `${pulled[1]}${pulled[2]?.replaceAll('/', '%2F')}${pulled[3]}`;
  return url.replace(
    /(\/(?:contents|raw|media|archive|branches|tags|compare)\/)([^?]+)/,
    (_, before: string, path: string) => before + path.replaceAll('/', '%2F'),
  );
}

/** What is in a folder comes as a list, which the description does not say of this path. */
function isFolder(url: string, { body }: ExchangeAnswer): boolean {
  return url.includes('/contents/') && body.toString().startsWith('[');
}

/** Files, of which the description says nothing. */
function isFile(url: string): boolean {
  return /\/archive\/|\/zip$/.test(url);
}

/** Go's empty pointers come as null, which the description says nowhere. */
function withoutNulls(answer: ExchangeAnswer): ExchangeAnswer {
  if (answer.headers['content-type'] !== 'application/json') return answer;
  const body = JSON.parse(answer.body.toString(), (_, value: unknown) => value ?? undefined) as unknown;
  return { ...answer, body: Buffer.from(JSON.stringify(body)) };
}

export function clientOf(standIn: ForgejoStandIn, token = standIn.addToken('daniel')): ForgejoApi {
  const wait = async () => undefined;
  const surroundings = { ...realSurroundings, environment: {}, wait };
  const api = forgejoApi({ baseUrl: standIn.url, token, privateAuthority: undefined }, surroundings);
  open.push(api.close);
  return api;
}

/** The API and the registry of the server. */
export function placesOf(standIn: ForgejoStandIn, token = standIn.addToken('daniel')) {
  const api = clientOf(standIn, token);
  const registry = registryOf({ baseUrl: standIn.url, token }, api);
  return { api, registry };
}

export function registryOf(credential: { readonly baseUrl: string; readonly token: string }, api: ForgejoApi) {
  const surroundings = { ...realSurroundings, environment: {}, wait: async () => undefined };
  const registry = forgejoRegistry({ ...credential, privateAuthority: undefined }, api, surroundings);
  open.push(registry.close);
  return registry;
}

/** For afterEach: closes everything, and fails the test that broke a description. */
export async function closeAndKeepContract(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
  const violations = Object.entries(contracts).flatMap(([version, contract]) =>
    contract.violations.map((violation) => `${version}: ${violation}`),
  );
  for (const contract of Object.values(contracts)) contract.forget();
  expect(violations).toEqual([]);
}
