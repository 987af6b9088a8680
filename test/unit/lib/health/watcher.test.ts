import { makeMemory, memoryState, type Memory } from '../../../../lab/memory-state';
import type { Finding } from '../../../../lib/health/finding';
import type { Batch } from '../../../../lib/health/record';
import { parseTargets, USUAL_DEFAULTS, type Target } from '../../../../lib/health/target';
import { runWatch, type WatcherSettings } from '../../../../lib/health/watcher';
import type { Check } from '../../../../lib/health/watch';
import { quietTask } from '../../../shared/task';

const DEFAULTS = { ...USUAL_DEFAULTS, intervalSeconds: 1, wrong: 2, of: 3, ok: 1 };

/** Names that are well or not, as the test says. */
type World = Map<string, 'ok' | 'wrong'>;

function watched(names: readonly string[], labels: Readonly<Record<string, string>> = {}): readonly Target[] {
  return parseTargets(
    names.map((name) => ({ name, kind: 'tcp', host: '127.0.0.1', port: 1, labels })),
    DEFAULTS,
  );
}

function checksOf(targets: readonly Target[], world: World): readonly Check[] {
  return targets.map(({ name, rules }) => ({
    ...{ id: name, rules, intervalMs: 30, deadlineMs: 15 },
    looks: [
      {
        vantage: 'n8n',
        look: (): Promise<Finding> =>
          Promise.resolve(
            world.get(name) === 'wrong'
              ? { outcome: 'wrong', says: 'HTTP 502' }
              : { outcome: 'ok', says: 'it answers', latencyMs: 1 },
          ),
      },
    ],
  }));
}

/** One life of n8n. It ends without a word when the promise that `until` was given is kept. */
async function life(
  memory: Memory,
  targets: readonly Target[],
  world: World,
  work: (told: readonly string[], batches: readonly Batch[]) => Promise<void>,
  changes: Partial<WatcherSettings> = {},
): Promise<readonly string[]> {
  const stop = new AbortController();
  const told: string[] = [];
  const batches: Batch[] = [];
  const running = runWatch(
    {
      name: 'estate',
      targets,
      checks: checksOf(targets, world),
      store: memoryState(memory, quietTask()),
      concurrency: 10,
      againMs: 20,
      onTrouble: () => undefined,
      deliver: (batch) => {
        batches.push(batch);
        told.push(...batch.news.map(({ target, was, verdict }) => `${target}: ${was ?? 'nothing'} to ${verdict}`));
        return Promise.resolve('ended well');
      },
      ...changes,
    },
    quietTask(stop.signal),
  );
  await work(told, batches);
  stop.abort();
  await running;
  return told;
}

async function becomes(fact: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !fact();) {
    if (Date.now() > end) throw new Error('it did not become so');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const rounds = () => new Promise((resolve) => setTimeout(resolve, 150));

test('an outage is told once, whatever restarts in it, and its end is told once', async () => {
  const memory = makeMemory();
  const world: World = new Map([['photos', 'wrong']]);
  const targets = watched(['photos', 'git']);
  const first = await life(memory, targets, world, (told) => becomes(() => told.length > 0));
  expect(first).toEqual(['photos: nothing to wrong']);
  expect(
    await life(memory, targets, world, async () => {
      await rounds();
    }),
  ).toEqual([]);
  world.set('photos', 'ok');
  expect(await life(memory, targets, world, (told) => becomes(() => told.length > 0))).toEqual(['photos: wrong to ok']);
});

test('news of which n8n died before its execution had ended is told again, as the same', async () => {
  const memory = makeMemory();
  const world: World = new Map([['photos', 'wrong']]);
  const targets = watched(['photos']);
  const offered: Batch[] = [];
  await life(memory, targets, world, () => becomes(() => offered.length > 0), {
    // n8n dies before it says that it has started the execution.
    deliver: (batch) => {
      offered.push(batch);
      return new Promise(() => undefined);
    },
  });
  const again: Batch[] = [];
  await life(memory, targets, world, async (_, batches) => {
    await becomes(() => batches.length > 0);
    again.push(...batches);
  });
  expect(again).toEqual(offered.map((batch) => ({ ...batch, attempt: 2 })));
  expect(
    await life(memory, targets, world, async () => {
      await rounds();
    }),
  ).toEqual([]);
});

test('what n8n refuses is offered again until it is taken', async () => {
  const ids: string[] = [];
  const troubles: string[] = [];
  await life(makeMemory(), watched(['photos']), new Map([['photos', 'wrong']]), () => becomes(() => ids.length >= 2), {
    deliver: ({ id }) => {
      ids.push(id);
      return ids.length === 1 ? Promise.reject(new Error('the queue is away')) : Promise.resolve('ended well');
    },
    onTrouble: (trouble) => troubles.push(trouble?.message ?? 'it works again'),
  });
  expect(new Set(ids).size).toBe(1);
  expect(troubles).toEqual(['the queue is away']);
});

test('an execution that failed is started again with the same news', async () => {
  const attempts: number[] = [];
  const troubles: string[] = [];
  await life(
    makeMemory(),
    watched(['photos']),
    new Map([['photos', 'wrong']]),
    () => becomes(() => attempts.length >= 2),
    {
      deliver: ({ attempt }) => {
        attempts.push(attempt);
        return Promise.resolve(attempt === 1 ? 'failed' : 'ended well');
      },
      onTrouble: (trouble) => troubles.push(trouble?.message ?? ''),
    },
  );
  expect(attempts).toEqual([1, 2]);
  expect(troubles).toEqual(['The execution with the news of photos failed and is started again']);
});

test('what fails in the same moment is told in one execution', async () => {
  const names = Array.from({ length: 15 }, (_, index) => `service-${index}`);
  const world: World = new Map(names.map((name) => [name, 'wrong']));
  const sizes: number[] = [];
  await life(makeMemory(), watched(names), world, async (told, batches) => {
    await becomes(() => told.length === names.length);
    sizes.push(...batches.map(({ news }) => news.length));
  });
  expect(sizes.reduce((sum, size) => sum + size)).toBe(15);
  expect(sizes.length).toBeLessThan(15);
});

test('what is watched no more, or under other labels, is taken back', async () => {
  const memory = makeMemory();
  const world: World = new Map([
    ['photos', 'wrong'],
    ['git', 'wrong'],
  ]);
  await life(memory, watched(['photos', 'git']), world, (told) => becomes(() => told.length === 2));
  const told = await life(memory, watched(['git'], { host: 'eva' }), world, (lines) =>
    becomes(() => lines.length === 3),
  );
  expect([...told].sort()).toEqual(['git: nothing to wrong', 'git: wrong to ok', 'photos: wrong to ok']);
});

test('a state that does not answer holds up no news', async () => {
  const memory = makeMemory();
  const store = memoryState(memory, quietTask());
  const troubles: string[] = [];
  const deaf = { ...store, update: () => new Promise<undefined>(() => undefined) };
  const broken = { ...store, update: () => Promise.reject(new Error('no way to the state')) };
  const world: World = new Map([['photos', 'wrong']]);
  for (const one of [deaf, broken]) {
    const told = await life(memory, watched(['photos']), world, (lines) => becomes(() => lines.length > 0), {
      store: one,
      onTrouble: (trouble) => troubles.push(trouble?.message ?? ''),
    });
    expect(told).toEqual(['photos: nothing to wrong']);
  }
  expect(troubles).toContain('no way to the state');
});

test('a heartbeat tells of rounds, and none comes when nothing is looked at', async () => {
  const beats: number[] = [];
  await life(makeMemory(), watched(['photos']), new Map(), () => becomes(() => beats.length >= 2), {
    heartbeat: { everyMs: 100, beat: ({ rounds: count }) => beats.push(count) },
  });
  expect(beats.every((count) => count > 0)).toBe(true);
  const none: number[] = [];
  await life(
    makeMemory(),
    [],
    new Map(),
    async () => {
      await rounds();
    },
    { heartbeat: { everyMs: 20, beat: ({ rounds: count }) => none.push(count) } },
  );
  expect(none).toEqual([]);
});
