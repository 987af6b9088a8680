import { isObject } from '../json';
import type { Task } from '../task';
import { type HetznerApi, pathOf } from './api';
import { readOf, text } from './shape';

/** The zone as a file in BIND's format. */
export async function exportZone(api: HetznerApi, zone: string | number, task: Task): Promise<string> {
  const path = pathOf('/zones/{zone}/zonefile', { zone });
  const { body } = await api.request('cloud', { method: 'GET', path }, task);
  return readOf(text, isObject(body) ? body['zonefile'] : undefined, 'zonefile');
}
