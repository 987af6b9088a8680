import { readFile } from 'node:fs/promises';
import { isFailure, messageOf } from '../../failure';
import type { Host } from '../../host/host';
import type { Task } from '../../task';
import type { Inventory } from '../inventory';
import { type EstateFinding, judgeEstate, type Look, worstFirst } from './judge';
import { checkKeyCopies } from './key-copies';
import { lookAtHost } from './look';

export interface EstateAudit {
  readonly findings: readonly EstateFinding[];
  /** What could not be looked at, and why: none of it counts as well. */
  readonly notChecked: readonly string[];
}

/** Looks at all hosts of the inventory and says what does not fit it. It changes nothing. */
export async function auditEstate(
  inventory: Inventory,
  hostOf: (name: string) => Host,
  task: Task,
  here: () => Promise<string> = bootIdHere,
): Promise<EstateAudit> {
  const notChecked: string[] = [];
  const looks = await Promise.all(
    inventory.hosts.map(async ({ name }): Promise<readonly Look[]> => {
      const code = inventory.services.flatMap(({ host, project }) =>
        host === name && project !== '' ? [project] : [],
      );
      try {
        const seen = await lookAtHost(hostOf(name), code, task);
        notChecked.push(...seen.notSeen.map((what) => `${name}: ${what}`));
        return [{ host: name, seen }];
      } catch (error) {
        if (isFailure(error, 'cancelled')) throw error;
        notChecked.push(`${name}: ${messageOf(error)}`);
        return [];
      }
    }),
  );
  const found = judgeEstate(inventory, looks.flat(), { here: await here(), now: Date.now() });
  const keys = await checkKeyCopies(inventory, hostOf, task);
  if (inventory.sshKeys.length === 0) notChecked.push('SSH keys: the inventory lists none');
  if (inventory.keyCopies.length === 0) notChecked.push('the key of Infisical: the inventory names no copies');
  else if (inventory.keyCanary === '') notChecked.push('whether the key opens anything: the inventory has no canary');
  return { findings: worstFirst([...found, ...keys]), notChecked: notChecked.toSorted() };
}

/** Of the machine that n8n runs on, also from within a container of it; empty where there is none. */
function bootIdHere(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}
