import { isFailure } from '../../failure';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import { composeConfig, composeVersion } from '../compose/compose';
import type { DockerAccess } from '../engine/access';
import { listContainers, rawContainer } from '../engine/containers';
import type { Engine } from '../engine/engine';
import { checkAlertmanager, isAlertmanager, settingsOf } from './alertmanager-checks';
import { checkBackups } from './backup-checks';
import { checkContainer } from './container-checks';
import { checkFile } from './file-checks';
import { inOrder, type Finding } from './finding';
import {
  auditedContainer,
  type AuditedContainer,
  type AuditedFile,
  type AuditedProject,
  type Observed,
} from './observed';
import { checkProjects } from './project-checks';
import { checkTraefik, isTraefik } from './traefik-checks';

export interface AuditWish {
  /** Folders with one project in each of their folders, so that projects that are down are found, too. */
  readonly folders?: readonly string[];
  /** Volumes and paths of the host that backups hold. Left out, that check is not made. */
  readonly backedUp?: readonly string[];
  /** Findings to leave out, by the name of their check. */
  readonly ignore?: readonly string[];
}

export interface Audit {
  readonly findings: readonly Finding[];
  readonly containers: number;
  readonly projects: number;
  /** What could not be looked at, and why: none of it counts as well. */
  readonly notChecked: readonly string[];
}

/** Looks at everything Docker on a host and says what a careful person would change. It changes nothing. */
export async function auditDocker(engine: Engine, access: DockerAccess, wish: AuditWish, task: Task): Promise<Audit> {
  const notChecked: string[] = [];
  task.progress({ message: 'Looking at the containers' });
  const containers: AuditedContainer[] = [];
  for (const { id } of await listContainers(engine, { all: true }, task)) {
    try {
      containers.push(auditedContainer(await rawContainer(engine, id, task)));
    } catch (error) {
      // It may have been removed since it was listed.
      if (!isFailure(error, 'not_found')) throw error;
    }
  }
  const projects = await readProjects(access, containers, wish.folders ?? [], notChecked, task);
  task.progress({ message: 'Looking at the files' });
  const found = await readFiles(access, projects, containers, task);
  if (wish.backedUp === undefined) notChecked.push('backups of volumes: no inventory was given');
  if (found.cut) notChecked.push('files: there were more than could be looked at');
  const observed: Observed = { containers, projects, ...found, backedUp: wish.backedUp ?? null };
  const findings = judge(observed).filter(({ check }) => wish.ignore?.includes(check) !== true);
  return { findings, containers: containers.length, projects: projects.length, notChecked };
}

export function judge(observed: Observed): readonly Finding[] {
  return inOrder([
    ...observed.containers.flatMap(checkContainer),
    ...checkProjects(observed),
    ...observed.files.flatMap(checkFile),
    ...checkTraefik(observed),
    ...checkAlertmanager(observed),
    ...checkBackups(observed),
  ]);
}

async function readProjects(
  access: DockerAccess,
  containers: readonly AuditedContainer[],
  folders: readonly string[],
  notChecked: string[],
  task: Task,
): Promise<readonly AuditedProject[]> {
  const known = new Map<string, { directory: string; files: readonly string[]; name?: string }>();
  for (const { project, files, labels } of containers) {
    const directory = labels['com.docker.compose.project.working_dir'] ?? '';
    if (project !== null && directory !== '') known.set(project, { name: project, directory, files });
  }
  const { stdout } = await runCommand(access.host, { script: PROJECTS, arguments: [...folders] }, {}, task);
  for (const directory of stdout.split('\0').filter((one) => one !== '')) {
    if (![...known.values()].some((one) => one.directory === directory)) known.set(directory, { directory, files: [] });
  }
  if (known.size === 0) return [];
  try {
    await composeVersion(access, task);
  } catch (error) {
    if (!isFailure(error, 'compose_missing')) throw error;
    notChecked.push(`services that are configured: ${error.message}`);
    return [];
  }
  const projects: AuditedProject[] = [];
  for (const project of known.values()) {
    task.progress({ message: `Reading the project in ${project.directory}` });
    try {
      const config = await composeConfig(access, project, task);
      projects.push({ ...project, name: project.name ?? config.name, config });
    } catch (error) {
      if (!isFailure(error, 'compose_failed')) throw error;
      const why = error.message.replace(/^.*? failed in \S+: /, '');
      projects.push({ ...project, name: project.name ?? project.directory, config: why });
    }
  }
  return projects;
}

/** projects.sh FOLDER…: the folders right below that hold a Compose file. */
const PROJECTS = `
for folder; do
  for place in "$folder" "$folder"/*/; do
    place=\${place%/}
    for name in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
      if [ -f "$place/$name" ]; then printf '%s\\0' "$place"; break; fi
    done
  done
done
`;

const FILE_LIMIT = 8 << 20;

async function readFiles(
  access: DockerAccess,
  projects: readonly AuditedProject[],
  containers: readonly AuditedContainer[],
  task: Task,
): Promise<Pick<Observed, 'files' | 'traefik' | 'alertmanager'> & { readonly cut: boolean }> {
  const looked = await runCommand(
    access.host,
    { script: FILES, arguments: projects.map(({ directory }) => directory) },
    { maxOutputBytes: FILE_LIMIT },
    task,
  );
  const fields = looked.stdout.split('\0');
  const files: AuditedFile[] = [];
  for (let at = 0; at + 4 <= fields.length; at += 4) {
    const [directory, path = '', mode = '', age] = fields.slice(at, at + 4);
    const project = projects.find((one) => one.directory === directory)?.name ?? '';
    files.push({ project, path, mode: Number.parseInt(mode, 8), ageDays: Number(age) / 86_400 });
  }
  const places = containers
    .filter(isTraefik)
    .flatMap(({ mounts }) => mounts)
    .filter(({ type, target }) => type === 'bind' && /traefik|\.(ya?ml|toml)$|\/(config|dynamic)/i.test(target))
    .map(({ source }) => source);
  const settings = await runCommand(
    access.host,
    { script: SETTINGS, arguments: [...new Set(places)] },
    { maxOutputBytes: FILE_LIMIT },
    task,
  );
  const texts = settings.stdout.split('\0');
  const traefik = texts.flatMap((path, at) =>
    at % 2 === 0 && path !== '' ? [{ path, text: texts[at + 1] ?? '' }] : [],
  );
  const silent = await runCommand(
    access.host,
    { script: CHANNELS, arguments: [...new Set(containers.filter(isAlertmanager).flatMap(settingsOf))] },
    {},
    task,
  );
  const answers = silent.stdout.split('\0');
  const alertmanager = answers.flatMap((path, at) =>
    at % 2 === 0 && path !== '' ? [{ path, tells: answers[at + 1] === 'yes' }] : [],
  );
  return { files, traefik, alertmanager, cut: looked.truncated || settings.truncated };
}

/** files.sh DIRECTORY…: directory, path, mode and age of what may hold secrets or was left over. Data is not gone into. */
const FILES = `
now=$EPOCHSECONDS
for directory; do
  [ -d "$directory" ] || continue
  while IFS= read -r -d '' path && IFS= read -r -d '' mode && IFS= read -r -d '' changed; do
    printf '%s\\0%s\\0%s\\0%s\\0' "$directory" "$path" "$mode" "$((now - \${changed%.*}))"
  done < <(find "$directory" -xdev -maxdepth 2 -type f \\( \\
    -name .env -o -name '.env.*' -o -name '*.env' -o -name '*.bak' -o -name '*.bak.*' -o -name '*.backup' -o -name '*.old' \\
    -o -name '*.orig' -o -name '*.save' -o -name '*.swp' -o -name '*~' -o -name '*key*.pem' -o -name '*.key' -o -name '*.p12' \\
    -o -name 'id_rsa*' -o -name 'id_ed25519*' -o -name acme.json -o -iname '*secret*' -o -iname '*password*' \\
    \\) ! -name '*.pub' -printf '%p\\0%m\\0%T@\\0' 2>/dev/null || :)
done
`;

/** settings.sh PATH…: path and content of Traefik's settings. */
const SETTINGS = `
for place; do
  for path in "$place" "$place"/*; do
    case $path in *.yml | *.yaml | *.toml) ;; *) continue ;; esac
    [ -f "$path" ] && [ "$(stat -c %s -- "$path")" -lt 262144 ] || continue
    printf '%s\\0' "$path"; tr -d '\\000' < "$path"; printf '\\0'
  done
done
`;

/** channels.sh PATH…: path, and yes or no, of each file with receivers; what is in them are secrets. */
const CHANNELS = `
for place; do
  for path in "$place" "$place"/*; do
    case $path in *.yml | *.yaml) ;; *) continue ;; esac
    [ -f "$path" ] && [ -r "$path" ] && grep -qE '^receivers:' < "$path" || continue
    tells=no
    if grep -qE '^[[:space:]]*(-[[:space:]]+)?[a-z0-9]+_configs:[[:space:]]*([^[:space:]\\[]|\\[[[:space:]]*[^][:space:]]|#|$)' < "$path"; then tells=yes; fi
    printf '%s\\0%s\\0' "$path" "$tells"
  done
done
`;
