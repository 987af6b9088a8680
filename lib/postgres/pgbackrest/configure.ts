import { Failure } from '../../failure';
import type { Task } from '../../task';
import { dataFolderInside, describeMember, portInside, type Member } from '../replication/cluster';
import { runOnMember, withClusterLocks } from '../replication/member-script';
import { STANDBY_FOLDER } from '../replication/standby-folder';
import { readFeatures, refuseWithoutSftp } from './features';
import { checkStanza, describeStanza, type Stanza } from './stanza';

interface Kept {
  /** How many full backups are kept, with what depends on them. */
  readonly retentionFull: number;
  readonly retentionDiff?: number;
  /** Everything is encrypted with it before it leaves the host. It must exist elsewhere too: without it nothing can be restored. */
  readonly cipherPassword?: string;
}

/** Where backups and WAL go. */
export type Repository = Kept &
  (
    | { readonly kind: 'folder'; readonly path: string }
    /** Another host with pgBackRest, reached by the SSH of PostgreSQL's own user. */
    | { readonly kind: 'host'; readonly address: string; readonly user: string; readonly path: string }
    | {
        readonly kind: 's3';
        readonly path: string;
        readonly bucket: string;
        readonly endpoint: string;
        readonly region: string;
        readonly key: string;
        readonly keySecret: string;
        readonly pathStyle?: boolean;
      }
    /** From pgBackRest 2.46 on. */
    | {
        readonly kind: 'sftp';
        readonly address: string;
        readonly user: string;
        readonly path: string;
        readonly privateKeyFile: string;
        /** SHA-256 of its host key, in hexadecimal. */
        readonly hostKeySha256: string;
      }
  );

export interface ConfigurationWish {
  readonly repositories: readonly Repository[];
  /** Further options of pgBackRest for this stanza: `process-max`, `compress-type`. No secrets. */
  readonly options?: Readonly<Record<string, string>>;
}

export interface ConfigurationPlan {
  readonly path: string;
  readonly writeFile: boolean;
  readonly archiveMode: boolean;
  readonly archiveCommand: string | null;
  readonly restart: boolean;
  /** One line for each thing that would change; secrets are not in them. */
  readonly lines: readonly string[];
}

type Line = readonly [name: string, value: string, secret?: 'secret'];

/** Where the configuration of a stanza is written. pgBackRest reads every file of that folder beside its own. */
export function configPathOf({ name, config }: Stanza): string {
  return config ?? `/etc/pgbackrest/conf.d/selfhost-${name}.conf`;
}

function linesOf(stanza: Stanza, { repositories, options = {} }: ConfigurationWish): readonly Line[] {
  const { member } = stanza;
  return [
    ['pg1-path', dataFolderInside(member)],
    ['pg1-port', String(portInside(member))],
    ['pg1-socket-path', member.socketFolder],
    ['pg1-user', member.superuser],
    ...repositories.flatMap((repository, index) => repositoryLines(`repo${index + 1}`, repository)),
    ...Object.entries(options),
  ];
}

function repositoryLines(name: string, repository: Repository): readonly Line[] {
  const { path, retentionFull, retentionDiff, cipherPassword } = repository;
  const common: Line[] = [
    [`${name}-path`, path],
    [`${name}-retention-full`, String(retentionFull)],
    ...(retentionDiff === undefined ? [] : [[`${name}-retention-diff`, String(retentionDiff)] as const]),
    ...(cipherPassword === undefined
      ? []
      : [[`${name}-cipher-type`, 'aes-256-cbc'] as const, [`${name}-cipher-pass`, cipherPassword, 'secret'] as const]),
  ];
  switch (repository.kind) {
    case 'folder':
      return common;
    case 'host':
      return [[`${name}-host`, repository.address], [`${name}-host-user`, repository.user], ...common];
    case 's3':
      return [
        [`${name}-type`, 's3'],
        [`${name}-s3-bucket`, repository.bucket],
        [`${name}-s3-endpoint`, repository.endpoint],
        [`${name}-s3-region`, repository.region],
        [`${name}-s3-key`, repository.key, 'secret'],
        [`${name}-s3-key-secret`, repository.keySecret, 'secret'],
        [`${name}-s3-uri-style`, repository.pathStyle === true ? 'path' : 'host'],
        ...common,
      ];
    case 'sftp':
      return [
        [`${name}-type`, 'sftp'],
        [`${name}-sftp-host`, repository.address],
        [`${name}-sftp-host-user`, repository.user],
        [`${name}-sftp-private-key-file`, repository.privateKeyFile],
        [`${name}-sftp-host-key-hash-type`, 'sha256'],
        [`${name}-sftp-host-fingerprint`, repository.hostKeySha256],
        ...common,
      ];
  }
}

function checkLines(stanza: Stanza, wish: ConfigurationWish, lines: readonly Line[]): void {
  const problem =
    wish.repositories.length === 0
      ? 'it has no repository'
      : (Object.keys(wish.options ?? {})
          .filter((name) => SECRET_OPTION.test(name))
          .map((name) => `option ${name} is a secret, and belongs into its repository`)[0] ??
        wish.repositories.map(problemOf).find((one) => one !== undefined) ??
        lines
          .map(([name, value]) =>
            !/^[a-z][a-z0-9-]*$/.test(name)
              ? `"${name}" is no option of pgBackRest`
              : value === '' || /[\r\n\0]/.test(value)
                ? `option ${name} is empty, or has more than one line`
                : undefined,
          )
          .find((one) => one !== undefined));
  if (problem === undefined) return;
  throw new Failure({
    code: 'repository_unusable',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)} cannot be configured like this: ${problem}`,
    nextStep: 'Correct the description of the repositories.',
  });
}

// What a plan shows of them is their value.
const SECRET_OPTION = /(?:-pass|-passphrase|-key|-key-secret|-password|-token)$/;

function problemOf({ path, retentionFull, cipherPassword }: Repository): string | undefined {
  if (!path.startsWith('/')) return `"${path}" is no absolute path`;
  if (!Number.isInteger(retentionFull) || retentionFull < 1) return 'it would keep no full backup';
  if (cipherPassword !== undefined && cipherPassword.length < 16) {
    return 'the password of a repository has fewer than 16 characters';
  }
  return undefined;
}

function fileOf(stanza: Stanza, lines: readonly Line[]): string {
  // In the section of the stanza, which goes before what stands for all stanzas.
  const text = lines.map(([name, value]) => `${name}=${value}\n`).join('');
  return `# Written by the n8n node Postgres Replication; changes are overwritten by its Configure.\n[${stanza.name}]\n${text}`;
}

/** What is written elsewhere in a container is gone with it; its data folder stays, and goes to the standby as well. */
function refusePathInImage(stanza: Stanza): void {
  const inside = dataFolderInside(stanza.member);
  if (stanza.member.runtime.kind !== 'docker' || stanza.config?.startsWith(`${inside}/`) === true) return;
  throw new Failure({
    code: 'config_needed',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: in a container its configuration has to lie in the data folder, where it outlives the container`,
    nextStep: `Set Configuration File to ${inside}/selfhost-pgbackrest.conf, here and for every other operation of this stanza.`,
  });
}

// The file comes on standard input and goes nowhere but into the comparison.
const LOOK = `
host_path "$1"
if [ -e "$REPLY" ] && cmp -s -- - "$REPLY"; then echo 'file same'
else echo 'file differs'; cat > /dev/null; fi
sql <<'SQL' | sed 's/^/mode /'
show archive_mode
SQL
sql <<'SQL' | sed 's/^/command /'
show archive_command
SQL
`;

/** What Configure would change. Nothing is changed. */
export async function planConfiguration(
  stanza: Stanza,
  wish: ConfigurationWish,
  task: Task,
): Promise<ConfigurationPlan> {
  checkStanza(stanza);
  refusePathInImage(stanza);
  const lines = linesOf(stanza, wish);
  checkLines(stanza, wish, lines);
  if (wish.repositories.some(({ kind }) => kind === 'sftp')) {
    refuseWithoutSftp(stanza, await readFeatures(stanza, task));
  }
  const path = configPathOf(stanza);
  const ask = { script: LOOK, arguments: [path], input: fileOf(stanza, lines) };
  const { stdout } = await runOnMember(stanza.cluster, stanza.member, ask, task);
  const after = (start: string) => new RegExp(`^${start} (.*)$`, 'm').exec(stdout)?.[1] ?? '';
  const writeFile = after('file') !== 'same';
  const wanted = archiveCommandOf(stanza);
  const modeNow = after('mode');
  const commandNow = after('command');
  const archiveMode = modeNow === 'off';
  // Somebody's own way of calling pgBackRest (asynchronous, through a script) stays.
  const archiveCommand =
    commandNow === wanted || (commandNow.includes('pgbackrest') && commandNow.includes(stanza.name)) ? null : wanted;
  return {
    path,
    writeFile,
    archiveMode,
    archiveCommand,
    restart: archiveMode,
    lines: [
      ...(writeFile
        ? lines.map(([name, value, secret]) => `${path}: ${name}=${secret === undefined ? value : '(secret)'}`)
        : []),
      ...(archiveMode ? ['archive_mode: off -> on'] : []),
      ...(archiveCommand === null ? [] : [`archive_command: ${shown(commandNow)} -> ${archiveCommand}`]),
      ...(archiveMode ? [`restart of PostgreSQL on ${stanza.member.name}`] : []),
    ],
  };
}

/** A command of somebody else may hold what is nobody's business. */
function shown(command: string): string {
  return command === '' || command === '(disabled)' ? 'empty' : '(another command)';
}

function archiveCommandOf({ name, config }: Stanza): string {
  return `pgbackrest --stanza=${name}${config === undefined ? '' : ` --config=${config}`} archive-push %p`;
}

const WRITE = `${STANDBY_FOLDER}
host_path "$1"
file=$REPLY
folder=\${file%/*}
[ -d "$folder" ] || { mkdir -p -m 755 -- "$folder" && chmod 755 -- "$folder"; } || stop_with config_unwritable "$folder cannot be made"
owned_file "$file" 600
`;

const SET = `
sql -v name="$1" -v value="$2" <<'SQL'
select format('alter system set %I = %L', :'name', :'value') \\gexec
select pg_reload_conf() \\g /dev/null
SQL
`;

const RESTART = `
keep_autostart
stop_server_cleanly 120 || stop_with server_not_stopped "PostgreSQL did not stop within 120 s"
start_server
give_autostart
`;

export interface ConfigureWish extends ConfigurationWish {
  readonly allowRestart: boolean;
  /** The other members of the cluster: while this one is restarted none of them may be promoted. */
  readonly others?: readonly Member[];
  /** Throws when these lines are not what somebody agreed to. */
  readonly agree?: (lines: readonly string[]) => void;
}

/** Writes pgBackRest's configuration and has PostgreSQL archive. Run twice it changes nothing. */
export async function configureStanza(
  stanza: Stanza,
  wish: ConfigureWish,
  task: Task,
): Promise<{ readonly changed: boolean; readonly lines: readonly string[] }> {
  const { cluster, member } = stanza;
  const members = [member, ...(wish.others ?? [])];
  return withClusterLocks(cluster, members, { waitMs: 10_000 }, task, async (inner) => {
    const plan = await planConfiguration(stanza, wish, inner);
    wish.agree?.(plan.lines);
    if (plan.lines.length === 0) return { changed: false, lines: [] };
    if (plan.restart && !wish.allowRestart) throw restartNeeded(stanza, plan);
    const run = (script: string, list: readonly string[], input?: string) =>
      runOnMember(cluster, member, { script, arguments: list, input, timeoutMs: 300_000 }, inner);
    if (plan.writeFile) await run(WRITE, [plan.path], fileOf(stanza, linesOf(stanza, wish)));
    if (plan.archiveMode) await run(SET, ['archive_mode', 'on']);
    if (plan.archiveCommand !== null) await run(SET, ['archive_command', plan.archiveCommand]);
    if (plan.restart) {
      inner.progress({ message: `Restarting ${describeMember(cluster, member)}` });
      await run(RESTART, []);
    }
    return { changed: true, lines: plan.lines };
  });
}

function restartNeeded({ cluster, member }: Stanza, { lines }: ConfigurationPlan): Failure {
  return new Failure({
    code: 'restart_needed',
    subject: describeMember(cluster, member),
    message: `${describeMember(cluster, member)} has to be restarted before it archives; nothing was changed`,
    nextStep: 'Allow the restart (clients are cut off for some seconds), at a time that suits.',
    details: { changes: lines },
  });
}
