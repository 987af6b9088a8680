import { Failure } from '../../failure';
import { recordAt, textAt } from '../engine/read';
import { describeDocker, type DockerAccess } from '../engine/access';
import type { DeployWish } from './wish';

/** What the host told when the commit was laid out beside the live project. */
export interface Prepared {
  readonly base: string;
  readonly current: number | null;
  readonly commit: string;
  readonly newest: number;
  readonly files: readonly string[];
  readonly images: readonly string[];
  readonly edited: readonly string[];
  readonly clashes: readonly string[];
  readonly envChanged: boolean;
  readonly envTracked: boolean;
  /** The images that an update has put in place of those in the files, by service. */
  readonly updated: Readonly<Record<string, string>>;
  /** The release in the middle of whose switch the host went down: what runs may be neither of the two. */
  readonly interrupted: number | null;
}

export function parsePrepared(access: DockerAccess, wish: DeployWish, text: string): Prepared {
  const fields = text.split('\0');
  const all = (name: string) =>
    fields.flatMap((field, at) => (at % 2 === 0 && field === name ? [fields[at + 1] ?? ''] : []));
  const has = (name: string) => all(name).length > 0;
  const refusal = (code: string, message: string, nextStep: string) =>
    new Failure({ code, subject: `stack ${wish.stack}, ${describeDocker(access)}`, message, nextStep });
  if (has('busy')) {
    throw stillSwitches(access, wish.stack);
  }
  if (has('unfetched')) {
    throw refusal(
      'fetch_failed',
      `${wish.repository} could not be fetched from the host`,
      'Check the address, the login, and that the host reaches the server (git ls-remote).',
    );
  }
  if (has('missing')) {
    throw refusal(
      'commit_missing',
      `${wish.repository} has no commit ${wish.commit}`,
      'Check that it was pushed, and that no force push has taken it away.',
    );
  }
  if (has('nofolder')) {
    throw refusal(
      'folder_missing',
      `Commit ${wish.commit} has no folder ${wish.folder ?? ''}`,
      'Check the folder of the Compose files.',
    );
  }
  const [base = ''] = all('base');
  const [current = ''] = all('current');
  return {
    base,
    current: current === '' ? null : Number(current),
    commit: all('commit')[0] ?? '',
    newest: Number(all('newest')[0] ?? 0),
    files: all('file'),
    images: all('image'),
    edited: all('edited'),
    clashes: all('clash'),
    envChanged: has('envchanged'),
    envTracked: has('envtracked'),
    updated: parseUpdated(all('updated')[0]),
    interrupted: has('interrupted') ? Number(all('interrupted')[0]) : null,
  };
}

/** Nobody of us holds the lock of the stack any more, but its job goes on. */
export function stillSwitches(access: DockerAccess, stack: string): Failure {
  return new Failure({
    code: 'deploy_running',
    subject: `stack ${stack}, ${describeDocker(access)}`,
    message: `A deploy of stack ${stack} that was begun earlier still switches on the host`,
    nextStep: 'Wait until it has ended; its outcome will be in the history.',
  });
}

/** What nobody knows cannot be built upon. */
export function brokeOff(access: DockerAccess, stack: string, release: string): Failure {
  return new Failure({
    code: 'switch_interrupted',
    subject: `stack ${stack}, ${describeDocker(access)}`,
    message: `The switch of stack ${stack} to release ${release} was broken off on the host, so nobody knows which release runs`,
    nextStep: 'Deploy it, or roll it back to a release of its history, first.',
  });
}

/** What an update has written beside the files of a release. */
export function parseUpdated(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined || text === '') return {};
  const services = recordAt(JSON.parse(text) as unknown, 'services');
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, textAt(service, 'image')]));
}
