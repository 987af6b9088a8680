import { path } from '../http/path';
import type { Json } from '../json';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface ZoneSetting {
  /** `ssl`, `always_use_https`, `development_mode`, … */
  readonly id: string;
  readonly value: Json;
  /** False when the plan or another product decides it. */
  readonly editable: boolean;
}

export function getZoneSetting(api: CloudflareApi, zone: string, setting: string, task: Task): Promise<ZoneSetting> {
  return api.ask({ method: 'GET', path: settingPath(zone, setting) }, parseSetting, task);
}

export function setZoneSetting(
  api: CloudflareApi,
  zone: string,
  { id, value }: Pick<ZoneSetting, 'id' | 'value'>,
  task: Task,
): Promise<ZoneSetting> {
  const request = {
    method: 'PATCH',
    path: settingPath(zone, id),
    body: { json: { value } },
    idempotent: true,
  } as const;
  return api.ask(request, parseSetting, task);
}

function settingPath(zone: string, setting: string) {
  return path('/zones/{zone}/settings/{setting}', { zone, setting });
}

function parseSetting(value: unknown): ZoneSetting {
  const setting = Fields.of(value, 'a setting of a zone');
  return {
    id: setting.text('id'),
    value: setting.json('value'),
    editable: setting.optionalSwitch('editable') ?? true,
  };
}
