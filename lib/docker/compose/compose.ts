import { Failure, isFailure } from '../../failure';
import type { CommandResult, RunOptions } from '../../host/command';
import { runCommand } from '../../host/run';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { describeDocker, type DockerAccess } from '../engine/access';
import { older } from '../engine/engine';
import { numberAt, textAt } from '../engine/read';
import { parseConfig, type ComposeConfig } from './config';
import { parseProcesses, type ComposeContainer } from './processes';

/** A Compose project on a host. */
export interface Project {
  /** Relative paths of the project begin here. */
  readonly directory: string;
  /** Default: what Compose makes of the directory's name. */
  readonly name?: string;
  /** Default: the usual names in the directory. */
  readonly files?: readonly string[];
  readonly profiles?: readonly string[];
}

/** `up --wait` and JSON answers are there from here on. */
const OLDEST = '2.17';

/** The version of the Compose plugin; Compose v1 and no Compose are refused with what to do. */
export async function composeVersion(access: DockerAccess, task: Task): Promise<string> {
  const found = await docker(
    access,
    ['compose', 'version', '--short'],
    { acceptExitCodes: ANY, timeoutMs: 30_000 },
    task,
  );
  const version = /^v?(\d+\.\d+)[\d.]*/.exec(found.stdout.trim());
  if (found.exitCode === 0 && version?.[1] !== undefined && !older(version[1], OLDEST))
    return version[0].replace(/^v/, '');
  const old = await runCommand(access.host, { script: OLD_COMPOSE }, { timeoutMs: 30_000 }, task);
  const which =
    found.exitCode === 0
      ? `it has Compose ${found.stdout.trim()}, and ${OLDEST} is the oldest that will do`
      : old.stdout.trim() === ''
        ? 'it has no Compose'
        : 'it has only Compose v1 (docker-compose), which has had no updates since 2023';
  throw new Failure({
    code: 'compose_missing',
    subject: describeDocker(access),
    message: `${describeDocker(access)} has no Compose v2: ${which}`,
    nextStep: 'Install the plugin docker-compose-plugin (Docker) or docker-compose-v2 (Ubuntu) on that host.',
  });
}

/** Any exit code is an answer. */
const ANY = Array.from({ length: 256 }, (_, code) => code);
const OLD_COMPOSE = 'command -v docker-compose || :';

/** What Compose makes of the project's files. Values of environment variables may be secrets and are not in it. */
export async function composeConfig(access: DockerAccess, project: Project, task: Task): Promise<ComposeConfig> {
  const { stdout, truncated } = await compose(
    access,
    project,
    ['config', '--format', 'json'],
    { maxOutputBytes: 8 << 20 },
    task,
  );
  if (truncated) throw unreadable(access, 'its configuration is larger than 8 MiB');
  return parseConfig(parseJson(access, stdout));
}

export interface ServiceChange {
  readonly service: string;
  /** Against the containers that are there: `changed` would be recreated by bringing it up. */
  readonly change: 'unchanged' | 'changed' | 'new' | 'gone';
}

/** What bringing the project up would make of what is there since it was last brought up. */
export async function composeChanges(
  access: DockerAccess,
  project: Project,
  config: ComposeConfig,
  containers: readonly { readonly labels: Readonly<Record<string, string>> }[],
  task: Task,
): Promise<readonly ServiceChange[]> {
  const { stdout } = await compose(access, project, ['config', '--hash', '*'], {}, task);
  const hashes = new Map(
    stdout.split('\n').map((line): [string, string] => {
      const [service = '', hash = ''] = line.trim().split(' ');
      return [service, hash];
    }),
  );
  const there = containers
    .filter(({ labels }) => labels['com.docker.compose.project'] === config.name)
    .map(
      ({ labels }) => [labels['com.docker.compose.service'] ?? '', labels['com.docker.compose.config-hash']] as const,
    );
  const known = config.services.map(({ name: service }): ServiceChange => {
    const own = there.filter(([name]) => name === service);
    const same = own.every(([, hash]) => hash === hashes.get(service));
    return { service, change: own.length === 0 ? 'new' : same ? 'unchanged' : 'changed' };
  });
  const gone = [...new Set(there.map(([name]) => name))]
    .filter((name) => !config.services.some((one) => one.name === name))
    .map((service): ServiceChange => ({ service, change: 'gone' }));
  return [...known, ...gone];
}

export interface ComposeImage {
  readonly container: string;
  readonly name: string;
  readonly tag: string;
  readonly id: string;
  readonly sizeBytes: number;
}

/** The images of the containers that are there. */
export async function composeImages(
  access: DockerAccess,
  project: Project,
  task: Task,
): Promise<readonly ComposeImage[]> {
  const { stdout } = await compose(access, project, ['images', '--format', 'json'], { maxOutputBytes: 8 << 20 }, task);
  return parseImages(access, stdout);
}

function parseImages(access: DockerAccess, text: string): readonly ComposeImage[] {
  try {
    const values: unknown = JSON.parse(text.trim() === '' ? '[]' : text);
    if (Array.isArray(values)) {
      return values.map((value: unknown) => ({
        container: textAt(value, 'ContainerName'),
        name: textAt(value, 'Repository'),
        tag: textAt(value, 'Tag'),
        id: textAt(value, 'ID'),
        sizeBytes: numberAt(value, 'Size'),
      }));
    }
  } catch {
    // Said below.
  }
  throw unreadable(access, 'its list of images is not JSON');
}

export async function composePull(
  access: DockerAccess,
  project: Project,
  wish: { readonly services?: readonly string[]; readonly timeoutMs?: number },
  task: Task,
): Promise<void> {
  await compose(
    access,
    project,
    ['pull', '--quiet', '--', ...(wish.services ?? [])],
    { timeoutMs: wish.timeoutMs ?? 1_800_000 },
    task,
  );
}

export interface UpWish {
  readonly services?: readonly string[];
  /** Builds images before. */
  readonly build?: boolean;
  readonly recreate?: boolean;
  readonly removeOrphans?: boolean;
  /** Until all are healthy, or run where they have no health check. */
  readonly waitSeconds?: number;
}

/** Brings it up and waits until it is; answers what runs, and whether a container was made or started for it. */
export async function composeUp(
  access: DockerAccess,
  project: Project,
  wish: UpWish,
  task: Task,
): Promise<{ readonly changed: boolean; readonly containers: readonly ComposeContainer[] }> {
  const before = await composeProcesses(access, project, task);
  const waitSeconds = wish.waitSeconds ?? 300;
  const argv = [
    ...['up', '--detach', '--quiet-pull', '--wait', '--wait-timeout', String(waitSeconds)],
    ...(wish.build === true ? ['--build'] : []),
    ...(wish.recreate === true ? ['--force-recreate'] : []),
    ...(wish.removeOrphans === true ? ['--remove-orphans'] : []),
    ...['--', ...(wish.services ?? [])],
  ];
  await compose(access, project, argv, { timeoutMs: waitSeconds * 1000 + 1_800_000 }, task);
  const containers = await composeProcesses(access, project, task);
  const known = new Set(before.filter(({ state }) => state === 'running').map(({ id }) => id));
  return { changed: containers.length !== before.length || containers.some(({ id }) => !known.has(id)), containers };
}

export async function composeDown(
  access: DockerAccess,
  project: Project,
  wish: { readonly removeVolumes?: boolean; readonly removeOrphans?: boolean },
  task: Task,
): Promise<{ readonly changed: boolean; readonly removed: readonly string[] }> {
  const before = await composeProcesses(access, project, task);
  const argv = [
    'down',
    ...(wish.removeVolumes === true ? ['--volumes'] : []),
    ...(wish.removeOrphans === true ? ['--remove-orphans'] : []),
  ];
  await compose(access, project, argv, {}, task);
  return { changed: before.length > 0, removed: before.map(({ name }) => name) };
}

export async function composeRestart(
  access: DockerAccess,
  project: Project,
  services: readonly string[],
  task: Task,
): Promise<readonly ComposeContainer[]> {
  await compose(access, project, ['restart', '--', ...services], { timeoutMs: 600_000 }, task);
  return await composeProcesses(access, project, task);
}

/** All containers of the project, running or not. */
export async function composeProcesses(
  access: DockerAccess,
  project: Project,
  task: Task,
): Promise<readonly ComposeContainer[]> {
  const { stdout } = await compose(
    access,
    project,
    ['ps', '--all', '--format', 'json'],
    { maxOutputBytes: 8 << 20 },
    task,
  );
  return parseProcesses(stdout);
}

export async function composeLogs(
  access: DockerAccess,
  project: Project,
  wish: {
    readonly services?: readonly string[];
    readonly tail?: number;
    readonly since?: string;
    readonly maxBytes?: number;
  },
  task: Task,
): Promise<{ readonly text: string; readonly bytes: number; readonly truncated: boolean }> {
  const argv = [
    ...['logs', '--no-color', '--tail', String(wish.tail ?? 100)],
    ...(wish.since === undefined ? [] : ['--since', wish.since]),
    ...['--', ...(wish.services ?? [])],
  ];
  const { stdout, stdoutBytes, truncated } = await compose(
    access,
    project,
    argv,
    { maxOutputBytes: wish.maxBytes ?? 256 * 1024 },
    task,
  );
  return { text: stdout, bytes: stdoutBytes, truncated };
}

async function compose(
  access: DockerAccess,
  project: Project,
  argv: readonly string[],
  options: RunOptions,
  task: Task,
): Promise<CommandResult> {
  try {
    return await docker(access, ['compose', ...projectArguments(project), ...argv], options, task);
  } catch (error) {
    if (!isFailure(error, 'command_failed')) throw error;
    const stderr = typeof error.details.stderr === 'string' ? error.details.stderr : '';
    // Compose numbers its warnings and progress, and says what is wrong at the end.
    const why = stderr.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
    if (/is not a docker command|unknown (shorthand )?flag/.test(stderr)) await composeVersion(access, task);
    throw new Failure({
      code: 'compose_failed',
      subject: `project ${project.name ?? project.directory}, ${describeDocker(access)}`,
      message: `docker compose ${argv[0] ?? ''} failed in ${project.directory}: ${why}`,
      nextStep: 'Read all it said in the details of this error, and the logs of the service it names.',
      details: error.details,
      cause: error,
    });
  }
}

export function projectArguments({ directory, name, files = [], profiles = [] }: Project): readonly string[] {
  return [
    ...['--ansi', 'never', '--project-directory', directory],
    ...(name === undefined ? [] : ['--project-name', name]),
    ...files.flatMap((file) => ['--file', file.startsWith('/') ? file : `${directory}/${file}`]),
    ...profiles.flatMap((profile) => ['--profile', profile]),
  ];
}

async function docker(access: DockerAccess, argv: readonly string[], options: RunOptions, task: Task) {
  return await runCommand(
    access.host,
    { argv: ['docker', ...argv], environment: { DOCKER_HOST: `unix://${access.socketPath}` } },
    options,
    task,
  );
}

function parseJson(access: DockerAccess, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw unreadable(access, 'its answer is not JSON');
}

function unreadable(access: DockerAccess, why: string): Failure {
  return new Failure({
    code: 'compose_unreadable',
    subject: describeDocker(access),
    message: `Compose of ${describeDocker(access)} gave an answer that cannot be used: ${why}`,
    nextStep: 'Check the version of Compose on that host (docker compose version).',
  });
}
