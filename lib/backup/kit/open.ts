import { ageHours } from '../../age';
import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import { backupTime } from '../../manifest/names';
import { redact } from '../../secrets/redact';
import type { Task } from '../../task';
import type { RcloneConfiguration } from '../plan';
import { renderFields, secretsOf, vaultFields } from '../plan-fields';
import { OPEN_KIT } from '../script/kit';
import type { KitPlace } from './kit';

export interface OpenRequest {
  readonly rclone: RcloneConfiguration;
  readonly places: readonly KitPlace[];
  /** The private half, `AGE-SECRET-KEY-1…`. It goes through memory only, and never to a disk of the host. */
  readonly identity: string;
  /** Where what is in the kit is put, readable for root alone. */
  readonly folder: string;
}

export interface OpenedKit {
  readonly kit: string;
  readonly place: string;
  readonly madeAt: string;
  readonly ageHours: number;
  /** False when this very kit had been opened there before. */
  readonly changed: boolean;
  /** Names of the keys in it, never what they are. */
  readonly keys: readonly string[];
}

/** Opens the newest kit that any place has, on a host that has nothing yet. Done again it finds that it is done. */
export async function openKit(host: Host, request: OpenRequest, task: Task): Promise<OpenedKit> {
  const { rclone, places, identity, folder } = request;
  if (!/^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(identity.trim()) && !identity.includes('PRIVATE KEY-----'))
    throw refused(
      host,
      'what was given is no private key of age or SSH',
      'Give the line AGE-SECRET-KEY-1… of the key.',
    );
  if (!/^\/[^\n\0]+[^/\n\0]$/.test(folder))
    throw refused(host, 'the folder is no whole path', 'Write it like /var/lib/selfhost/recovery/kit.');
  const { stdout, stderr, exitCode } = await runCommand(
    host,
    {
      script: OPEN_KIT,
      strict: false,
      input: renderFields({
        ...vaultFields({ rclone, crypt: '-' }),
        identity: `${identity.trim()}\n`,
        folder,
        places: places.length,
        ...Object.fromEntries(places.map(({ remote }, index) => [`place.${index}.remote`, remote])),
      }),
    },
    { timeoutMs: 600_000, acceptExitCodes: [0, 120] },
    task,
  );
  const [, name = '', index = '', state = ''] = /^kit (\S+) (\d+) (opened|kept)$/m.exec(stdout) ?? [];
  const made = backupTime(name.replace(/^recovery-kit-|\.age$/g, ''));
  if (exitCode !== 0 || made === undefined) {
    const why = /^selfhost: (.*)$/m.exec(stderr)?.[1] ?? 'the host gave no answer about it';
    throw refused(
      host,
      redact(why, [...secretsOf({ rclone, crypt: '' }), identity.trim()]),
      'Check the key and the places; one good copy is enough. HOW-TO-OPEN.txt beside the kits says how it goes by hand.',
    );
  }
  return {
    kit: name,
    place: places[Number(index)]?.name ?? '',
    madeAt: made.toISOString(),
    ageHours: ageHours(made),
    changed: state === 'opened',
    keys: [...stdout.matchAll(/^key (\S+)$/gm)].map(([, key = '']) => key),
  };
}

function refused(host: Host, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'kit_not_opened',
    subject: `the recovery kit on ${describeHost(host)}`,
    message: `The recovery kit was not opened on ${describeHost(host)}: ${why}`,
    nextStep,
  });
}
