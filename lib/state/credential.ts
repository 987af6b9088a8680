import { Failure } from '../failure';
import { isObject } from '../json';
import type { Database } from '../postgres/connection';

/** Reads the credential State (PostgreSQL). */
export function parseStateCredential(input: unknown): Database {
  const fields = isObject(input) ? input : {};
  const text = (name: string) => {
    const value = fields[name];
    return typeof value === 'string' ? value.trim() : '';
  };
  const [host, database, user] = [text('host'), text('database'), text('user')];
  const port = Number(fields['port'] ?? 5432);
  if (host === '' || database === '' || user === '') throw incomplete('Host, Database and User are needed');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw incomplete('its port is not one');
  const password = fields['password'];
  const authority = text('privateAuthority');
  return {
    name: `database ${database} on ${host}`,
    database,
    user,
    ...(typeof password === 'string' && password !== '' && { password }),
    at: { host, port },
    ...(fields['encrypt'] === true && { tls: { serverName: host, ...(authority !== '' && { ca: authority }) } }),
  };
}

function incomplete(why: string): Failure {
  return new Failure({
    code: 'state_credential_invalid',
    subject: 'State credential',
    message: `The State credential cannot be used: ${why}`,
    nextStep: 'Complete it.',
  });
}
