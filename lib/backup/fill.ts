import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { isObject } from '../json';
import type { Task } from '../task';
import { runErrand } from './on-host';
import { checkDestination, type Destination, type Vault } from './plan';
import { secretsOf } from './plan-fields';
import { FILL } from './script/fill';
import { backupFields, needManifest, partFields, refuseTree, type BackupId } from './stored';

export interface Filled {
  readonly destination: string;
  /** `unproven` where the destination tells no hashes and reading back was not asked for. */
  readonly copy: 'proven' | 'unproven';
}

/**
 * Gives a destination a backup that another one has, as it is stored there. What is already there and right is not sent
 * again, so it mends a damaged copy as well as it makes a missing one, and may be repeated.
 */
export async function fillDestination(
  host: Host,
  request: {
    readonly vault: Vault;
    readonly backup: BackupId;
    readonly from: Destination;
    readonly to: Destination;
    readonly timeoutMs?: number;
  },
  task: Task,
): Promise<Filled> {
  const { vault, backup, from, to, timeoutMs = 12 * 3_600_000 } = request;
  checkDestination(to);
  const manifest = await needManifest(host, vault, backup, from, task);
  refuseTree(manifest, backup);
  const hashes = isObject(manifest.facts.hashes)
    ? Object.keys(manifest.facts.hashes).filter((type) => /^[a-z0-9]+$/.test(type))
    : [];
  const answer = await runErrand(
    host,
    {
      name: 'Fill destination',
      subject: `${backup.source} ${backup.name}`,
      script: FILL,
      fields: {
        ...backupFields(backup, vault, [to]),
        ...partFields(manifest),
        origin: from.remote,
        hashes: hashes.join(' '),
        // What lies there already, whole or broken, is looked at first.
        retry: 'yes',
        'source.0.id': manifest.source,
        'leg.0.bandwidth': to.bandwidth,
        'leg.0.proof': to.proof,
        'leg.0.undeletable': to.undeletable === true ? 'yes' : undefined,
        'leg.0.attempts': to.attempts,
        'leg.0.pause': to.pauseSeconds,
        'leg.0.idle': to.idleSeconds,
        'leg.0.deadline': Math.ceil(timeoutMs / 1000),
      },
      secrets: secretsOf(vault),
      timeoutMs,
    },
    task,
  );
  if (isObject(answer) && (answer.copy === 'proven' || answer.copy === 'unproven'))
    return { destination: to.name, copy: answer.copy };
  const why = isObject(answer) && typeof answer.failure === 'string' ? answer.failure : 'no reason was given';
  throw new Failure({
    code: 'fill_failed',
    subject: `backup ${backup.source} ${backup.name} at ${to.name}`,
    message: `${to.name} did not get backup ${backup.name} of ${backup.source} by way of ${describeHost(host)}: ${why}`,
    nextStep: 'Nothing unfinished has got its name there. Mend the cause, or verify the copy it was taken from.',
  });
}
