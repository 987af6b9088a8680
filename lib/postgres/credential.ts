import { Failure } from '../failure';
import type { Identity } from '../host/host';
import { parseIdentity } from '../host/identity';
import { isObject } from '../json';

/** The credential PostgreSQL: a login for SQL, how a server is reached with it, and the login of standbys. */
export interface PostgresCredential {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly reach:
    /** Through the SSH connection of the host; with an identity of its own that login, which need not be root. */
    | { readonly kind: 'tunnel'; readonly identity?: Identity }
    | { readonly kind: 'direct'; readonly encrypt: boolean; readonly authority?: string };
  /** Where the test of the credential logs in. */
  readonly test: { readonly host: string; readonly port: number };
  readonly replication: { readonly user: string; readonly password: string };
}

export function parsePostgresCredential(input: unknown): PostgresCredential {
  const fields = isObject(input) ? input : {};
  const raw = (name: string) => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  const text = (name: string) => raw(name).trim();
  const [user, database] = [text('user'), text('database')];
  if (user === '' || database === '') throw incomplete('Database and User are needed');
  const port = Number(fields['testPort'] ?? 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw incomplete('the port of its test is not one');
  const authority = text('privateAuthority');
  const ownLogin = text('sshHosts') !== '';
  return {
    user,
    database,
    password: raw('password'),
    reach:
      text('reach') === 'direct'
        ? { kind: 'direct', encrypt: fields['encrypt'] === true, ...(authority !== '' && { authority }) }
        : {
            kind: 'tunnel',
            ...(ownLogin && { identity: tunnelIdentity(raw('sshHosts'), text('sshUser'), raw('sshPrivateKey')) }),
          },
    test: { host: text('testHost'), port },
    replication: {
      user: text('replicationUser') || 'selfhost_replication',
      password: raw('replicationPassword'),
    },
  };
}

function tunnelIdentity(hosts: string, user: string, privateKey: string): Identity {
  return parseIdentity({ hosts, user, login: 'key', privateKey, sudo: 'none', readOnly: true });
}

function incomplete(why: string): Failure {
  return new Failure({
    code: 'postgres_credential_invalid',
    subject: 'PostgreSQL credential',
    message: `The PostgreSQL credential cannot be used: ${why}`,
    nextStep: 'Complete it.',
  });
}
