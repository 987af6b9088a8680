import { isFailure } from '../../lib/failure';
import type { Json } from '../../lib/json';
import { withLease } from '../../lib/state/lease';
import type { StateStore } from '../../lib/state/store';
import { quietTask } from './task';

export interface StatePlace {
  /** A store on the same place; several of them are several workers. */
  open(): StateStore;
  /** Puts an entry there behind the store's back: of schema 2, or something that is no entry at all. */
  plant(key: string, what: 'newer' | 'garbled' | 'cut'): Promise<void>;
}

/** The code and version of the Failure that this ends with; `fine` when it ends well. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'fine';
  } catch (error) {
    if (isFailure(error)) return error.code;
    throw error;
  }
}

async function until(what: string, fact: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await fact())) {
    if (Date.now() > end) throw new Error(`Not so after 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What every place for state promises. Each test uses a domain of its own, so the place may be shared. */
export function stateContract(name: string, place: () => StatePlace): void {
  let count = 0;
  let store: StateStore;
  let domain: string;

  describe(`state: ${name}`, () => {
    beforeEach(() => {
      count += 1;
      domain = `test-${count}`;
      store = place().open();
    });
    afterEach(() => store.close());

    describe('reading and writing', () => {
      test('a key that was never written reads as undefined', async () => {
        expect(await store.read(`${domain}/nothing`)).toBeUndefined();
      });

      test('what was created is read back with its schema, version and time', async () => {
        const value = { text: 'a\u0000b "quoted" \\ $(id) é 🚀', list: [1, null, true, -0.5e-7], empty: {}, none: [] };
        const version = await store.create(`${domain}/one`, value);
        const entry = await store.read(`${domain}/one`);
        expect(entry).toEqual({ schema: 1, version, updatedAt: expect.stringMatching(UTC) as string, value });
        expect(Math.abs(Date.parse(entry?.updatedAt ?? '') - Date.now())).toBeLessThan(60_000);
      });

      test('every kind of JSON is a value', async () => {
        for (const value of [null, false, 0, '', 'x', [], {}, [[[]]]] satisfies Json[]) {
          await store.create(`${domain}/value`, value);
          expect((await store.read(`${domain}/value`))?.value).toEqual(value);
          expect(await store.remove(`${domain}/value`)).toBe(true);
        }
      });

      test('what is not JSON is refused and changes nothing', async () => {
        expect(await codeOf(store.create(`${domain}/x`, Number.NaN))).toBe('not_json');
        expect(await codeOf(store.create(`${domain}/x`, { a: undefined } as unknown as Json))).toBe('not_json');
        expect(await codeOf(store.create(`${domain}/x`, 'x'.repeat(256 * 1024)))).toBe('state_value_invalid');
        expect(await store.read(`${domain}/x`)).toBeUndefined();
      });

      test('a value of 200 kB comes back whole', async () => {
        const value = 'ä'.repeat(100_000);
        await store.create(`${domain}/large`, value);
        expect((await store.read(`${domain}/large`))?.value).toBe(value);
      });

      test('creating a key that is there fails with its version', async () => {
        const version = await store.create(`${domain}/one`, 1);
        await expect(store.create(`${domain}/one`, 2)).rejects.toMatchObject({
          code: 'state_exists',
          details: { key: `${domain}/one`, version },
        });
        expect((await store.read(`${domain}/one`))?.value).toBe(1);
      });

      test('replacing needs the version that is there, and gives a greater one', async () => {
        const first = await store.create(`${domain}/one`, 1);
        const second = await store.replace(`${domain}/one`, 2, first);
        expect(second).toBeGreaterThan(first);
        await expect(store.replace(`${domain}/one`, 3, first)).rejects.toMatchObject({
          code: 'state_conflict',
          details: { key: `${domain}/one`, expected: first, version: second },
        });
        expect(await store.read(`${domain}/one`)).toMatchObject({ version: second, value: 2 });
      });

      test('replacing a key that is gone is a conflict without a version', async () => {
        const version = await store.create(`${domain}/one`, 1);
        await store.remove(`${domain}/one`);
        await expect(store.replace(`${domain}/one`, 2, version)).rejects.toMatchObject({
          code: 'state_conflict',
          details: { version: null },
        });
      });

      test('a version never comes back, also when the key is removed and made again', async () => {
        const first = await store.create(`${domain}/one`, 1);
        await store.remove(`${domain}/one`);
        const second = await store.create(`${domain}/one`, 1);
        expect(second).toBeGreaterThan(first);
        expect(await codeOf(store.replace(`${domain}/one`, 2, first))).toBe('state_conflict');
      });

      test('removing says whether it was there, and can insist on a version', async () => {
        expect(await store.remove(`${domain}/one`)).toBe(false);
        const first = await store.create(`${domain}/one`, 1);
        const second = await store.replace(`${domain}/one`, 2, first);
        await expect(store.remove(`${domain}/one`, first)).rejects.toMatchObject({
          code: 'state_conflict',
          details: { expected: first, version: second },
        });
        expect(await store.remove(`${domain}/one`, second)).toBe(true);
        expect(await store.remove(`${domain}/one`, second)).toBe(false);
        expect(await store.read(`${domain}/one`)).toBeUndefined();
      });

      test('update creates, changes, and leaves alone what needs no change', async () => {
        const add = (value: Json | undefined) => (typeof value === 'number' ? value + 1 : 1);
        expect(await store.update(`${domain}/count`, add)).toBe(1);
        expect(await store.update(`${domain}/count`, add)).toBe(2);
        const before = await store.read(`${domain}/count`);
        expect(await store.update(`${domain}/count`, () => undefined)).toBe(2);
        expect(await store.read(`${domain}/count`)).toEqual(before);
      });
    });

    describe('keys', () => {
      test('are told apart whatever stands in them, and listed as they were written', async () => {
        const keys = [
          `${domain}/a`,
          `${domain}/a/b`,
          `${domain}/a.json`,
          `${domain}/a.json/b`,
          `${domain}/A`,
          `${domain}/..`,
          `${domain}/../x`,
          `${domain}/.`,
          `${domain}/~`,
          `${domain}/~/x`,
          `${domain}/%2E`,
          `${domain}/=YQ`,
          `${domain}/-rf`,
          `${domain}/ `,
          `${domain}/*`,
          `${domain}/'"$(touch x)\`;|&\\`,
          `${domain}/é`,
          `${domain}/e\u0301`,
          `${domain}/日本語/🚀`,
          `${domain}/\uffee`,
          `${domain}/${'n'.repeat(250)}`,
          `${domain}/${'n'.repeat(200)}`,
          `${domain}/${'n'.repeat(200)}/n`,
          `${domain}/${'é'.repeat(500 - domain.length - 1)}`,
        ];
        for (const key of keys) await store.create(key, key);
        for (const key of keys) expect((await store.read(key))?.value).toBe(key);
        const listed = (await store.list(`${domain}/`)).items.map(({ key }) => key);
        expect(listed).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      });

      test.each([
        ['', 'no domain'],
        ['domain', 'no name'],
        ['/name', 'no domain'],
        ['domain/', 'an empty name'],
        ['domain//name', 'an empty name'],
        ['Domain/name', 'a capital in the domain'],
        ['../name', 'a parent folder as domain'],
        ['domain/\n', 'a line end'],
        ['domain/\0', 'a NUL'],
        ['domain/\ud800', 'half a character'],
        [`domain/${'x'.repeat(494)}`, '501 characters'],
      ])('%j is refused: %s', async (key) => {
        expect(await codeOf(store.read(key))).toBe('state_key_invalid');
        expect(await codeOf(store.create(key, 1))).toBe('state_key_invalid');
        expect(await codeOf(store.remove(key))).toBe('state_key_invalid');
        expect(await codeOf(store.update(key, () => 1))).toBe('state_key_invalid');
        expect(await codeOf(store.once(key, 1000))).toBe('state_key_invalid');
      });
    });

    describe('lists', () => {
      test('hold the keys with the prefix, page by page, each once', async () => {
        const names = Array.from({ length: 23 }, (_, index) => String(index).padStart(2, '0'));
        for (const name of names) await store.create(`${domain}/in/${name}`, name);
        await store.create(`${domain}/inn`, 'outside');
        await store.create(`${domain}-other/in/00`, 'outside');
        const seen: Json[] = [];
        const sizes: number[] = [];
        for (let after: string | undefined = ''; after !== undefined;) {
          const page = await store.list(`${domain}/in/`, { limit: 10, after });
          seen.push(...page.items.map((item) => ('entry' in item ? item.entry.value : item.failure.code)));
          sizes.push(page.items.length);
          after = page.next;
        }
        expect(seen).toEqual(names);
        expect(sizes).toEqual([10, 10, 3]);
      });

      test('take a prefix that ends within a name', async () => {
        for (const name of ['bruno', 'brunhilde', 'eva']) await store.create(`${domain}/${name}`, 1);
        const { items, next } = await store.list(`${domain}/brun`);
        expect(items.map(({ key }) => key)).toEqual([`${domain}/brunhilde`, `${domain}/bruno`]);
        expect(next).toBeUndefined();
      });

      test('of a domain that does not exist are empty', async () => {
        expect(await store.list(`${domain}/`)).toEqual({ items: [] });
      });

      test('need at least a domain', async () => {
        expect(await codeOf(store.list(''))).toBe('state_key_invalid');
        expect(await codeOf(store.list('domain'))).toBe('state_key_invalid');
      });

      test('show an entry that cannot be read in its place, beside the others', async () => {
        await store.create(`${domain}/a`, 1);
        await place().plant(`${domain}/b`, 'garbled');
        await place().plant(`${domain}/c`, 'newer');
        await store.create(`${domain}/d`, 1);
        const { items } = await store.list(`${domain}/`);
        expect(items.map((item) => [item.key, 'failure' in item ? item.failure.code : item.entry.value])).toEqual([
          [`${domain}/a`, 1],
          [`${domain}/b`, 'state_unreadable'],
          [`${domain}/c`, 'state_newer_schema'],
          [`${domain}/d`, 1],
        ]);
      });
    });

    describe('entries that are not understood', () => {
      test.each([
        ['newer', 'state_newer_schema'],
        ['garbled', 'state_unreadable'],
        ['cut', 'state_unreadable'],
      ] as const)('%s: refused by every operation, and left as it is', async (what, code) => {
        const key = `${domain}/${what}`;
        await place().plant(key, what);
        expect(await codeOf(store.read(key))).toBe(code);
        expect(await codeOf(store.create(key, 1))).toBe(code);
        expect(await codeOf(store.update(key, () => 1))).toBe(code);
        expect(await codeOf(store.once(key, 1000))).toBe(code);
        expect(await codeOf(store.replace(key, 1, 5))).toBe(code);
        expect(await codeOf(store.remove(key))).toBe(code);
        await store.cleanUp();
        expect(await codeOf(store.read(key))).toBe(code);
      });
    });

    describe('expiry', () => {
      test('an expired entry is as good as gone for every operation', async () => {
        const key = `${domain}/short`;
        const version = await store.create(key, 1, { ttlMs: 150 });
        await until('it expires', async () => (await store.read(key)) === undefined);
        expect(await codeOf(store.replace(key, 2, version))).toBe('state_conflict');
        expect(await store.remove(key)).toBe(false);
        expect(await store.list(`${domain}/`)).toEqual({ items: [] });
        const next = await store.create(key, 2);
        expect(next).toBeGreaterThan(version);
        expect(await store.read(key)).toEqual({
          schema: 1,
          version: next,
          updatedAt: expect.stringMatching(UTC) as string,
          value: 2,
        });
      });

      test('the end lies the time to live behind the write, and stays when a replacement names none', async () => {
        const key = `${domain}/kept`;
        const first = await store.create(key, 1, { ttlMs: 3_600_000 });
        const before = await store.read(key);
        expect(Date.parse(before?.expiresAt ?? '') - Date.parse(before?.updatedAt ?? '')).toBe(3_600_000);
        const second = await store.replace(key, 2, first);
        expect((await store.read(key))?.expiresAt).toBe(before?.expiresAt);
        await store.replace(key, 3, second, { ttlMs: 7_200_000 });
        const after = await store.read(key);
        expect(Date.parse(after?.expiresAt ?? '') - Date.parse(after?.updatedAt ?? '')).toBe(7_200_000);
      });

      test('clean-up takes away the expired ones, counts them, and touches nothing else', async () => {
        await store.cleanUp();
        for (const name of ['a', 'b', 'c']) await store.create(`${domain}/short/${name}`, 1, { ttlMs: 50 });
        await store.create(`${domain}/long`, 1, { ttlMs: 3_600_000 });
        await store.create(`${domain}/forever`, 1);
        await until('all three expire', async () => (await store.list(`${domain}/short/`)).items.length === 0);
        expect(await store.cleanUp()).toBe(3);
        expect(await store.cleanUp()).toBe(0);
        expect((await store.list(`${domain}/`)).items.map(({ key }) => key)).toEqual([
          `${domain}/forever`,
          `${domain}/long`,
        ]);
      });

      test('a time to live must be a whole number of milliseconds', async () => {
        for (const ttlMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
          expect(await codeOf(store.create(`${domain}/x`, 1, { ttlMs }))).toBe('state_value_invalid');
        }
      });
    });

    describe('once', () => {
      test('is true the first time and again when the time is over', async () => {
        const key = `${domain}/event`;
        expect(await store.once(key, 300)).toBe(true);
        expect(await store.once(key, 300)).toBe(false);
        await until('the time is over', () => store.once(key, 300));
      });

      test('is true for exactly one of 50 callers in five workers', async () => {
        const stores = Array.from({ length: 5 }, () => place().open());
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) => (stores[index % 5] as StateStore).once(`${domain}/event`, 60_000)),
        );
        expect(answers.filter((answer) => answer)).toHaveLength(1);
        expect(answers.filter((answer) => !answer)).toHaveLength(49);
        await Promise.all(stores.map((one) => one.close()));
      });
    });

    describe('a lease', () => {
      const lease = (of: StateStore, work: () => Promise<void>, more: { ttlMs?: number; waitMs?: number } = {}) =>
        withLease(of, `${domain}/lease`, { subject: 'zone kua.cl', ...more }, quietTask(), work);

      test('lets one after the other work, whatever their process', async () => {
        const stores = Array.from({ length: 4 }, () => place().open());
        let inside = 0;
        let most = 0;
        const work = async () => {
          inside += 1;
          most = Math.max(most, inside);
          await store.read(`${domain}/something`);
          inside -= 1;
        };
        await Promise.all(stores.map((one) => lease(one, work)));
        expect([most, inside]).toEqual([1, 0]);
        expect(await store.read(`${domain}/lease`)).toBeUndefined();
        await Promise.all(stores.map((one) => one.close()));
      });

      test('of somebody who died with it is free when its time is over', async () => {
        await store.create(`${domain}/lease`, { holder: 'dead' }, { ttlMs: 700 });
        let worked = false;
        await lease(store, async () => void (worked = true));
        expect(worked).toBe(true);
      });

      test('that another keeps is waited for no longer than allowed, and its holder is named', async () => {
        const held = { holder: 'execution 7', since: '2026-01-31T02:00:00.000Z' };
        await store.create(`${domain}/lease`, held);
        const failure = await lease(store, () => Promise.reject(new Error('not reached')), { waitMs: 50 }).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(failure).toMatchObject({ code: 'lease_busy', details: held });
        expect((await store.read(`${domain}/lease`))?.value).toEqual(held);
      });
    });

    describe('many workers at once', () => {
      test('exactly one of 50 creates wins, and its value stands', async () => {
        const stores = Array.from({ length: 5 }, () => place().open());
        const outcomes = await Promise.allSettled(
          Array.from({ length: 50 }, (_, index) => (stores[index % 5] as StateStore).create(`${domain}/one`, index)),
        );
        const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
        expect(winners).toHaveLength(1);
        const reasons = outcomes.flatMap((outcome) =>
          outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
        );
        expect(reasons.every((reason) => isFailure(reason, 'state_exists'))).toBe(true);
        expect((await store.read(`${domain}/one`))?.value).toBe(winners[0]);
        await Promise.all(stores.map((one) => one.close()));
      });

      test('exactly one of 50 replacements of one version wins', async () => {
        const stores = Array.from({ length: 5 }, () => place().open());
        const version = await store.create(`${domain}/one`, 'before');
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            codeOf((stores[index % 5] as StateStore).replace(`${domain}/one`, index, version)),
          ),
        );
        expect(outcomes.filter((outcome) => outcome === 'fine')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'state_conflict')).toHaveLength(49);
        await Promise.all(stores.map((one) => one.close()));
      });

      test('no update is lost when 20 of them meet', async () => {
        const stores = Array.from({ length: 5 }, () => place().open());
        await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (stores[index % 5] as StateStore).update(`${domain}/count`, (value) => Number(value ?? 0) + 1),
          ),
        );
        expect((await store.read(`${domain}/count`))?.value).toBe(20);
        await Promise.all(stores.map((one) => one.close()));
      });

      test('a reader sees whole values only while writers write', async () => {
        const key = `${domain}/whole`;
        let version = await store.create(key, { left: 'a'.repeat(5_000), right: 'a'.repeat(5_000) });
        const progress = { writing: true };
        const writer = (async () => {
          for (const letter of 'bcdefghijk') {
            version = await store.replace(key, { left: letter.repeat(5_000), right: letter.repeat(5_000) }, version);
          }
          progress.writing = false;
        })();
        const other = place().open();
        for (let reads = 0; progress.writing || reads === 0; reads += 1) {
          const { left, right } = (await other.read(key))?.value as { left: string; right: string };
          expect(left).toBe(right);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await writer;
        await other.close();
      });
    });
  });
}
