import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startInBackground } from './hosts/background';
import { openLedger } from './hosts/ledger';
import { run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface RedisServer {
  readonly port: number;
  /** Of the user `default`. */
  readonly password: string;
  /** What redis-cli prints; without a login it is that of `default` as it was at the start. */
  readonly ask: (
    words: readonly string[],
    login?: { readonly user: string; readonly password: string },
  ) => Promise<string>;
  /** Ends it and starts it again with what it has saved. */
  readonly restart: () => Promise<void>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** Where it keeps its users: in a file of their own, in its configuration, or only in memory. */
export type RedisKeeps = 'acl file' | 'configuration' | 'memory';

/** A real Redis that asks for a password. */
export async function startRedisServer(keeps: RedisKeeps = 'acl file'): Promise<RedisServer> {
  const ledger = await openLedger();
  try {
    const port = await freePort();
    const password = randomBytes(18).toString('base64url');
    const aclFile = join(ledger.folder, 'users.acl');
    const settings = [
      ['port', String(port)],
      ['bind', '127.0.0.1'],
      ['dir', ledger.folder],
      ['save', '""'],
      keeps === 'acl file' ? ['aclfile', aclFile] : ['requirepass', password],
    ];
    await writeFile(aclFile, `user default on >${password} ~* &* +@all\n`, { mode: 0o600 });
    const configuration = join(ledger.folder, 'redis.conf');
    await writeFile(configuration, settings.map((line) => `${line.join(' ')}\n`).join(''), { mode: 0o600 });
    const inArguments = settings.flatMap(([name = '', value = '']) => [`--${name}`, value === '""' ? '' : value]);

    const ask: RedisServer['ask'] = async (words, login = { user: 'default', password }) => {
      const as = ['--user', login.user, '--no-auth-warning'];
      const argv = ['redis-cli', '-p', String(port), ...as, ...words] as const;
      return (await run(argv, { environment: { REDISCLI_AUTH: login.password } })).trim();
    };
    let pid: number | undefined;
    const up = async () => {
      const server = startInBackground(ledger, {
        name: 'Redis',
        argv: ['redis-server', ...(keeps === 'memory' ? inArguments : [configuration])],
        log: join(ledger.folder, 'redis.log'),
        folder: ledger.folder,
      });
      pid = server.pid;
      await until(`Redis answers on port ${port}`, 30_000, async () => {
        await server.mustRun();
        const answer = await run(['redis-cli', '-p', String(port), 'PING']).catch(() => '');
        return /PONG|NOAUTH/.test(answer) ? true : undefined;
      });
    };
    const down = async () => {
      const server = pid;
      if (server === undefined) return;
      process.kill(server, 'SIGTERM');
      await until('Redis has ended', 30_000, () => {
        try {
          process.kill(server, 0);
          return undefined;
        } catch {
          return true;
        }
      });
      pid = undefined;
    };
    await up();
    return {
      port,
      password,
      ask,
      restart: async () => {
        await down();
        await up();
      },
      stop: () => ledger.clear(),
    };
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}
