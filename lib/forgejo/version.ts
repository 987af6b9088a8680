import { Failure } from '../failure';

export interface ServerVersion {
  /** As the server says it: `15.0.3+gitea-1.22.0`. */
  readonly text: string;
  /** Forgejo's own number since it left Gitea's; undefined before 7, and for Gitea. */
  readonly forgejo: number | undefined;
  /** The Gitea API it speaks. */
  readonly gitea: { readonly major: number; readonly minor: number } | undefined;
}

/** The first versions that can do something. Left out: no version of that server can. */
export interface Since {
  readonly forgejo?: number;
  /** As 1.22 is written: `[1, 22]`. */
  readonly gitea?: readonly [number, number];
}

export function parseVersion(text: string): ServerVersion {
  const [, major = '', minor = ''] = /^v?(\d+)\.(\d+)/.exec(text) ?? [];
  const [, ofGitea = '', minorOfGitea = ''] = /\+gitea-(\d+)\.(\d+)/.exec(text) ?? [];
  const isForgejo = ofGitea !== '' || Number(major) >= 7;
  if (isForgejo) {
    return { text, forgejo: Number(major), gitea: ofGitea === '' ? undefined : pair(ofGitea, minorOfGitea) };
  }
  return { text, forgejo: undefined, gitea: major === '' ? undefined : pair(major, minor) };
}

function pair(major: string, minor: string) {
  return { major: Number(major), minor: Number(minor) };
}

/** Development builds and whatever else has no readable number are not kept from trying. */
export function isAtLeast(version: ServerVersion, since: Since): boolean {
  if (version.forgejo !== undefined) return since.forgejo !== undefined && version.forgejo >= since.forgejo;
  if (version.gitea === undefined) return true;
  const { major, minor } = version.gitea;
  return since.gitea !== undefined && (major > since.gitea[0] || (major === since.gitea[0] && minor >= since.gitea[1]));
}

export function demandVersion(what: string, version: ServerVersion, since: Since): void {
  if (isAtLeast(version, since)) return;
  const from = [
    since.forgejo === undefined ? [] : [`Forgejo ${since.forgejo}`],
    since.gitea === undefined ? [] : [`Gitea ${since.gitea.join('.')}`],
  ].flat();
  throw new Failure({
    code: 'server_too_old',
    subject: what,
    message: `The server runs ${version.text}, which cannot do this: ${what} exists from ${from.join(' and ')}`,
    nextStep: 'Update the server, or do without this operation.',
    details: { version: version.text },
  });
}
