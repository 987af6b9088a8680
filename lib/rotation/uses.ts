import { composeUp, type Project } from '../docker/compose/compose';
import { projectOf } from '../docker/deploy/start-order';
import type { DockerAccess } from '../docker/engine/access';
import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { changeService } from '../host/services/change';
import type { InfisicalApi } from '../infisical/api';
import { type FileOptions, type FileReport, writeSecretFile } from '../infisical/host-file';
import type { Place } from '../infisical/place';
import { entriesOf } from '../infisical/render';
import { listSecrets, type ListOptions } from '../infisical/secrets';
import type { Task } from '../task';

export type Restart =
  /** Containers are made anew: a restart alone does not read an .env again. */
  | {
      readonly kind: 'compose';
      readonly docker: DockerAccess;
      /** Of a stack that was deployed, only its release knows with which files and images it runs. */
      readonly project: Project | { readonly stack: string };
      readonly services: readonly string[];
    }
  | { readonly kind: 'service'; readonly host: Host; readonly unit: string };

/** A file that holds the secret, and what has to read it again. */
export interface Use {
  readonly host: Host;
  readonly file: string;
  readonly options: FileOptions;
  readonly place: Place;
  readonly reading: ListOptions;
  readonly restart?: Restart;
  readonly waitSeconds?: number;
}

export function describeUse({ host, file }: Use): string {
  return `${file} on ${describeHost(host)}`;
}

export function describeRestart(restart: Restart): string {
  if (restart.kind === 'service') return `${restart.unit} on ${describeHost(restart.host)}`;
  const { project, services, docker } = restart;
  const which = services.length === 0 ? '' : ` (${services.join(', ')})`;
  const name = 'stack' in project ? project.stack : (project.name ?? project.directory);
  return `${name}${which} on ${describeHost(docker.host)}`;
}

/** The file, brought to what Infisical has now. */
export async function bring(api: InfisicalApi, use: Use, dryRun: boolean, task: Task): Promise<FileReport> {
  const entries = entriesOf(await listSecrets(api, use.place, use.reading, task));
  return writeSecretFile(use.host, use.file, entries, { ...use.options, dryRun }, task);
}

/** Other changes must not ride along with a rotation, and then be undone with it. */
export async function refuseDrifted(api: InfisicalApi, use: Use, task: Task): Promise<void> {
  const { restart } = use;
  // A stack that nobody knows, or that is being deployed, is found before anything is changed.
  if (restart?.kind === 'compose' && 'stack' in restart.project) {
    await projectOf(restart.docker, restart.project.stack, task);
  }
  const { changed, before } = await bring(api, use, true, task);
  if (!changed) return;
  const why = before === 'missing' ? 'it is missing' : 'it is not what Infisical has now';
  throw new Failure({
    code: 'rotation_file_drifted',
    subject: describeUse(use),
    message: `${describeUse(use)} has to be in order before a rotation: ${why}`,
    nextStep: 'Look at it with "Check a file for drift", write it, and see that all runs well; then rotate.',
  });
}

export async function restartUse({ restart, waitSeconds = 300 }: Use, task: Task): Promise<void> {
  if (restart === undefined) return;
  task.progress({ message: `Restarting ${describeRestart(restart)}` });
  if (restart.kind === 'service') {
    const { host, unit } = restart;
    await changeService(host, { name: unit, action: 'restart', waitMs: waitSeconds * 1000 }, task);
    return;
  }
  const { docker, project, services } = restart;
  const brought = 'stack' in project ? await projectOf(docker, project.stack, task) : project;
  await composeUp(docker, brought, { services, recreate: true, waitSeconds }, task);
}
