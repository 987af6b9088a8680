import { until } from '../../../../lab/hosts/waiting';
import { connectEngine, type Engine } from '../../../../lib/docker/engine/engine';
import { removeImage, tagImage } from '../../../../lib/docker/engine/images';
import { readEvent, watchEvents, type EventItem, type EventWatch } from '../../../../lib/docker/events/watch';
import type { Failure } from '../../../../lib/failure';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(120_000);

const NOTHING = { types: [], actions: [], containers: [], labels: [] };

describeAsRoot('events of Docker', () => {
  let machine: DockerMachine;
  let engine: Engine;
  const task = quietTask();
  const docker = (...argv: string[]) => machine.docker.docker(...argv);

  beforeAll(async () => {
    machine = await startDockerMachine();
    engine = await connectEngine(machine.access, task);
  });
  const watchers: { readonly end: () => Promise<void> }[] = [];
  afterEach(() => Promise.all(watchers.splice(0).map(({ end }) => end())));
  afterAll(() => machine.stop());

  /** A watcher that can be ended and begun again, as n8n is. */
  const begin = (consumer: string, change: Partial<EventWatch> = {}) => {
    const stop = new AbortController();
    const items: EventItem[] = [];
    const keys: string[] = [];
    const troubles: (Failure | undefined)[] = [];
    const watch: EventWatch = {
      consumer,
      filter: { ...NOTHING, types: ['container'], actions: ['die', 'start'] },
      groupSeconds: 0,
      logLines: 5,
      deliver: (item, key) => {
        items.push(item);
        keys.push(key);
        return Promise.resolve();
      },
      onTrouble: (failure) => troubles.push(failure),
      ...change,
    };
    const ended = watchEvents(machine.access, watch, quietTask(stop.signal));
    const watcher = {
      items,
      keys,
      troubles,
      told: () => items.map(({ action, name }) => `${action} ${name}`),
      end: async () => {
        stop.abort();
        await ended;
      },
    };
    watchers.push(watcher);
    return watcher;
  };
  const runs = async (name: string, command = 'echo last words; exit 3') => {
    await docker('run', '--name', name, '--label', `of=${name}`, 'tiny:1', 'sh', '-c', command).catch(() => undefined);
  };
  /** The watcher has come as far as what was done before this: it writes that down. */
  const caughtUp = async (watcher: ReturnType<typeof begin>, mark: string) => {
    await runs(mark, 'true');
    await until(`${mark} is told`, 20_000, () => watcher.told().includes(`die ${mark}`) || undefined);
  };

  test('are told once, in order, with the last lines of the container, and only the wanted ones', async () => {
    const watcher = begin('plain');
    await until('it has begun', 20_000, async () => {
      await runs('first');
      await docker('rm', 'first');
      return watcher.items.length > 0 || undefined;
    });
    watcher.items.splice(0);
    const filtered = begin('filtered', { filter: { ...NOTHING, actions: ['die'], labels: ['of=second'] } });
    await caughtUp(watcher, 'mark-1');
    await runs('second');
    await caughtUp(watcher, 'mark-2');
    const told = watcher.told().filter((one) => !one.endsWith(' first'));
    expect(told).toEqual(['start mark-1', 'die mark-1', 'start second', 'die second', 'start mark-2', 'die mark-2']);
    expect(watcher.items.find(({ action, name }) => action === 'die' && name === 'second')).toEqual({
      type: 'container',
      action: 'die',
      detail: null,
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
      name: 'second',
      project: null,
      service: null,
      image: 'tiny:1',
      time: expect.any(String),
      firstTime: expect.any(String),
      count: 1,
      exitCodes: [3],
      attributes: expect.objectContaining({ of: 'second', exitCode: '3' }),
      log: 'last words\n',
    });
    await until('the filtered one has it', 20_000, () => filtered.items.length > 0 || undefined);
    expect(filtered.told()).toEqual(['die second']);
    await Promise.all([watcher.end(), filtered.end()]);
  });

  test('are neither lost nor repeated when the connection is cut, and when the watcher was away', async () => {
    const one = begin('away');
    await until('it has begun', 20_000, async () => {
      await runs('early');
      await docker('rm', 'early');
      return one.items.length > 0 || undefined;
    });
    await caughtUp(one, 'mark-3');
    for (let cut = 1; cut <= 3; cut += 1) {
      machine.cut();
      await runs(`cut-${cut}`);
      machine.cut();
    }
    await caughtUp(one, 'mark-4');
    await one.end();
    await runs('while-away');
    const other = begin('away');
    await caughtUp(other, 'mark-5');
    await other.end();
    const all = [...one.items, ...other.items].filter(({ name }) => name !== 'early');
    const names = ['mark-3', 'cut-1', 'cut-2', 'cut-3', 'mark-4', 'while-away', 'mark-5'];
    // The key closes the gap between "handed on" and "written down": n8n refuses it the second time.
    const keys = [...one.keys, ...other.keys];
    const once = [...new Map([...one.items, ...other.items].map((item, at) => [keys[at], item])).values()];
    expect(
      once
        .filter(({ name }) => name !== 'early')
        .map(({ action, name }) => `${action} ${name}`)
        .sort(),
    ).toEqual(names.flatMap((name) => [`die ${name}`, `start ${name}`]).sort());
    expect(all.some(({ action }) => action === 'gap')).toBe(false);
    expect(one.troubles.filter((trouble) => trouble !== undefined).length).toBeLessThanOrEqual(7);
  });

  test('that were not handed on come again, with the same key', async () => {
    const offers = new Map<string, number>();
    const stubborn = begin('stubborn', {
      filter: { ...NOTHING, actions: ['die'], containers: ['stubborn'] },
      deliver: (_, key) => {
        const offer = (offers.get(key) ?? 0) + 1;
        offers.set(key, offer);
        return offer < 3 ? Promise.reject(new Error('n8n is busy')) : Promise.resolve();
      },
    });
    await until('it is offered', 20_000, async () => {
      await docker('rm', '--force', 'stubborn').catch(() => undefined);
      await runs('stubborn');
      return offers.size > 0 || undefined;
    });
    await until('it is taken', 20_000, () => [...offers.values()].every((offer) => offer === 3) || undefined);
    await stubborn.end();
  });

  test('of a restart loop are one, with a count', async () => {
    const watcher = begin('loops', {
      groupSeconds: 3,
      filter: { ...NOTHING, actions: ['die', 'start'], containers: ['looper'] },
    });
    const marks = begin('loop-marks');
    await caughtUp(marks, 'mark-6');
    await docker(
      'run',
      '-d',
      '--name',
      'looper',
      '--restart',
      'on-failure:4',
      'tiny:1',
      'sh',
      '-c',
      'echo again; exit 9',
    );
    const loop = await until('the loop is told', 30_000, () =>
      watcher.items.find(({ action }) => action === 'restart_loop'),
    );
    expect(loop).toMatchObject({ name: 'looper', count: 5, exitCodes: [9] });
    expect(loop.log).toContain('again');
    expect(watcher.told().filter((told) => told.startsWith('die'))).toEqual([]);
    await Promise.all([watcher.end(), marks.end()]);
  });

  test('that Docker has forgotten meanwhile are told as a gap, and what containers still show of it once', async () => {
    const wish = { filter: { ...NOTHING, types: ['container'], actions: ['die', 'start', 'oom'] } };
    const one = begin('gap', wish);
    await until('it has begun', 20_000, async () => {
      await runs('before-gap');
      return one.told().includes('die before-gap') || undefined;
    });
    await docker('run', '-d', '--name', 'stays', 'tiny:1');
    await until('the one that stays is told', 20_000, () => one.told().includes('start stays') || undefined);
    await one.end();
    await runs('in-gap', 'echo what happened; exit 7');
    await docker('restart', '--time', '0', 'stays');
    // Docker keeps the last 256.
    for (let count = 0; count < 140; count += 1) {
      await tagImage(engine, 'tiny:1', 'lab.example/noise:1', task);
      await removeImage(engine, 'lab.example/noise:1', {}, task);
    }
    const other = begin('gap', wish);
    await caughtUp(other, 'mark-7');
    // A death brings its last lines with it, and may be overtaken meanwhile.
    const told = (watcher: typeof other) => watcher.told().sort();
    expect(told(other)).toEqual([
      ...['die in-gap', 'die mark-7', 'die stays', 'gap ', 'start in-gap', 'start mark-7', 'start stays'],
    ]);
    const deathOf = (watcher: typeof other, of: string) =>
      watcher.items.find(({ action, name }) => action === 'die' && name === of);
    const death = { attributes: { derived: 'true', exitCode: '7', of: 'in-gap' }, log: 'what happened\n' };
    expect(other.items.find(({ action }) => action === 'gap')).toMatchObject({
      type: 'daemon',
      attributes: { from: expect.any(String), to: expect.any(String) },
    });
    expect(deathOf(other, 'in-gap')).toMatchObject({ exitCodes: [7], image: 'tiny:1', ...death });
    expect(deathOf(other, 'stays')).toMatchObject({ exitCodes: [], attributes: { derived: 'true' } });

    // A Docker that was restarted remembers nothing, and its containers have died with it.
    await other.end();
    await machine.docker.restart();
    const third = begin('gap', wish);
    await until('the death is told', 20_000, () => third.told().includes('die stays') || undefined);
    machine.cut();
    await caughtUp(third, 'mark-8');
    expect(told(third)).toEqual(['die mark-8', 'die stays', 'gap ', 'start mark-8']);
    await third.end();
    const fourth = begin('gap', wish);
    await caughtUp(fourth, 'mark-9');
    expect(told(fourth)).toEqual(['die mark-9', 'start mark-9']);
    await docker('rm', '--force', 'stays', 'before-gap', 'in-gap');
  });

  test('for trying a workflow out, the newest one is taken', async () => {
    await runs('try-out');
    const { item } = await readEvent([machine.access], { filter: { ...NOTHING, actions: ['die'] }, logLines: 1 }, task);
    expect(item).toMatchObject({ action: 'die', name: 'try-out', log: 'last words\n' });
  });
});
