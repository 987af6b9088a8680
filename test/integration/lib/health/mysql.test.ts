import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority, type Authority, type Certificate } from '../../../../lab/certificates';
import { run } from '../../../../lab/hosts/programs';
import { startMysql8, type Mysql8 } from '../../../../lab/mysql8';
import { installN8n } from '../../../../lab/n8n/install';
import { checkNow } from '../../../../lib/health/check-now';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
import { quietTask } from '../../../shared/task';

jest.setTimeout(60_000);

const LOGIN = { user: 'probe', password: `planted "p'a$s" ü` };
const REMEMBERED = 'remembered';
const OVER_TLS = 'whole password over TLS';
const UNDER_KEY = 'whole password under the RSA key';

let folder: string;
let authority: Authority;
let certificate: Certificate;
let server: Mysql8;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'selfhost-mysql8-'));
  authority = await makeAuthority(folder);
  certificate = await authority.sign('mysql', '127.0.0.1');
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const start = async (settings: Partial<Parameters<typeof startMysql8>[0]> = {}) =>
  (server = await startMysql8({ ...LOGIN, certificate, ...settings }));
afterEach(() => server.stop());

describe('the test server is one that clients of others log in to', () => {
  /** MariaDB's program, which has the login of MySQL 8 as a plugin. The password comes by a file. */
  async function mariadb(password: string, ...options: readonly string[]): Promise<string> {
    const file = join(folder, 'client.cnf');
    await writeFile(file, `[client]\npassword="${password.replace(/["\\]/g, '\\$&')}"\n`, { mode: 0o600 });
    const to = [`--host=127.0.0.1`, `--port=${server.port}`, '--protocol=TCP', `--user=${LOGIN.user}`];
    const argv = [
      'mariadb',
      `--defaults-file=${file}`,
      ...to,
      ...options,
      '-BN',
      '-e',
      'select current_user()',
    ] as const;
    return (await run([...argv])).trim();
  }

  test.each(['switch', undefined] as const)('MariaDB’s, over TLS and without (greeting: %s)', async (greets) => {
    await start(greets === undefined ? {} : { greets });
    const encrypted = ['--ssl', `--ssl-ca=${authority.file}`, '--ssl-verify-server-cert'];
    expect(await mariadb(LOGIN.password, ...encrypted)).toBe('probe@%');
    expect(await mariadb(LOGIN.password, ...encrypted)).toBe('probe@%');
    server.forget();
    expect(await mariadb(LOGIN.password, '--skip-ssl')).toBe('probe@%');
    expect(await mariadb(LOGIN.password, '--skip-ssl')).toBe('probe@%');
    await expect(mariadb('another', '--skip-ssl')).rejects.toThrow(/ERROR 1045 \(28000\): Access denied/);
    expect(server.logins).toEqual([OVER_TLS, REMEMBERED, UNDER_KEY, REMEMBERED, 'refused']);
  });

  test('mysql2, which n8n’s own MySQL node is made of', async () => {
    await start();
    const { modules } = await installN8n();
    interface Mysql2 {
      createConnection(settings: object): Promise<{ query(text: string): Promise<unknown[]>; end(): Promise<void> }>;
    }
    const client = createRequire(join(modules, 'mysql2', 'package.json'))('./promise') as Mysql2;
    const asks = async (more: object) => {
      const connection = await client.createConnection({ host: '127.0.0.1', port: server.port, ...LOGIN, ...more });
      const [rows] = await connection.query('select current_user()');
      await connection.end();
      return rows;
    };
    expect(await asks({})).toEqual([{ answer: 'probe@%' }]);
    expect(await asks({})).toEqual([{ answer: 'probe@%' }]);
    server.forget();
    expect(await asks({ ssl: { ca: authority.pem, rejectUnauthorized: true } })).toEqual([{ answer: 'probe@%' }]);
    await expect(asks({ password: 'another' })).rejects.toThrow('Access denied');
    expect(server.logins).toEqual([UNDER_KEY, REMEMBERED, OVER_TLS, 'refused']);
  });
});

describe('the login of MySQL 8', () => {
  async function found(changes: object = {}, password = LOGIN.password, host = '127.0.0.1'): Promise<string> {
    const at = { name: 'it', kind: 'mysql', host, port: server.port, user: LOGIN.user, password: 'credential:MYSQL' };
    const targets = parseTargets({ ...at, deadlineSeconds: 20, ...changes }, USUAL_DEFAULTS);
    const surroundings = {
      hostOf: () => {
        throw new Error('there is no host');
      },
      secretOf: () => Promise.resolve(password),
    };
    const [news] = await checkNow(targets, surroundings, 1, quietTask());
    const says = `${news?.status ?? ''}: ${(news?.evidence ?? '').replace(/^\w+: /, '')}`;
    expect(says).not.toContain('planted');
    return says;
  }
  const WELL = 'ok: it answers, version 8.0.40-lab';
  const tls = () => ({ encryption: 'tls', authority: authority.pem });

  test.each(['switch', undefined] as const)(
    'is whole over TLS, and remembered after that (greeting: %s)',
    async (greets) => {
      await start(greets === undefined ? {} : { greets });
      expect([await found(tls()), await found(tls()), await found()]).toEqual([WELL, WELL, WELL]);
      expect(server.logins).toEqual([OVER_TLS, REMEMBERED, REMEMBERED]);
    },
  );

  test('is whole under the key that is pinned, or that the machine itself tells', async () => {
    await start();
    expect(await found({ serverKey: server.publicKey })).toBe(WELL);
    server.forget();
    expect(await found()).toBe(WELL);
    expect(server.logins).toEqual([UNDER_KEY, UNDER_KEY]);
  });

  test('is not given whole to a server elsewhere that nobody vouches for', async () => {
    await start();
    // This machine again, under a name that does not say so.
    const host = '0.0.0.0';
    expect(await found({}, LOGIN.password, host)).toBe(
      'wrong: it wants the whole password, which goes to it only with encryption: tls or its serverKey',
    );
    expect(server.logins).toEqual([]);
    expect(await found({ serverKey: 'ask' }, LOGIN.password, host)).toBe(WELL);
    expect(await found({}, LOGIN.password, host)).toBe(WELL);
    expect(server.logins).toEqual([UNDER_KEY, REMEMBERED]);
  });

  test('is refused in every way when the password is another, and no evidence has it', async () => {
    await start();
    const refused = "wrong: it refuses the login: Access denied for user 'probe'@'localhost' (using password: YES)";
    for (const changes of [tls(), { serverKey: server.publicKey }, {}]) {
      expect(await found(changes, 'planted-other')).toBe(refused);
    }
    await found();
    for (const changes of [tls(), {}]) expect(await found(changes, 'planted-other')).toBe(refused);
    expect(server.logins).toEqual(['refused', 'refused', 'refused', UNDER_KEY, 'refused', 'refused']);
  });

  test('is not begun with a certificate that is not in order, or without TLS where it is asked for', async () => {
    await start();
    const other = await makeAuthority(await mkdtemp(join(folder, 'other-')));
    expect(await found({ ...tls(), authority: other.pem })).toMatch(/^wrong: .*certificate/);
    expect(await found({ ...tls(), serverName: 'elsewhere.test' })).toMatch(/^wrong: Hostname\/IP does not match/);
    expect(server.logins).toEqual([]);
    await server.stop();
    server = await startMysql8(LOGIN);
    expect(await found(tls())).toBe('wrong: it does not encrypt');
  });

  test('tells a server that takes no changes', async () => {
    await start();
    expect(await found({ ...tls(), writable: true })).toBe(WELL);
    server.setReadOnly(true);
    expect(await found({ ...tls(), writable: true })).toBe('wrong: it lets in, and is read-only');
  });
});
