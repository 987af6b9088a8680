import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { isRoot } from '../../../../lab/hosts/programs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '../../../../lab/postgres';
import { openSocket } from '../../../../lib/host/socket';
import { closeSessions } from '../../../../lib/host/sessions';
import type { Database } from '../../../../lib/postgres/connection';
import { postgresState } from '../../../../lib/state/postgres';
import { hostOf } from '../../../../lab/hosts/as-host';
import { race } from '../../../shared/racers';
import { stateContract } from '../../../shared/state-contract';
import { quietTask } from '../../../shared/task';

let server: PostgresServer;

jest.setTimeout(60_000);

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

function database(changes: Partial<Database> = {}): Database {
  const { host, port, user, password, database: name } = server;
  return { name: 'database lab', database: name, user, password, at: { host, port }, ...changes };
}

const open = (changes?: Partial<Database>) => postgresState(database(changes), quietTask());

stateContract('PostgreSQL', () => ({
  open,
  plant: async (key, what) => {
    const maker = open();
    await maker.create(key, 1);
    await maker.close();
    const change = {
      newer: "schema = 2, value = 'unknown'",
      garbled: "value = 'not json'",
      cut: "value = ''",
    }[what];
    await server.sql(`update selfhost_state set ${change} where key = '${key}'`);
  },
}));

/** A server in between that can cut the line at a chosen moment: after the server was told, before we are told. */
async function startMeddler(port: number) {
  const sockets = new Set<Socket>();
  let cutNext: 'request' | 'answer' | undefined;
  let cuts = 0;
  const proxy: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let armed: 'request' | 'answer' | undefined;
    client.on('data', (chunk) => {
      // Only statements that change something: those with the name of the write's column.
      if (
        cutNext !== undefined &&
        /insert into selfhost_state as|update selfhost_state s set/.test(chunk.toString('latin1'))
      ) {
        armed = cutNext;
        cutNext = undefined;
        if (armed === 'request') {
          cuts += 1;
          client.destroy();
          return;
        }
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (armed === 'answer') {
        cuts += 1;
        client.destroy();
        return;
      }
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    cut: (where: 'request' | 'answer') => {
      cutNext = where;
    },
    cuts: () => cuts,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

describe('state in PostgreSQL', () => {
  test('ten workers that start at once make one table', async () => {
    const fresh = await startPostgres();
    try {
      const { port, password } = fresh;
      const stores = Array.from({ length: 10 }, () => open({ at: { host: '127.0.0.1', port }, password }));
      const versions = await Promise.all(stores.map((store, index) => store.create(`first/${index}`, index)));
      expect(new Set(versions).size).toBeGreaterThan(0);
      expect((await stores[0]?.list('first/'))?.items).toHaveLength(10);
      await Promise.all(stores.map((store) => store.close()));
    } finally {
      await fresh.stop();
    }
  });

  test.each(['request', 'answer'] as const)(
    'a line cut at the %s of a write: the outcome is looked up, and the write is made once',
    async (where) => {
      const meddler = await startMeddler(server.port);
      const store = open({ at: { host: '127.0.0.1', port: meddler.port } });
      const key = `cut/${where}`;
      await store.read(key);
      meddler.cut(where);
      expect(await store.once(key, 60_000)).toBe(true);
      meddler.cut(where);
      const version = (await store.read(key))?.version ?? 0;
      const next = await store.replace(key, 1, version);
      expect(next).toBe(version + 1);
      meddler.cut(where);
      expect(await store.remove(key, next)).toBe(true);
      expect(meddler.cuts()).toBe(3);
      await store.close();
      await meddler.stop();
    },
  );

  test('a write whose answer got lost is known as made, also when somebody has replaced it since', async () => {
    const meddler = await startMeddler(server.port);
    const store = open({ at: { host: '127.0.0.1', port: meddler.port } });
    const other = open();
    await store.read('cut/overtaken');
    await other.read('cut/overtaken');
    meddler.cut('answer');
    const creating = store.create('cut/overtaken', 'mine');
    const replacing = (async () => {
      for (;;) {
        const entry = await other.read('cut/overtaken');
        if (entry !== undefined) return other.replace('cut/overtaken', 'theirs', entry.version);
      }
    })();
    const [created, replaced] = await Promise.all([creating, replacing]);
    expect(replaced).toBe(created + 1);
    expect(meddler.cuts()).toBe(1);
    expect((await store.read('cut/overtaken'))?.value).toBe('theirs');
    await Promise.all([store.close(), other.close()]);
    await meddler.stop();
  });

  test('a write that cannot be looked up because the database stays away says that its outcome is not known', async () => {
    const meddler = await startMeddler(server.port);
    const store = open({ at: { host: '127.0.0.1', port: meddler.port } });
    await store.read('cut/gone');
    meddler.cut('answer');
    const writing = store.create('cut/gone', 1).catch((error: unknown) => error);
    while (meddler.cuts() === 0) await new Promise((resolve) => setImmediate(resolve));
    await meddler.stop();
    expect(await writing).toMatchObject({
      code: 'state_outcome_unknown',
      subject: 'cut/gone in the state in database lab',
    });
    await store.close();
  });

  test('a crash of the server in the middle of updates loses none and repeats none', async () => {
    const store = open();
    let done = 0;
    const working = (async () => {
      for (; done < 200; done += 1) await store.update('crash/count', (value) => Number(value ?? 0) + 1);
    })();
    while (done < 40) await new Promise((resolve) => setImmediate(resolve));
    await server.down('crash');
    await server.up();
    await working.catch(async (error: unknown) => {
      // It took longer to come back than a store waits; then it must say that it does not know, or that nobody is there.
      expect(['state_outcome_unknown', 'database_unreachable', 'database_lost']).toContain(
        (error as { code: string }).code,
      );
      const value = Number((await store.read('crash/count'))?.value);
      expect([done, done + 1]).toContain(value);
    });
    if (done === 200) expect((await store.read('crash/count'))?.value).toBe(200);
    await store.close();
  });

  test('four processes at once: each key is once true, and no addition is lost', async () => {
    const onceKeys = Array.from({ length: 20 }, (_, index) => `race/once/${index}`);
    const place = { kind: 'postgres', database: database() } as const;
    const answers = await race(4, { place, onceKeys, counter: 'race/count', increments: 25 });
    const winners = onceKeys.map((_, index) => answers.filter((answer) => answer[index]).length);
    expect(winners).toEqual(onceKeys.map(() => 1));
    const store = open();
    expect((await store.read('race/count'))?.value).toBe(100);
    await store.close();
  });

  test('a table of a newer schema is refused before anything is done', async () => {
    await server.sql("update selfhost_state set value = '2' where key = 'schema'");
    try {
      const store = open();
      await expect(store.create('newer/one', 1)).rejects.toMatchObject({
        code: 'state_newer_schema',
        details: { schema: 2, supported: 1 },
      });
      await store.close();
      expect((await server.sql("select count(*) from selfhost_state where key = 'newer/one'")).trim()).toBe('0');
    } finally {
      await server.sql("update selfhost_state set value = '1' where key = 'schema'");
    }
  });

  test('hostile keys and values are data, never SQL', async () => {
    const store = open();
    const text = `'); drop table selfhost_state; -- $1 \\' "x" $$`;
    await store.create(`hostile/${text}`, { [text]: text });
    expect((await store.read(`hostile/${text}`))?.value).toEqual({ [text]: text });
    expect((await store.list(`hostile/${text.slice(0, 9)}`)).items).toHaveLength(1);
    expect((await store.list('hostile/%')).items).toHaveLength(0);
    await store.close();
  });

  test('reaches a database through SSH, at a port that only the host can reach', async () => {
    const base = mkdtempSync(join(tmpdir(), 'selfhost-state-'));
    const lab = await startSshHost(isRoot() ? { machine: { hostname: 'lab', folder: base } } : {});
    try {
      const { host, port } = server;
      const store = open({ at: { open: (task) => openSocket(hostOf(lab), { host, port }, task) } });
      await store.create('tunnel/one', 'through SSH');
      expect((await store.read('tunnel/one'))?.value).toBe('through SSH');
      await lab.dropConnections();
      expect((await store.read('tunnel/one'))?.value).toBe('through SSH');
      await store.close();
    } finally {
      await closeSessions();
      await lab.stop();
      rmSync(base, { recursive: true, force: true });
    }
  });

  test('a wrong password, a missing database and a closed port are told apart', async () => {
    const failureOf = async (changes: Partial<Database>) => {
      const store = open(changes);
      const error = await store.read('x/y').catch((reason: unknown) => reason as { code: string; message: string });
      await store.close();
      return error;
    };
    const secret = 'not-the-password';
    const wrong = await failureOf({ password: secret });
    expect(wrong).toMatchObject({ code: 'database_refused' });
    expect(JSON.stringify(wrong)).not.toContain(secret);
    expect(await failureOf({ password: undefined })).toMatchObject({
      code: expect.stringMatching(/^database_/) as string,
    });
    expect(await failureOf({ database: 'nowhere' })).toMatchObject({ code: 'database_refused' });
    expect(await failureOf({ at: { host: '127.0.0.1', port: 1 } })).toMatchObject({ code: 'database_unreachable' });
  });

  test('a stopped execution stops waiting for a locked row', async () => {
    const controller = new AbortController();
    const store = postgresState(database(), quietTask(controller.signal));
    const version = await store.create('stopped/one', 1);
    const holding = server.sql(
      "begin; select 1 from selfhost_state where key = 'stopped/one' for update; select pg_sleep(2); commit",
    );
    const write = store.replace('stopped/one', 2, version);
    setImmediate(() => controller.abort());
    await expect(write).rejects.toMatchObject({ code: 'cancelled' });
    await holding;
    await store.close();
  });

  test('leaves no connection behind when it is closed', async () => {
    const store = open();
    await store.create('closed/one', 1);
    await store.close();
    const count = () => server.sql("select count(*) from pg_stat_activity where application_name = 'selfhost'");
    const end = Date.now() + 5_000;
    while ((await count()).trim() !== '0') if (Date.now() > end) throw new Error('Still connected');
  });
});
