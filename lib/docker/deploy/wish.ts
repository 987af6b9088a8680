import { Failure } from '../../failure';

export interface DeployWish {
  /** What people call it; also the name of the Compose project unless `project` is given. */
  readonly stack: string;
  /** The one directory of the stack, for all of its releases. */
  readonly directory: string;
  readonly repository: string;
  /** The whole hash: a branch may be another commit by the time it is fetched. */
  readonly commit: string;
  readonly login?: { readonly user: string; readonly password: string };
  /** Where the Compose files are, in the repository. Default: its top. */
  readonly folder?: string;
  /** Default: compose.yml, compose.yaml, docker-compose.yml or docker-compose.yaml. */
  readonly files?: readonly string[];
  readonly project?: string;
  /** The whole .env, written with mode 0600. Left out, the one that is there stays. */
  readonly env?: Readonly<Record<string, string>>;
  readonly pull?: 'always' | 'missing';
  readonly healthSeconds?: number;
  readonly graceSeconds?: number;
  /** It changes the data in a way the release before cannot read: it never rolls back by itself, and wants a fresh dump. */
  readonly migratesData?: boolean;
  /** When the dump was taken. */
  readonly dumpedAt?: string;
  readonly dumpMaxAgeMinutes?: number;
  /** Replace what was changed by hand in the directory, or lies there and is not the repository's. */
  readonly overwrite?: boolean;
  /** Go on although a service would write somewhere else than before. */
  readonly acceptMovedData?: boolean;
  /** Switches also when nothing has changed. */
  readonly redeploy?: boolean;
  readonly lockWaitMs?: number;
  readonly dryRun?: boolean;
}

export function checkWish(wish: DeployWish, now: number): void {
  const { stack, directory, repository, commit, folder = '', login, files = [], project } = wish;
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(stack)) {
    throw invalid(wish, 'its name may hold small letters, digits, - and _ only', 'Call it for example immich.');
  }
  if (project !== undefined && !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(project)) {
    throw invalid(wish, `"${project}" is no name of a Compose project`, 'Use small letters, digits, - and _.');
  }
  if (!/^\/[^\n\0]+$/.test(directory) || /(^|\/)\.\.?(\/|$)|\/$|\/\//.test(directory)) {
    throw invalid(wish, `"${directory}" is not a plain absolute path`, 'Write it like /srv/stacks/immich.');
  }
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) {
    throw invalid(wish, `"${commit}" is not the whole hash of a commit`, 'Give all 40 digits, as a push webhook does.');
  }
  if (!/^(https?:\/\/|ssh:\/\/|\/|[A-Za-z0-9_.-]+@[^:/]+:)/.test(repository) || /[\n\0]/.test(repository)) {
    throw invalid(wish, 'the repository is neither an https nor an ssh address', 'Copy its clone address.');
  }
  if (/^https?:\/\/[^/]*@/.test(repository)) {
    throw invalid(wish, 'the address of the repository holds a login', 'Take it out, and give user and token apart.');
  }
  for (const path of [folder, ...files]) {
    if (/^\/|(^|\/)\.\.(\/|$)|[\n\0]/.test(path)) {
      throw invalid(wish, `"${path}" does not stay inside the repository`, 'Give a path relative to its top.');
    }
  }
  if (login !== undefined && /[\n\0]/.test(login.user + login.password)) {
    throw invalid(wish, 'the login holds a line end', 'Copy user and token again.');
  }
  if (wish.migratesData === true) checkDump(wish, now);
}

function checkDump(wish: DeployWish, now: number): void {
  const maxMinutes = wish.dumpMaxAgeMinutes ?? 60;
  const taken = wish.dumpedAt === undefined ? Number.NaN : Date.parse(wish.dumpedAt);
  const ageMs = now - taken;
  if (ageMs >= -60_000 && ageMs <= maxMinutes * 60_000) return;
  throw new Failure({
    code: 'dump_needed',
    subject: `stack ${wish.stack}`,
    message: Number.isNaN(taken)
      ? `Stack ${wish.stack} migrates its data, and no dump of it was named`
      : `Stack ${wish.stack} migrates its data, and its dump of ${wish.dumpedAt ?? ''} is older than ${maxMinutes} min`,
    nextStep: 'Take a dump now, check it, and give its time: this deploy cannot be rolled back without it.',
  });
}

function invalid({ stack }: DeployWish, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: `stack ${stack}`,
    message: `Stack ${stack} cannot be deployed like this: ${why}`,
    nextStep,
  });
}
