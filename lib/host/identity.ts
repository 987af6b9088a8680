import { Failure } from '../failure';
import type { Identity, Login, Sudo } from './host';
import { parsePins } from './pins';
import { findPinned } from './select';

/** Reads the fields of the Host credential as n8n hands them over. */
export function parseIdentity(fields: Readonly<Record<string, unknown>>): Identity {
  const hosts = parsePins(text(fields, 'hosts'));
  const identity: Identity = {
    user: required(fields, 'user', 'User'),
    login: parseLogin(fields),
    sudo: parseSudo(fields),
    hosts,
    jumpHost: optional(fields, 'jumpHost'),
    defaultHost: optional(fields, 'defaultHost'),
    pinsFromWorkflow: fields.pinsFromWorkflow === true,
    readOnly: fields.readOnly === true,
  };
  for (const [label, name] of [
    ['Jump Host', identity.jumpHost],
    ['Default Host', identity.defaultHost],
  ] as const) {
    if (name !== undefined && findPinned(hosts, name) === undefined) {
      throw invalid(
        label,
        `names "${name}", which is not in the host list`,
        'Add a line for it to the host list, or correct the name.',
      );
    }
  }
  return identity;
}

function parseLogin(fields: Readonly<Record<string, unknown>>): Login {
  const method = text(fields, 'login') || 'key';
  switch (method) {
    case 'key': {
      const passphrase = optional(fields, 'passphrase');
      return { method, privateKey: restoreLines(required(fields, 'privateKey', 'Private Key')), passphrase };
    }
    case 'password':
      return { method, password: required(fields, 'password', 'Password') };
    case 'agent':
      return { method, socket: required(fields, 'agentSocket', 'Agent Socket') };
    default:
      throw invalid('Log In With', `is "${method}"`, 'Choose key, password or agent.');
  }
}

function parseSudo(fields: Readonly<Record<string, unknown>>): Sudo {
  const mode = text(fields, 'sudo') || 'none';
  switch (mode) {
    case 'none':
    case 'passwordless':
      return { mode };
    case 'password':
      return { mode, password: required(fields, 'sudoPassword', 'Sudo Password') };
    default:
      throw invalid('Sudo', `is "${mode}"`, 'Choose none, passwordless or password.');
  }
}

/** A key that was pasted into a one-line field has spaces where its line ends were. */
function restoreLines(key: string): string {
  const lines = key.replace(/\r\n?/g, '\n').trim();
  const match = /^(-----BEGIN [A-Z0-9 ]+-----)([\s\S]*?)(-----END [A-Z0-9 ]+-----)$/.exec(lines);
  if (match === null || lines.includes('\n')) return `${lines}\n`;
  const [, begin, body = '', end] = match;
  const headers = /^\s*((?:[A-Za-z0-9-]+: \S+\s+)*)/.exec(body)?.[1] ?? '';
  const headerLines = [...headers.matchAll(/([A-Za-z0-9-]+: \S+)/g)].map(([header]) => header);
  const data = body
    .slice(body.indexOf(headers) + headers.length)
    .trim()
    .split(/\s+/);
  return [begin, ...headerLines, ...(headerLines.length > 0 ? [''] : []), ...data, end, ''].join('\n');
}

function text(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

function optional(fields: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = text(fields, name);
  return value.trim() === '' ? undefined : value;
}

function required(fields: Readonly<Record<string, unknown>>, name: string, label: string): string {
  const value = optional(fields, name);
  if (value === undefined) throw invalid(label, 'is empty', `Fill in ${label}.`);
  return value;
}

function invalid(label: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'credential_invalid',
    subject: 'Host credential',
    message: `${label} of the Host credential ${why}`,
    nextStep,
  });
}
