import { Failure, isFailure } from '../../failure';
import { fileNameFor, runStateScript } from '../../host/state-folder';
import type { Task } from '../../task';
import { composeProcesses, composeUp, composeVersion, type Project } from '../compose/compose';
import type { ComposeContainer } from '../compose/processes';
import { describeDocker, type DockerAccess } from '../engine/access';
import { brokeOff, stillSwitches } from './prepared';
import { LIVE } from './scripts';

export interface StartResult {
  /** As it was given. */
  readonly stack: string;
  readonly state: 'healthy' | 'failed' | 'not begun';
  readonly changed: boolean;
  readonly reason: string | null;
  readonly containers: readonly ComposeContainer[];
}

export interface StartOrder {
  readonly succeeded: boolean;
  readonly changed: boolean;
  readonly stacks: readonly StartResult[];
}

/**
 * Brings stacks up in the given order, each well before the next is begun. One that does not get well ends it: what
 * comes after it may need it. A stack is a name that was deployed here, or a directory.
 */
export async function startInOrder(
  access: DockerAccess,
  wish: { readonly stacks: readonly string[]; readonly waitSeconds: number; readonly dryRun?: boolean },
  task: Task,
): Promise<StartOrder> {
  await composeVersion(access, task);
  // All names first: a typing error must not be found when half of the estate is up.
  const projects: (readonly [string, Project])[] = [];
  for (const stack of wish.stacks) projects.push([stack, await projectOf(access, stack, task)]);
  const stacks: StartResult[] = [];
  let broken = false;
  for (const [stack, project] of projects) {
    if (broken) {
      stacks.push({ stack, state: 'not begun', changed: false, reason: null, containers: [] });
      continue;
    }
    task.progress({ message: `Bringing up ${stack}`, fraction: stacks.length / projects.length });
    if (wish.dryRun === true) {
      const containers = await composeProcesses(access, project, task);
      const well = containers.length > 0 && containers.every(isWell);
      stacks.push({ stack, state: well ? 'healthy' : 'not begun', changed: !well, reason: null, containers });
      continue;
    }
    try {
      const { changed, containers } = await composeUp(access, project, { waitSeconds: wish.waitSeconds }, task);
      stacks.push({ stack, state: 'healthy', changed, reason: null, containers });
    } catch (error) {
      if (!isFailure(error, 'compose_failed')) throw error;
      broken = true;
      const containers = await composeProcesses(access, project, task).catch(() => []);
      stacks.push({ stack, state: 'failed', changed: true, reason: error.message, containers });
    }
  }
  return { succeeded: !broken, changed: stacks.some(({ changed }) => changed), stacks };
}

function isWell({ state, health, exitCode }: ComposeContainer): boolean {
  return state === 'running' ? health === null || health === 'healthy' : state === 'exited' && exitCode === 0;
}

/** A directory as it is; of a stack that was deployed here the files of its live release, with what updates have changed. */
export async function projectOf(access: DockerAccess, stack: string, task: Task): Promise<Project> {
  if (stack.startsWith('/')) return { directory: stack };
  const { stdout } = await runStateScript(access.host, { script: LIVE, arguments: [fileNameFor(stack)] }, task);
  const fields = stdout.split('\0');
  const all = (name: string) =>
    fields.flatMap((field, at) => (at % 2 === 0 && field === name ? [fields[at + 1] ?? ''] : []));
  const [[current = ''], [directory = ''], [folder = ''], [name], [base = '']] = [
    all('current'),
    all('directory'),
    all('folder'),
    all('project'),
    all('base'),
  ];
  if (all('busy').length > 0) throw stillSwitches(access, stack);
  // Its files may be of one release and its record of the other: brought up, that would be a third one.
  const [broken] = all('interrupted');
  if (broken !== undefined) throw brokeOff(access, stack, broken);
  if (current === '' || directory === '') {
    throw new Failure({
      code: 'stack_unknown',
      subject: `stack ${stack}, ${describeDocker(access)}`,
      message: `No release of stack ${stack} is live on ${describeDocker(access)}`,
      nextStep: 'Correct its name, or give the directory of its Compose files instead.',
    });
  }
  const updates = all('updated').length > 0 ? [`${base}/releases/${current}/images.json`] : [];
  return {
    directory: folder === '' ? directory : `${directory}/${folder}`,
    ...(name !== undefined && { name }),
    files: [...all('file'), ...updates],
  };
}
