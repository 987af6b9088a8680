import { Failure, isFailure } from '../../failure';
import { withLock, type HeldLock } from '../../host/locks/lock';
import { stepUnderLock } from '../../host/locks/step';
import { runCommand } from '../../host/run';
import { fileNameFor, runStateScript } from '../../host/state-folder';
import type { Task } from '../../task';
import { composeConfig, composeVersion, type Project } from '../compose/compose';
import type { ComposeConfig, ComposeService } from '../compose/config';
import { digestsOf, keepImages, taggable, unswitched, wayBack } from '../deploy/deploy';
import { brokeOff, parseUpdated, stillSwitches } from '../deploy/prepared';
import { DEFAULT_FILES, LIVE, RECORD_UPDATE } from '../deploy/scripts';
import { switchTo, type Switched } from '../deploy/switch';
import { describeDocker, type DockerAccess } from '../engine/access';
import { inspectContainer, listContainers, type Container } from '../engine/containers';
import { connectEngine, type Engine } from '../engine/engine';
import { inspectImage, pullImage, registryDigest, type RegistryLogin } from '../engine/images';
import { withPatience } from '../registry/patience';
import { listTags } from '../registry/tags';
import { standingOf } from './decide';
import { compareVulnerabilities, findScanner, type ScannerName, type VulnerabilityDifference } from './scanner';
import { newestTag } from './versions';

export interface UpdateWish {
  readonly stack: string;
  /** Needed for a project that no deploy or update has put there. */
  readonly directory?: string;
  readonly project?: string;
  /** Only these; databases and services that are labelled so are updated only when they are named here. */
  readonly services?: readonly string[];
  /** By service, or `*` for all others: `digest`, `^16.2`, `/…/`. */
  readonly rules?: Readonly<Record<string, string>>;
  readonly login?: RegistryLogin;
  readonly scan?: boolean;
  readonly healthSeconds?: number;
  readonly graceSeconds?: number;
  readonly lockWaitMs?: number;
  /** How long one registry is waited for in vain, for all images together. */
  readonly registryPatienceMs?: number;
  readonly dryRun?: boolean;
}

export interface ServiceUpdate {
  readonly service: string;
  readonly image: string | null;
  readonly state: 'newer' | 'current' | 'built' | 'only when named' | 'pinned' | 'not named' | 'unknown';
  /** What the files would have to say. */
  readonly newImage: string | null;
  readonly digest: string | null;
  readonly newDigest: string | null;
  readonly why: string | null;
  readonly vulnerabilities: VulnerabilityDifference | null;
}

export interface UpdateResult extends Switched {
  readonly stack: string;
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly services: readonly ServiceUpdate[];
  /** `db: postgres:16.2 becomes postgres:16.4`: what to write into the files, so that the next deploy knows it. */
  readonly changeInFiles: readonly string[];
}

/**
 * Looks for newer images, and makes them a release of their own: it is watched like a deploy, and the images before are
 * put back when it does not become or stay well. The files of the project are not touched.
 */
export async function updateStack(access: DockerAccess, wish: UpdateWish, task: Task): Promise<UpdateResult> {
  const { stack } = wish;
  const request = { owner: `update of ${stack} (${task.owner})`, waitMs: wish.lockWaitMs ?? 600_000 };
  return await withLock(access.host, `stack ${stack}`, request, task, async (lock, work) => {
    await composeVersion(access, work);
    const engine = await connectEngine(access, work);
    const live = await readLive(access, wish, work);
    const config = await composeConfig(access, live.project, work);
    refuseUnknown(access, wish, config);
    const containers = await containersOf(engine, config.name, work);
    const services: ServiceUpdate[] = [];
    for (const service of config.services) {
      services.push(await lookAt(engine, wish, service, containers, work));
    }
    const newer = services.filter(({ state }) => state === 'newer');
    const scanner = wish.scan === false ? undefined : await findScanner(access, work);
    const judged =
      wish.scan === false
        ? services
        : await Promise.all(services.map(async (one) => await withScan(access, scanner, one, work)));
    const report = {
      stack,
      services: judged,
      changeInFiles: newer
        .filter(({ image, newImage }) => image !== newImage)
        .map(({ service, image, newImage }) => `${service}: ${image ?? ''} becomes ${newImage ?? ''}`),
    };
    const dryRun = wish.dryRun === true;
    if (newer.length === 0 || dryRun) {
      return { ...unswitched(live.current), ...report, changed: newer.length > 0, dryRun };
    }
    const release = await record(access, engine, wish, live, config, newer, containers, lock, work);
    const switched = await switchTo(
      access,
      {
        stack,
        base: live.base,
        directory: live.directory,
        release,
        previous: await wayBack(access, stack, work),
        healthSeconds: wish.healthSeconds ?? 180,
        graceSeconds: wish.graceSeconds ?? 10,
        rollBack: true,
        lock,
      },
      task,
    );
    return { ...switched, ...report, changed: true, dryRun: false };
  });
}

interface Live {
  readonly base: string;
  readonly directory: string;
  readonly folder: string;
  readonly commit: string;
  readonly current: number | null;
  readonly newest: number;
  readonly project: Project & { readonly files: readonly string[] };
  readonly images: readonly string[];
  readonly updated: Readonly<Record<string, string>>;
}

/** What is live, as a deploy or an update has left it; or the project that lies in the given directory. */
async function readLive(access: DockerAccess, wish: UpdateWish, task: Task): Promise<Live> {
  const { stdout } = await runStateScript(access.host, { script: LIVE, arguments: [fileNameFor(wish.stack)] }, task);
  const fields = stdout.split('\0');
  const all = (name: string) =>
    fields.flatMap((field, at) => (at % 2 === 0 && field === name ? [fields[at + 1] ?? ''] : []));
  const one = (name: string) => all(name)[0] ?? '';
  const refuse = (code: string, message: string, nextStep: string) =>
    new Failure({ code, subject: `stack ${wish.stack}, ${describeDocker(access)}`, message, nextStep });
  if (all('busy').length > 0) throw stillSwitches(access, wish.stack);
  if (all('interrupted').length > 0) throw brokeOff(access, wish.stack, one('interrupted'));
  const current = one('current') === '' ? null : Number(one('current'));
  const directory = current === null ? (wish.directory ?? '') : one('directory');
  if (directory === '') {
    throw refuse(
      'directory_needed',
      `Stack ${wish.stack} was not put on the host by this pack, so its directory has to be given`,
      'Give the directory of its Compose files.',
    );
  }
  if (wish.directory !== undefined && wish.directory !== directory) {
    throw refuse(
      'directory_moved',
      `Stack ${wish.stack} lives in ${directory}, and not in ${wish.directory}`,
      'Leave the directory out, or give the right one.',
    );
  }
  const folder = one('folder');
  const place = folder === '' ? directory : `${directory}/${folder}`;
  const files = all('file').length > 0 ? all('file') : await defaultFiles(access, place, task);
  const updated = parseUpdated(all('updated')[0]);
  const extra = Object.keys(updated).length > 0 ? [`${one('base')}/releases/${one('current')}/images.json`] : [];
  const name = current === null ? wish.project : one('project');
  return {
    base: one('base'),
    directory,
    folder,
    commit: current === null ? '-' : one('commit'),
    current,
    newest: Number(one('newest')),
    project: { directory: place, ...(name !== undefined && { name }), files: [...files, ...extra] },
    images: all('image'),
    updated,
  };
}

async function defaultFiles(access: DockerAccess, directory: string, task: Task): Promise<readonly string[]> {
  const { stdout } = await runCommand(access.host, { script: DEFAULT_FILES, arguments: [directory] }, {}, task);
  const files = stdout.split('\n').filter((line) => line !== '');
  if (files.length > 0) return files;
  throw new Failure({
    code: 'no_compose_file',
    subject: `${directory}, ${describeDocker(access)}`,
    message: `There is no Compose file in ${directory}`,
    nextStep: 'Check the directory; it has to hold compose.yml or one of the other usual names.',
  });
}

function refuseUnknown(access: DockerAccess, { stack, services = [], rules = {} }: UpdateWish, config: ComposeConfig) {
  const known = config.services.map(({ name }) => name);
  const unknown = [...services, ...Object.keys(rules).filter((name) => name !== '*')].find(
    (name) => !known.includes(name),
  );
  if (unknown === undefined) return;
  throw new Failure({
    code: 'invalid_parameter',
    subject: `stack ${stack}, ${describeDocker(access)}`,
    message: `Stack ${stack} has no service ${unknown}; it has ${known.join(', ')}`,
    nextStep: 'Correct the name.',
  });
}

async function containersOf(engine: Engine, project: string, task: Task): Promise<readonly Container[]> {
  const labels = [`com.docker.compose.project=${project}`];
  const listed = await listContainers(engine, { all: true, labels }, task);
  return await Promise.all(listed.map(({ id }) => inspectContainer(engine, id, task)));
}

async function lookAt(
  engine: Engine,
  wish: UpdateWish,
  service: ComposeService,
  containers: readonly Container[],
  task: Task,
): Promise<ServiceUpdate> {
  const named = wish.services ?? [];
  const about = { service: service.name, image: service.image, vulnerabilities: null };
  const nothing = { newImage: null, digest: null, newDigest: null };
  if (named.length > 0 && !named.includes(service.name)) {
    return { ...about, ...nothing, state: 'not named', why: null };
  }
  const standing = standingOf(service, { named, rules: wish.rules ?? {} });
  if (standing.kind === 'leave') return { ...about, ...nothing, state: standing.state, why: standing.why };
  const { reference, rule } = standing;
  const { registry } = reference;
  task.progress({ message: `Asking ${registry} about ${service.name}` });
  const asked = { place: engine.access, registry, patienceMs: wish.registryPatienceMs };
  try {
    const tag = reference.tag ?? 'latest';
    const { newTag, wanted, remote } = await withPatience(asked, task, async (work) => {
      const newTag =
        rule.kind === 'digest' ? undefined : newestTag(await listTags(engine, reference, wish.login, work), tag, rule);
      const wanted = `${reference.name}:${newTag ?? tag}`;
      return { newTag, wanted, remote: (await registryDigest(engine, wanted, wish.login, work)).remote };
    });
    const here = await runningDigests(engine, service, containers, task);
    const digest = here[0] ?? null;
    if (newTag === undefined && here.includes(remote)) {
      return { ...about, state: 'current', newImage: null, digest: remote, newDigest: null, why: null };
    }
    const newImage =
      reference.digest === null ? (newTag === undefined ? service.image : wanted) : `${wanted}@${remote}`;
    return { ...about, state: 'newer', newImage, digest, newDigest: remote, why: null };
  } catch (error) {
    if (task.signal.aborted || !isFailure(error)) throw error;
    return { ...about, ...nothing, state: 'unknown', why: error.message };
  }
}

/** The digests under which the image that runs is known; of its tag where nothing runs. */
async function runningDigests(
  engine: Engine,
  service: ComposeService,
  containers: readonly Container[],
  task: Task,
): Promise<readonly string[]> {
  const running = containers.find(({ labels }) => labels['com.docker.compose.service'] === service.name);
  try {
    const { digests } = await inspectImage(engine, running?.imageId ?? service.image ?? '', task);
    return digests.map((one) => one.split('@')[1] ?? '');
  } catch (error) {
    if (isFailure(error, 'not_found')) return [];
    throw error;
  }
}

async function withScan(
  access: DockerAccess,
  scanner: ScannerName | undefined,
  update: ServiceUpdate,
  task: Task,
): Promise<ServiceUpdate> {
  if (update.state !== 'newer' || update.image === null || update.newDigest === null) return update;
  const name = (update.image.split('@')[0] ?? '').replace(/:[^:/]*$/, '');
  const images = {
    before: update.digest === null ? update.image : `${name}@${update.digest}`,
    after: `${name}@${update.newDigest}`,
  };
  return { ...update, vulnerabilities: await compareVulnerabilities(access, scanner, images, task) };
}

/** Pulls, and writes the release down. A project that was never a release of ours first becomes one as it runs. */
async function record(
  access: DockerAccess,
  engine: Engine,
  wish: UpdateWish,
  live: Live,
  config: ComposeConfig,
  newer: readonly ServiceUpdate[],
  containers: readonly Container[],
  lock: HeldLock,
  task: Task,
): Promise<number> {
  const pulled = new Map<string, string>();
  for (const { service, newImage } of newer) {
    const { image } = await pullImage(engine, newImage ?? '', wish.login, task);
    pulled.set(service, `${image.id} ${taggable(newImage ?? '')}`);
  }
  const before = await imagesNow(engine, config, containers, task);
  const files = live.project.files.filter((file) => !file.startsWith(`${live.base}/`));
  const write = async (release: number, images: readonly string[], change: string, runs: 'yes' | 'no') => {
    const notes = JSON.stringify({
      at: new Date().toISOString(),
      by: task.owner,
      repository: null,
      digests: await digestsOf(engine, images, task),
    });
    const step = {
      script: RECORD_UPDATE,
      arguments: [
        fileNameFor(wish.stack),
        String(release),
        live.directory,
        live.folder,
        config.name,
        live.commit,
        runs,
      ],
      input: [...files, '', ...images, '', notes, change].join('\n'),
    };
    await stepUnderLock(access.host, lock, step, {}, task);
    await keepImages(engine, wish.stack, release, images, task);
  };
  let next = live.newest + 1;
  if (live.current === null) {
    await write(next, byReference(before.values()), '', 'yes');
    next += 1;
  }
  const changed = Object.fromEntries(
    newer.filter(({ image, newImage }) => image !== newImage).map(({ service, newImage }) => [service, newImage ?? '']),
  );
  const override = Object.entries({ ...live.updated, ...changed }).map(([name, image]) => [name, { image }] as const);
  const change = override.length === 0 ? '' : JSON.stringify({ services: Object.fromEntries(override) });
  // Services that share a tag share its image: the one that was pulled counts.
  const images = byReference([...new Map([...before, ...pulled]).values(), ...pulled.values()]);
  await write(next, images, change, 'no');
  return next;
}

function byReference(lines: Iterable<string>): readonly string[] {
  return [...new Map([...lines].map((line) => [line.split(' ')[1] ?? '', line])).values()];
}

/** `<image id> <reference>` by service, of what runs now. */
async function imagesNow(
  engine: Engine,
  config: ComposeConfig,
  containers: readonly Container[],
  task: Task,
): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  for (const { name, image } of config.services) {
    const reference = image ?? `${config.name}-${name}`;
    const running = containers.find(({ labels }) => labels['com.docker.compose.service'] === name);
    const id =
      running?.imageId ??
      (await inspectImage(engine, reference, task).then(
        (found) => found.id,
        (error: unknown) => {
          if (isFailure(error, 'not_found')) return undefined;
          throw error;
        },
      ));
    if (id !== undefined) images.set(name, `${id} ${taggable(reference)}`);
  }
  return images;
}
