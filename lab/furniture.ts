import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, type JsonObject } from '../lib/json';
import type { N8nApi } from './n8n/api';

export interface LabCredential {
  readonly name: string;
  readonly type: string;
  readonly data: JsonObject;
}

/** The id of each credential by its name, made once and kept true: ports change from start to start. */
export async function keepCredentials(
  api: N8nApi,
  folder: string,
  wanted: readonly LabCredential[],
): Promise<ReadonlyMap<string, string>> {
  const file = join(folder, 'furniture.json');
  const kept = read(file);
  const ids = new Map<string, string>();
  const now: Record<string, Kept> = {};
  for (const { name, type, data } of wanted) {
    const text = JSON.stringify(data);
    const before = kept[name];
    const id = before?.id ?? (await api.createCredential(name, type, data)).id;
    if (before !== undefined && before.data !== text) await api.updateCredential(id, data);
    ids.set(name, id);
    now[name] = { id, data: text };
  }
  writeFileSync(file, JSON.stringify(now), { mode: 0o600 });
  return ids;
}

interface Kept {
  readonly id: string;
  readonly data: string;
}

function read(file: string): Readonly<Record<string, Kept>> {
  const kept: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  if (!isObject(kept)) return {};
  return Object.fromEntries(
    Object.entries(kept).flatMap(([name, one]) =>
      isObject(one) && typeof one.id === 'string' && typeof one.data === 'string'
        ? [[name, { id: one.id, data: one.data }] as const]
        : [],
    ),
  );
}
