/** A systemd unit as `systemctl show` tells of it. */
export interface Unit {
  readonly unit: string;
  readonly description: string;
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly load: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly active: string;
  /** `running`, `exited`, `dead`, `auto-restart`. */
  readonly sub: string;
  /** `enabled`, `disabled`, `static`, `masked`; null for a unit without a file. */
  readonly enabled: string | null;
  /** Since when it is in this state. */
  readonly since: string | null;
  readonly mainPid: number | null;
  readonly memoryBytes: number | null;
  /** How often systemd restarted it by itself. */
  readonly restarts: number | null;
  /** How its last run ended: `success`, `exit-code`, `signal`, `timeout`. Null for kinds of unit that do not run. */
  readonly result: string | null;
  readonly exitStatus: number | null;
}

/** Asked of systemctl with TZ=UTC; kinds of unit that lack one of them leave it out. */
export const UNIT_PROPERTIES = [
  'Id',
  'Description',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'StateChangeTimestamp',
  'MainPID',
  'MemoryCurrent',
  'NRestarts',
  'Result',
  'ExecMainStatus',
].join(',');

export type Properties = ReadonlyMap<string, string>;

/** Blocks of NAME=value lines with empty lines between them, one block a unit. */
export function parseProperties(output: string): Properties[] {
  return output
    .split(/\n{2,}/)
    .map(
      (block) =>
        new Map([...block.matchAll(/^([A-Za-z]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value] as const)),
    )
    .filter((properties) => properties.size > 0);
}

export function unitOf(properties: Properties): Unit {
  const text = (name: string) => properties.get(name) || null;
  return {
    unit: text('Id') ?? '',
    description: text('Description') ?? '',
    load: text('LoadState') ?? 'unknown',
    active: text('ActiveState') ?? 'unknown',
    sub: text('SubState') ?? 'unknown',
    enabled: text('UnitFileState'),
    since: parseTime(text('StateChangeTimestamp')),
    mainPid: count(text('MainPID')) || null,
    memoryBytes: count(text('MemoryCurrent')),
    restarts: count(text('NRestarts')),
    result: text('Result'),
    exitStatus: count(text('ExecMainStatus')),
  };
}

/** `[not set]` and the largest number there is both mean that it does not know. */
function count(text: string | null): number | null {
  if (text === null || !/^\d+$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

/** `Fri 2026-11-20 17:16:33 UTC`; `n/a` and nothing mean never. */
export function parseTime(text: string | null | undefined): string | null {
  const match = /^\w{3} (\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d+)? UTC$/.exec(text ?? '');
  return match === null ? null : new Date(`${match[1]}T${match[2]}Z`).toISOString();
}
