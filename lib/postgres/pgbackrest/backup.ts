import { Failure } from '../../failure';
import type { Task } from '../../task';
import { readBackups, type BackupSeen, type BackupType } from './info';
import { runPgbackrest } from './run';
import { describeStanza, PGBACKREST, stanzaOptions, type Stanza } from './stanza';
import { runWork } from './work';

export interface BackupWish {
  readonly type: BackupType;
  /** Default: the first that is configured. */
  readonly repository?: number;
  /** Begins with a checkpoint at once, which costs input and output, instead of waiting for the next. Default true. */
  readonly startFast?: boolean;
  readonly timeoutMs?: number;
}

export interface BackupResult extends BackupSeen {
  readonly job: string;
  readonly tookMs: number;
  /** What became of it: the first one is full, whatever was asked for. */
  readonly typeAsked: BackupType;
}

const DAY_MS = 24 * 3_600_000;

const WORK = `${PGBACKREST}
backrest "$@" < /dev/null
`;

/** Takes a backup, and answers with what the repository now has. A second call attaches to the one that is going. */
export async function takeBackup(stanza: Stanza, wish: BackupWish, task: Task): Promise<BackupResult> {
  const { type, repository, startFast = true, timeoutMs = DAY_MS } = wish;
  const list = [
    'backup',
    `--type=${type}`,
    '--log-level-console=detail',
    `--${startFast ? '' : 'no-'}start-fast`,
    ...(repository === undefined ? [] : [`--repo=${repository}`]),
    ...stanzaOptions(stanza),
  ];
  const intent = `${type} ${repository ?? ''}`.trim();
  const { job, stdout, tookMs } = await runWork(
    stanza,
    { name: 'Backup', intent, script: WORK, arguments: list, timeoutMs },
    task,
  );
  const [, label] = /new backup label = (\S+)/.exec(stdout) ?? [];
  const backup = (await readBackups(stanza, task)).backups.find((one) => one.label === label);
  if (backup === undefined) {
    throw new Failure({
      code: 'backup_not_found',
      subject: describeStanza(stanza),
      message: `${describeStanza(stanza)}: pgBackRest ended well, but its repository does not show backup ${label ?? 'of this run'}`,
      nextStep: 'Look at Info: an expiry that ran meanwhile may have taken it, or the repository is another one now.',
      details: { job, label: label ?? null },
    });
  }
  return { ...backup, typeAsked: type, job, tookMs };
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly walChecked: number;
  readonly walValid: number;
  readonly files: readonly {
    readonly label: string;
    readonly status: string;
    readonly checked: number;
    readonly valid: number;
  }[];
  /** Every line that names something missing or damaged. */
  readonly problems: readonly string[];
  readonly tookMs: number;
}

/** Reads everything that is in a repository and compares it with its checksums. Gaps in the WAL are found by Info. */
export async function verifyRepository(
  stanza: Stanza,
  { repository, timeoutMs = DAY_MS }: { readonly repository?: number; readonly timeoutMs?: number },
  task: Task,
): Promise<VerifyResult> {
  const list = [
    'verify',
    '--output=text',
    '--verbose',
    ...(repository === undefined ? [] : [`--repo=${repository}`]),
    ...stanzaOptions(stanza),
  ];
  const { stdout, tookMs } = await runWork(
    stanza,
    { name: 'Verify', intent: `repository ${repository ?? 'first'}`, script: WORK, arguments: list, timeoutMs },
    task,
  );
  return { ...parseVerify(stdout), tookMs };
}

export function parseVerify(text: string): Omit<VerifyResult, 'tookMs'> {
  const archives = [...text.matchAll(/total WAL checked: (\d+), total valid WAL: (\d+)/g)];
  const files = [
    ...text.matchAll(/backup: (\S+), status: (.+), total files checked: (\d+), total valid files: (\d+)/g),
  ].map(([, label = '', status = '', checked, valid]) => ({
    label,
    status,
    checked: Number(checked),
    valid: Number(valid),
  }));
  const sum = (at: 1 | 2) => archives.reduce((total, found) => total + Number(found[at]), 0);
  const problems = text
    .split('\n')
    .filter((line) => /^ *missing: /.test(line) && /: [1-9]/.test(line))
    .map((line) => line.trim());
  const bad = files.filter(({ status }) => status !== 'valid').map(({ label, status }) => `backup ${label}: ${status}`);
  // Without a word about a stanza nothing was looked at, which is no proof of anything.
  const seen = /^status: ok$/m.test(text);
  const all = [...problems, ...bad, ...(seen ? [] : ['pgBackRest did not call the repository ok'])];
  return { ok: all.length === 0, walChecked: sum(1), walValid: sum(2), files, problems: all };
}

export interface Expiry {
  readonly dryRun: boolean;
  readonly changed: boolean;
  readonly backups: readonly string[];
  readonly archives: readonly {
    readonly repository: number;
    readonly id: string;
    readonly from: string;
    readonly to: string;
  }[];
}

export interface ExpiryWish {
  readonly dryRun: boolean;
  readonly repository?: number;
  /** This one backup and what depends on it, whatever retention says. */
  readonly set?: string;
  /** Throws when this is not what somebody agreed to. */
  readonly agree?: (found: Pick<Expiry, 'backups' | 'archives'>) => void;
}

/** Removes what retention no longer keeps; a preview says what that would be. */
export async function expire(stanza: Stanza, wish: ExpiryWish, task: Task): Promise<Expiry> {
  const { dryRun, repository, set } = wish;
  if (set !== undefined) checkLabel(stanza, set);
  const list = [
    'expire',
    '--log-level-console=info',
    ...(repository === undefined ? [] : [`--repo=${repository}`]),
    ...(set === undefined ? [] : [`--set=${set}`]),
    ...stanzaOptions(stanza),
  ];
  const run = async (...more: readonly string[]) =>
    parseExpiry((await runPgbackrest(stanza, [...list, ...more], { timeoutMs: 3_600_000 }, task)).stdout);
  if (!dryRun && wish.agree !== undefined) wish.agree(await run('--dry-run'));
  const found = await run(...(dryRun ? ['--dry-run'] : []));
  return { dryRun, changed: !dryRun && found.backups.length + found.archives.length > 0, ...found };
}

export function parseExpiry(text: string): Pick<Expiry, 'backups' | 'archives'> {
  const backups = [
    ...text.matchAll(
      /repo\d+: (?:\[DRY-RUN\] )?(?:expire|remove expired) (?:full backup set |diff backup set |backup set |adhoc backup set |diff backup |full backup |backup |time-based full backup )*([0-9]{8}-[0-9]{6}F[^\n]*)/g,
    ),
  ].flatMap(([, labels = '']) => labels.split(/,\s*/).map((one) => one.trim().split(' ')[0] ?? ''));
  const archives = [
    ...text.matchAll(/repo(\d+): (\d+-\d+) remove archive, start = ([0-9A-F]+), stop = ([0-9A-F]+)/g),
  ].map(([, repository, id = '', from = '', to = '']) => ({ repository: Number(repository), id, from, to }));
  return { backups: [...new Set(backups)].filter((one) => one !== ''), archives };
}

const LABEL = /^[0-9]{8}-[0-9]{6}F(?:_[0-9]{8}-[0-9]{6}[DI])?$/;

export function checkLabel(stanza: Stanza, label: string): void {
  if (LABEL.test(label)) return;
  throw new Failure({
    code: 'backup_label_unusable',
    subject: describeStanza(stanza),
    message: `"${label}" is not the label of a backup`,
    nextStep: 'Take the label from Info: 20260131-020000F, or with a second part for a diff or incr.',
  });
}
