import { Failure, isFailure } from '../../failure';
import { describeHost } from '../../host/host';
import { withLock, type HeldLock } from '../../host/locks/lock';
import { stepUnderLock } from '../../host/locks/step';
import { fileNameFor } from '../../host/state-folder';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import { composeConfig, composePull, composeVersion, projectArguments, type Project } from '../compose/compose';
import type { ComposeConfig } from '../compose/config';
import { envFile } from '../compose/env-file';
import { describeDocker, type DockerAccess } from '../engine/access';
import { inspectContainer, listContainers } from '../engine/containers';
import { connectEngine, type Engine } from '../engine/engine';
import { inspectImage, tagImage } from '../engine/images';
import { envToGoBackWith, type EnvValues, layDownEnv } from './env-back';
import { history, type Release } from './history';
import { movedData, type MovedData } from './moved-data';
import { parsePrepared, stillSwitches, type Prepared } from './prepared';
import { PREPARE, RECORD } from './scripts';
import { switchTo, type Switched } from './switch';
import { checkWish, type DeployWish } from './wish';

export interface DeployPlan {
  readonly from: { readonly release: number; readonly commit: string } | null;
  readonly commit: string;
  /** `M compose.yml` */
  readonly files: readonly string[];
  readonly envChanged: boolean;
  readonly images: readonly string[];
  readonly overwrites: readonly string[];
  /** Updates that the files of the commit do not know: `db: postgres:16.4 goes back to postgres:16.2`. */
  readonly undoesUpdates: readonly string[];
  readonly movedData: readonly MovedData[];
  /** The release whose switch broke off on the host; this deploy puts that right. */
  readonly interrupted: number | null;
}

export interface DeployResult extends Switched {
  readonly stack: string;
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly plan: DeployPlan;
}

const DEFAULTS = { healthSeconds: 180, graceSeconds: 10, lockWaitMs: 600_000 };

/**
 * Makes exactly this commit live, or leaves what was there. Everything that can fail without touching what runs is done
 * first: fetch, configuration, pull, build. The switch itself is a job of the host: it ends, one way or the other, also
 * without us.
 */
export async function deployStack(access: DockerAccess, wish: DeployWish, task: Task): Promise<DeployResult> {
  checkWish(wish, Date.now());
  const { stack } = wish;
  const request = { owner: `deploy of ${stack} (${task.owner})`, waitMs: wish.lockWaitMs ?? DEFAULTS.lockWaitMs };
  return await withLock(access.host, `stack ${stack}`, request, task, async (lock, work) => {
    await composeVersion(access, work);
    const engine = await connectEngine(access, work);
    work.progress({ message: `Fetching ${wish.commit.slice(0, 12)}` });
    const prepared = await prepare(access, wish, lock, work);
    const staged = stagedProject(wish, prepared.base);
    const config = inPlace(await composeConfig(access, staged, work), prepared.base, wish.directory);
    const plan = await makePlan(engine, wish, prepared, config, work);
    refuse(access, wish, plan, prepared);
    const nothingNew =
      plan.from?.commit === wish.commit && !plan.envChanged && wish.redeploy !== true && prepared.interrupted === null;
    if (wish.dryRun === true) {
      return { ...unswitched(plan.from?.release ?? null), stack, changed: !nothingNew, dryRun: true, plan };
    }
    const images = await bringImages(access, engine, wish, staged, config, work);
    const sameImages = [...images].sort().join('\n') === [...prepared.images].sort().join('\n');
    if (nothingNew && sameImages) {
      return { ...unswitched(plan.from.release), stack, changed: false, dryRun: false, plan };
    }
    const release = prepared.newest + 1;
    const notes = JSON.stringify({
      at: new Date().toISOString(),
      by: work.owner,
      repository: wish.repository,
      digests: await digestsOf(engine, images, work),
      configSha256: config.sha256,
    });
    await stepUnderLock(
      access.host,
      lock,
      {
        script: RECORD,
        arguments: [fileNameFor(stack), String(release), wish.commit, wish.folder ?? '', projectName(wish)],
        input: [...staged.files, '', ...images, '', notes].join('\n'),
      },
      {},
      work,
    );
    await keepImages(engine, stack, release, images, work);
    const switched = await switchTo(
      access,
      {
        stack,
        base: prepared.base,
        directory: wish.directory,
        release,
        previous: await wayBack(access, stack, work),
        healthSeconds: wish.healthSeconds ?? DEFAULTS.healthSeconds,
        graceSeconds: wish.graceSeconds ?? DEFAULTS.graceSeconds,
        rollBack: wish.migratesData !== true,
        lock,
      },
      task,
    );
    return { ...switched, stack, changed: true, dryRun: false, plan };
  });
}

export interface RollbackWish {
  readonly stack: string;
  readonly directory: string;
  readonly release: number;
  /** Default: today. */
  readonly envValues?: EnvValues;
  readonly healthSeconds?: number;
  readonly graceSeconds?: number;
  readonly lockWaitMs?: number;
  readonly dryRun?: boolean;
}

export interface RolledBack extends Switched {
  readonly stack: string;
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly keptValues: readonly string[];
}

/** Makes an earlier release live again: its files, its very images, and its .env with the values of today. */
export async function rollBackStack(access: DockerAccess, wish: RollbackWish, task: Task): Promise<RolledBack> {
  const { stack, release, dryRun = false, envValues = 'today' } = wish;
  const request = { owner: `rollback of ${stack} (${task.owner})`, waitMs: wish.lockWaitMs ?? DEFAULTS.lockWaitMs };
  return await withLock(access.host, `stack ${stack}`, request, task, async (lock, work) => {
    const releases = await history(access, stack, work);
    const live = releases.find((one) => one.live);
    const wanted = releases.find((one) => one.release === release);
    if (wanted === undefined) throw noSuchRelease(access, stack, release, releases);
    const running = releases.some(({ outcome }) => outcome.kind === 'unknown' && outcome.why === 'running');
    if (running) throw stillSwitches(access, stack);
    // After a switch that broke off, what runs may be something else than what is recorded as live.
    const brokenOff = releases.some(({ outcome }) => outcome.kind === 'unknown' && outcome.why === 'interrupted');
    const already = wanted.live && !brokenOff;
    if (already) return { ...unswitched(live?.release ?? null), stack, changed: false, dryRun, keptValues: [] };
    const { keptValues, text } = await envToGoBackWith(access, { stack, release, values: envValues }, work);
    if (dryRun) return { ...unswitched(live?.release ?? null), stack, changed: true, dryRun, keptValues };
    await layDownEnv(access, lock, { stack, release, text }, work);
    const previous = await wayBack(access, stack, work);
    const switched = await switchTo(
      access,
      {
        stack,
        base: wanted.base,
        directory: wish.directory,
        release,
        previous: previous === release ? null : previous,
        healthSeconds: wish.healthSeconds ?? DEFAULTS.healthSeconds,
        graceSeconds: wish.graceSeconds ?? DEFAULTS.graceSeconds,
        rollBack: true,
        lock,
      },
      task,
    );
    return { ...switched, stack, changed: true, dryRun: false, keptValues };
  });
}

async function prepare(access: DockerAccess, wish: DeployWish, lock: HeldLock, task: Task): Promise<Prepared> {
  const { login, env } = wish;
  const { stdout } = await stepUnderLock(
    access.host,
    lock,
    {
      script: PREPARE,
      arguments: [fileNameFor(wish.stack), wish.repository, wish.commit, wish.directory, wish.folder ?? ''],
      input: `${login?.user ?? ''}\n${login?.password ?? ''}\n${env === undefined ? 'keep' : 'env'}\n${env === undefined ? '' : envFile(env)}`,
    },
    { timeoutMs: 900_000, maxOutputBytes: 8 << 20 },
    task,
  );
  return parsePrepared(access, wish, stdout);
}

/** The release that is live, unless it never was well: going back to that would help nobody. */
export async function wayBack(access: DockerAccess, stack: string, task: Task): Promise<number | null> {
  const live = (await history(access, stack, task)).find((one) => one.live);
  return live?.outcome.kind === 'ok' ? live.release : null;
}

function projectName({ project, stack }: DeployWish): string {
  return project ?? stack;
}

function stagedProject(wish: DeployWish, base: string): Project & { readonly files: readonly string[] } {
  const directory = [base, 'stage', ...(wish.folder === undefined || wish.folder === '' ? [] : [wish.folder])].join(
    '/',
  );
  return { directory, name: projectName(wish), files: wish.files ?? [] };
}

/** Read in the stage, paths lie in the stage; live they lie in the project's directory. */
function inPlace(config: ComposeConfig, base: string, directory: string): ComposeConfig {
  const stage = `${base}/stage`;
  const moved = (path: string) =>
    path === stage || path.startsWith(`${stage}/`) ? `${directory}${path.slice(stage.length)}` : path;
  return {
    ...config,
    services: config.services.map((service) => ({
      ...service,
      mounts: service.mounts.map((mount) =>
        mount.type === 'bind' ? { ...mount, source: moved(mount.source) } : mount,
      ),
    })),
  };
}

async function makePlan(
  engine: Engine,
  wish: DeployWish,
  prepared: Prepared,
  config: ComposeConfig,
  task: Task,
): Promise<DeployPlan> {
  const labels = [`com.docker.compose.project=${projectName(wish)}`];
  const containers = await listContainers(engine, { all: true, labels }, task);
  const running = await Promise.all(containers.map(({ id }) => inspectContainer(engine, id, task)));
  return {
    from: prepared.current === null ? null : { release: prepared.current, commit: prepared.commit },
    commit: wish.commit,
    files: prepared.files,
    envChanged: prepared.envChanged,
    images: config.services.map((service) => `${service.name}: ${imageOf(wish, service)}`),
    overwrites: [...prepared.edited, ...prepared.clashes],
    undoesUpdates: config.services.flatMap((service) => {
      const now = prepared.updated[service.name];
      const next = imageOf(wish, service);
      return now === undefined || now === next ? [] : [`${service.name}: ${now} goes back to ${next}`];
    }),
    movedData: movedData(running, config),
    interrupted: prepared.interrupted,
  };
}

function refuse(access: DockerAccess, wish: DeployWish, plan: DeployPlan, prepared: Prepared): void {
  const subject = `stack ${wish.stack}, ${describeDocker(access)}`;
  if (prepared.envTracked) {
    throw new Failure({
      code: 'env_in_repository',
      subject,
      message: `The repository of stack ${wish.stack} holds a .env, so none can be written beside it`,
      nextStep: 'Remove .env from the repository (its secrets are in its history), or deploy without values.',
    });
  }
  if (plan.movedData.length > 0 && wish.acceptMovedData !== true) {
    const [{ service, target, from, to } = { service: '', target: '', from: '', to: '' }] = plan.movedData;
    throw new Failure({
      code: 'data_would_move',
      subject,
      message: `Service ${service} of stack ${wish.stack} now writes ${target} to ${from}, and would write it to ${to}: it would start without its data`,
      nextStep: 'Keep the directory and the mounts as they are, or move the data first and then accept it.',
      details: { moved: plan.movedData.map((one) => ({ ...one })) },
    });
  }
  if (plan.undoesUpdates.length > 0 && wish.overwrite !== true) {
    throw new Failure({
      code: 'update_would_be_undone',
      subject,
      message: `This commit of stack ${wish.stack} does not know an update that was made on the host: ${plan.undoesUpdates.join('; ')}`,
      nextStep: 'Write the newer images into the Compose file of the repository, or allow to overwrite them.',
      details: { updates: [...plan.undoesUpdates] },
    });
  }
  if (plan.overwrites.length > 0 && wish.overwrite !== true) {
    throw new Failure({
      code: 'directory_changed',
      subject,
      message: `${wish.directory} on ${describeHost(access.host)} holds what this deploy would overwrite: ${plan.overwrites.slice(0, 5).join(', ')}`,
      nextStep: 'Bring these changes into the repository, or allow to overwrite them.',
      details: { paths: plan.overwrites.slice(0, 100) },
    });
  }
}

function imageOf(wish: DeployWish, { name, image }: { readonly name: string; readonly image: string | null }): string {
  return image ?? `${projectName(wish)}-${name}`;
}

/** Pulls and builds; answers `<image id> <reference>` for each image of the release. */
async function bringImages(
  access: DockerAccess,
  engine: Engine,
  wish: DeployWish,
  staged: Project,
  config: ComposeConfig,
  task: Task,
): Promise<readonly string[]> {
  const pulled: string[] = [];
  for (const service of config.services) {
    if (service.builds || service.image === null) continue;
    if (wish.pull !== 'missing' || !(await isThere(engine, service.image, task))) pulled.push(service.name);
  }
  if (pulled.length > 0) {
    task.progress({ message: `Pulling ${pulled.join(', ')}` });
    await composePull(access, staged, { services: pulled }, task);
  }
  const built = config.services.filter(({ builds }) => builds).map(({ name }) => name);
  if (built.length > 0) {
    task.progress({ message: `Building ${built.join(', ')}` });
    await runCommand(
      access.host,
      {
        argv: ['docker', 'compose', ...projectArguments(staged), 'build', '--', ...built],
        environment: { DOCKER_HOST: `unix://${access.socketPath}` },
      },
      { timeoutMs: 3_600_000 },
      task,
    );
  }
  const references = [...new Set(config.services.map((service) => imageOf(wish, service)))];
  return await Promise.all(
    references.map(async (reference) => `${(await inspectImage(engine, reference, task)).id} ${taggable(reference)}`),
  );
}

/** An image that is pinned by its digest has no tag to put back. */
export function taggable(reference: string): string {
  const [name = ''] = reference.split('@');
  return reference.includes('@') ? `${name.replace(/:[^:/]*$/, '')}:selfhost-pinned` : reference;
}

async function isThere(engine: Engine, image: string, task: Task): Promise<boolean> {
  try {
    await inspectImage(engine, image, task);
    return true;
  } catch (error) {
    if (isFailure(error, 'not_found')) return false;
    throw error;
  }
}

export async function digestsOf(
  engine: Engine,
  images: readonly string[],
  task: Task,
): Promise<Record<string, readonly string[]>> {
  const pairs = images.map(async (line) => {
    const [id = '', reference = ''] = line.split(' ');
    return [reference, [...(await inspectImage(engine, id, task)).digests]] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

/** A name of its own keeps every image of a release from being pruned. */
export async function keepImages(
  engine: Engine,
  stack: string,
  release: number,
  images: readonly string[],
  task: Task,
) {
  for (const [index, line] of images.entries()) {
    await tagImage(engine, line.split(' ')[0] ?? '', `${releaseImages(stack)}:${release}-${index}`, task);
  }
}

export function releaseImages(stack: string): string {
  return `selfhost-release/${stack}`;
}

export function unswitched(live: number | null): Switched {
  return { succeeded: true, tried: null, live, liveIsWell: null, rolledBack: false, reason: null, log: null };
}

function noSuchRelease(access: DockerAccess, stack: string, release: number, all: readonly Release[]): Failure {
  return new Failure({
    code: 'release_missing',
    subject: `stack ${stack}, ${describeDocker(access)}`,
    message: `Stack ${stack} has no release ${release} on ${describeHost(access.host)}; it has ${all.map((one) => one.release).join(', ') || 'none'}`,
    nextStep: 'Choose one of its history.',
  });
}
