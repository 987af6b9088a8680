import { runCommand } from '../../../host/run';
import { isObject } from '../../../json';
import { backupOfManifestFile, backupTime } from '../../../manifest/names';
import { judgeAge } from '../items/age';
import { Wrong } from '../probe';
import { onHost } from './on-host';

const NEWEST = `
if [ ! -d "$1" ]; then echo missing; exit; fi
find "$1" -maxdepth "$2" -type f -name '*.manifest.json' -printf '%f\\n'
`;

/** The newest backup below a folder of a host: only what has a manifest is a whole one, and its name says when. */
export const backupFolderKind = onHost((fields) => {
  const folder = fields.needText('folder');
  if (!folder.startsWith('/')) throw fields.refuse('folder', 'is not absolute');
  const maxAgeHours = fields.number('maxAgeHours', 0, 100_000) ?? 26;
  return async (host, task) => {
    const { stdout } = await runCommand(
      host,
      { script: NEWEST, arguments: [folder, '2'] },
      { timeoutMs: 30_000 },
      task,
    );
    if (stdout.trim() === 'missing') throw new Wrong(`there is no folder ${folder}`);
    const times = stdout.split('\n').flatMap((file) => {
      const name = backupOfManifestFile(file);
      const time = name === undefined ? undefined : backupTime(name);
      return time === undefined ? [] : [time.getTime()];
    });
    return judgeAge('backup', times.length === 0 ? undefined : Math.max(...times), maxAgeHours);
  };
});

/** The newest backup of a stanza of pgBackRest. */
export const pgBackRestKind = onHost((fields) => {
  const stanza = fields.needText('stanza');
  if (!/^[A-Za-z0-9_.-]+$/.test(stanza) || stanza.startsWith('-')) throw fields.refuse('stanza', 'is not a name');
  const maxAgeHours = fields.number('maxAgeHours', 0, 100_000) ?? 26;
  const user = fields.text('runAs') ?? 'postgres';
  return async (host, task) => {
    const { stdout } = await runCommand(
      host,
      {
        argv: ['pgbackrest', `--stanza=${stanza}`, '--output=json', 'info'],
        ...(host.identity.sudo.mode !== 'none' && { runAs: { user } }),
      },
      { timeoutMs: 60_000 },
      task,
    );
    return judgePgBackRest(stdout, maxAgeHours);
  };
});

export function judgePgBackRest(output: string, maxAgeHours: number, now = Date.now()): string {
  let document: unknown;
  try {
    document = JSON.parse(output);
  } catch {
    throw new Wrong('pgBackRest does not answer in JSON');
  }
  const stanza: unknown = Array.isArray(document) ? document[0] : undefined;
  if (!isObject(stanza)) throw new Wrong('pgBackRest does not know the stanza');
  const { status, backup } = stanza;
  if (isObject(status) && status['code'] !== 0) {
    throw new Wrong(
      `pgBackRest says: ${typeof status['message'] === 'string' ? status['message'].slice(0, 120) : 'not ok'}`,
    );
  }
  const all: readonly unknown[] = Array.isArray(backup) ? backup : [];
  const ends = all.flatMap((one) => {
    if (!isObject(one) || one['error'] === true) return [];
    const { timestamp } = one;
    return isObject(timestamp) && typeof timestamp['stop'] === 'number' ? [timestamp['stop'] * 1000] : [];
  });
  return judgeAge('backup', ends.length === 0 ? undefined : Math.max(...ends), maxAgeHours, now);
}
