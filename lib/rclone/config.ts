import { Failure } from '../failure';
import { obscure, reveal } from './obscured';

/** One section of an rclone.conf. Passwords in it are obscured, as rclone wants them. */
export interface Remote {
  readonly name: string;
  readonly type: string;
  readonly settings: ReadonlyMap<string, string>;
}

/** Settings that rclone wants obscured, of all its backends. */
const PASSWORDS = new Set([
  'pass',
  'password',
  'password2',
  'key_file_pass',
  'file_password',
  'folder_password',
  'library_key',
  'user_password',
]);

/** A section as somebody fills it in: the passwords as they are. */
export interface RemoteInWords {
  readonly name: string;
  readonly type: string;
  /** `key = value`, one a line. */
  readonly settings: string;
}

/** Reads what `rclone config show` prints. No message holds a value: any of them may be a secret. */
export function parseRcloneConfig(text: string): Remote[] {
  if (/^\s*(#[^\n]*\n\s*)*RCLONE_ENCRYPT_V\d/.test(text))
    throw invalid(
      'the configuration is encrypted',
      'Paste what `rclone config show` prints, or name the file on the host.',
    );
  const remotes: Remote[] = [];
  let current: { name: string; settings: Map<string, string> } | undefined;
  const close = () => {
    if (current === undefined) return;
    remotes.push(remoteOf(current.name, current.settings.get('type') ?? '', current.settings));
    current = undefined;
  };
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = raw.trim();
    const where = `line ${index + 1}`;
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    const section = /^\[(.+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      close();
      const name = checkedName(section.trim());
      if (remotes.some((each) => each.name === name)) throw invalid(`there are two sections ${name}`);
      current = { name, settings: new Map() };
      return;
    }
    const [, key, value = ''] = /^([A-Za-z0-9_]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined) throw invalid(`${where} is neither [name] nor key = value`);
    if (current === undefined) throw invalid(`${where} stands before the first section`);
    if (current.settings.has(key)) throw invalid(`${key} of ${current.name} is set twice`);
    current.settings.set(key, value);
  });
  close();
  for (const { name, settings } of remotes) {
    for (const [key, value] of settings) {
      if (PASSWORDS.has(key) && value !== '' && reveal(value) === undefined)
        throw invalid(
          `${key} of ${name} is not obscured as rclone writes it`,
          'Paste what `rclone config show` prints, or give this remote field by field, where passwords stand as they are.',
        );
    }
  }
  return remotes;
}

/** Takes a remote whose passwords stand as they are, and obscures them. */
export function remoteInWords({ name, type, settings }: RemoteInWords): Remote {
  const found = new Map<string, string>();
  settings.split(/\r?\n/).forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const [, key, value = ''] = /^([A-Za-z0-9_]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined) throw invalid(`line ${index + 1} of remote ${name} is not key = value`);
    if (found.has(key)) throw invalid(`${key} of ${name} is set twice`);
    found.set(key, PASSWORDS.has(key) && value !== '' ? obscure(value) : value);
  });
  return remoteOf(checkedName(name.trim()), type.trim(), found);
}

export function renderRcloneConfig(remotes: readonly Remote[]): string {
  return remotes
    .map(({ name, type, settings }) => {
      const others = [...settings].filter(([key]) => key !== 'type');
      return [`[${name}]`, `type = ${type}`, ...others.map(([key, value]) => `${key} = ${value}`), ''].join('\n');
    })
    .join('\n');
}

/** The remotes that encrypt, which a vault can be made of. */
export function cryptRemotes(remotes: readonly Remote[]): Remote[] {
  return remotes.filter(({ type }) => type === 'crypt');
}

function remoteOf(name: string, type: string, settings: ReadonlyMap<string, string>): Remote {
  if (!/^[a-z0-9]+( [a-z0-9]+)*$/.test(type)) throw invalid(`${name} has no type`);
  if (type === 'crypt' && (settings.get('password') ?? '') === '')
    throw invalid(`${name} encrypts, but has no password`);
  return { name, type, settings };
}

function checkedName(name: string): string {
  if (/^[\w.+@][\w.+@ -]{0,99}$/.test(name) && !name.endsWith(' ')) return name;
  throw invalid(`"${name.slice(0, 40)}" is no name of a remote`, 'Use letters, digits and _ - . in names.');
}

function invalid(why: string, nextStep = 'Correct it in the Rclone Remotes credential.'): Failure {
  return new Failure({
    code: 'rclone_config_invalid',
    subject: 'the rclone configuration',
    message: `The rclone configuration cannot be used: ${why}`,
    nextStep,
  });
}
