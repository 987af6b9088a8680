import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type CloudflareSettings, type CloudflareStandIn, startCloudflare } from '../../../lab/standins/cloudflare';
import { type Contract, contractOf } from '../../../lab/standins/contract';
import { type CloudflareApi, cloudflareApi } from '../../../lib/cloudflare/api';
import { realSurroundings } from '../../../lib/http/settings';
import type { Task } from '../../../lib/task';

export function description(name: string): unknown {
  return JSON.parse(readFileSync(join(__dirname, '../../contracts', `${name}.json`), 'utf8'));
}

export const contract: Contract = contractOf(description('cloudflare'), description('cloudflare-more'));

export const task: Task = { signal: new AbortController().signal, progress: () => undefined, owner: 'test' };

const open: (() => unknown)[] = [];

/** A stand-in of which every request and answer is held to the description. */
export async function cloudflare(settings: CloudflareSettings = {}): Promise<CloudflareStandIn> {
  const standIn = await startCloudflare({
    ...settings,
    onExchange: (request, answer) => {
      if (answer === undefined) contract.checkRequest(request);
      else contract.check(request, answer);
      settings.onExchange?.(request, answer);
    },
  });
  open.push(standIn.close);
  return standIn;
}

/** The client, with waits that take no time and are kept. */
export function clientOf(standIn: CloudflareStandIn, token = standIn.addToken()): CloudflareApi & { waits: number[] } {
  const waits: number[] = [];
  let ahead = 0;
  const wait = async (milliseconds: number) => {
    waits.push(milliseconds);
    ahead += milliseconds;
  };
  const now = () => Date.now() + ahead;
  const api = cloudflareApi({ token, baseUrl: standIn.url }, { ...realSurroundings, environment: {}, wait, now });
  open.push(api.close);
  return { ...api, waits };
}

/** For afterEach: closes everything, and fails the test that broke the contract. */
export async function closeAndKeepContract(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
  const violations = [...contract.violations];
  contract.forget();
  expect(violations).toEqual([]);
}
