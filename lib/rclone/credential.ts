import type { Vault } from '../backup/plan';
import { Failure } from '../failure';
import { isObject } from '../json';
import { cryptRemotes, parseRcloneConfig, remoteInWords, renderRcloneConfig, type Remote } from './config';
import { obscure } from './obscured';

/** What the credential "Rclone Remotes" says, once it has been looked at. */
export interface RcloneCredential {
  readonly rclone: Vault['rclone'];
  /** Undefined where the configuration lies on the host, so that only the host knows. */
  readonly remotes: readonly Remote[] | undefined;
  /** Undefined where there is no crypt remote, or it is not said which: remotes can be used, backups cannot. */
  readonly crypt: string | undefined;
  /** Whether operations that take something away at a remote are allowed. */
  readonly mayDelete: boolean;
}

/** The crypt remote that is made of the two passwords of the credential. */
const OWN_CRYPT = 'selfhost-vault';

export function parseRcloneCredential(data: Readonly<Record<string, unknown>>): RcloneCredential {
  const mayDelete = data['mayDelete'] === true;
  const named = textOf(data['vault']);
  const password = rawText(data['configPassword']);
  if (data['place'] === 'host') {
    const path = textOf(data['configPath']);
    if (!path.startsWith('/')) throw invalid('the path of the rclone.conf on the host is not absolute');
    if (named !== '' && !isRemoteName(named)) throw invalid('the crypt remote has no plain name');
    return {
      rclone: { kind: 'file', path, ...(password !== '' && { password }) },
      remotes: undefined,
      crypt: named === '' ? undefined : named,
      mayDelete,
    };
  }
  const remotes = [...parseRcloneConfig(rawText(data['configuration'])), ...inWords(data['remotes'])];
  const encryptionPassword = rawText(data['encryptionPassword']);
  if (encryptionPassword !== '') {
    const salt = rawText(data['encryptionSalt']);
    const settings = new Map([
      // Each place is laid over it, so where it points by itself does not matter.
      ['remote', '/nonexistent'],
      ['password', obscure(encryptionPassword)],
      ...(salt === '' ? [] : ([['password2', obscure(salt)]] as const)),
    ]);
    remotes.push({ name: OWN_CRYPT, type: 'crypt', settings });
  }
  const twice = remotes.find(({ name }, index) => remotes.findIndex((each) => each.name === name) !== index);
  if (twice !== undefined) throw invalid(`two remotes are called ${twice.name}`);
  if (remotes.length === 0) throw invalid('it has no remote');
  return {
    rclone: { kind: 'text', text: renderRcloneConfig(remotes) },
    remotes,
    crypt: encryptionPassword === '' ? cryptOf(remotes, named) : OWN_CRYPT,
    mayDelete,
  };
}

/** What backups need beside the remotes. */
export function vaultOf({ rclone, crypt }: RcloneCredential): Vault {
  if (crypt !== undefined) return { rclone, crypt };
  throw new Failure({
    code: 'rclone_vault_missing',
    subject: 'the Rclone Remotes credential',
    message: 'The Rclone Remotes credential does not say which passwords backups are encrypted with',
    nextStep: 'Fill in Encryption Password and Encryption Salt there, or name its crypt remote under Crypt Remote.',
  });
}

function cryptOf(remotes: readonly Remote[], named: string): string | undefined {
  const found = cryptRemotes(remotes);
  if (named === '') return found.length === 1 ? found[0]?.name : undefined;
  if (found.some(({ name }) => name === named)) return named;
  throw invalid(`${named.slice(0, 40)} is not one of its crypt remotes`);
}

function inWords(value: unknown): Remote[] {
  const rows = isObject(value) ? value['remote'] : undefined;
  if (!Array.isArray(rows)) return [];
  return rows.map((row: unknown) => {
    if (!isObject(row)) throw invalid('a remote that was filled in is not readable');
    return remoteInWords({ name: textOf(row['name']), type: textOf(row['type']), settings: rawText(row['settings']) });
  });
}

function isRemoteName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_. -]*$/.test(name);
}

/** Passwords keep their spaces. */
function rawText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textOf(value: unknown): string {
  return rawText(value).trim();
}

function invalid(why: string): Failure {
  return new Failure({
    code: 'rclone_credential_invalid',
    subject: 'the Rclone Remotes credential',
    message: `The Rclone Remotes credential cannot be used: ${why}`,
    nextStep: 'Correct it there.',
  });
}
