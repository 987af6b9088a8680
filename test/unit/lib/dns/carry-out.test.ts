import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { applyPlan } from '../../../../lib/dns/apply';
import { carryOut, makePlan, type Order } from '../../../../lib/dns/carry-out';
import { parseDesiredRecords } from '../../../../lib/dns/desired';
import { lastUndo } from '../../../../lib/dns/kept-undo';
import type { PlanRequest } from '../../../../lib/dns/plan';
import type { Capabilities, DnsProvider } from '../../../../lib/dns/provider';
import { planUndo } from '../../../../lib/dns/undo';
import { writeZoneFile } from '../../../../lib/dns/zone-file-write';
import { Failure as SomeFailure } from '../../../../lib/failure';
import type { StateStore } from '../../../../lib/state/store';
import type { Task } from '../../../../lib/task';
import { CLOUDFLARE_LIKE, memoryDns } from '../../../shared/memory-dns';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const ZONE = 'kua.cl';
const store = () => memoryState(makeMemory(), quietTask());

/** A provider that takes its time, and notes who asks. */
function slow(capabilities: Capabilities = CLOUDFLARE_LIKE) {
  const provider = memoryDns(capabilities);
  const log: string[] = [];
  const late = async (what: string, { owner }: Task) => {
    log.push(`${owner} ${what}`);
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  };
  const watched: DnsProvider = {
    ...provider,
    listRecords: async (zone, task) => {
      await late('looks', task);
      return provider.listRecords(zone, task);
    },
    write: async (zone, write, task) => {
      await late('writes', task);
      return provider.write(zone, write, task);
    },
  };
  return { provider, watched, log };
}

const order = (dns: DnsProvider, address: string, more: Partial<Order & PlanRequest> = {}): Order => ({
  zone: ZONE,
  hash: '',
  dryRun: false,
  plan: (task) => {
    const desired = parseDesiredRecords([{ name: 'www', type: 'A', content: address }], ZONE);
    return makePlan(dns, { zone: ZONE, desired, owner: 'n8n', mode: 'full-sync' }, task);
  },
  ...more,
});
const by = (owner: string): Task => ({ ...quietTask(), owner });

it('two applies of one zone at once go one after the other, and the second plans what the first has left', async () => {
  const { provider, watched, log } = slow();
  const [first, second] = await Promise.all([
    carryOut(watched, order(watched, '203.0.113.1'), by('first')),
    carryOut(watched, order(watched, '203.0.113.2'), by('second')),
  ]);
  const one = (owner: string) => ['looks', 'looks', 'writes', 'looks'].map((what) => `${owner} ${what}`);
  expect(log).toEqual([...one('first'), ...one('second')]);
  expect([first.plan.create.length, second.plan.update.length]).toEqual([1, 1]);
  expect(provider.records().map(({ value }) => value.data)).toEqual([{ address: '203.0.113.2' }]);
});

it('the same holds with the lock in the state, which is given back', async () => {
  const { watched, log } = slow();
  const kept = store();
  const lock = { store: kept, whenUnreachable: 'refuse' } as const;
  await Promise.all(
    ['1', '2', '3'].map((last) => carryOut(watched, order(watched, `203.0.113.${last}`, { lock }), by(last))),
  );
  const owners = log.map((line) => line.split(' ')[0]);
  expect(owners.filter((owner, index) => owner !== owners[index - 1])).toHaveLength(3);
  expect(await kept.read('lock/dns/memory dns/kua.cl')).toBeUndefined();
});

it('another n8n that holds the lock is waited for, and named when the time is up or the execution is stopped', async () => {
  const { watched, log } = slow();
  const kept = store();
  await kept.create('lock/dns/memory dns/kua.cl', { holder: 'execution 9', since: '2026-01-31T02:00:00.000Z' });
  const stop = new AbortController();
  const waiting: Task = { signal: stop.signal, owner: 'us', progress: () => stop.abort() };
  const lock = { store: kept, whenUnreachable: 'refuse' } as const;
  expect((await failureOf(carryOut(watched, order(watched, '203.0.113.1', { lock }), waiting))).code).toBe('cancelled');
  expect(log).toEqual([]);
});

describe('when the state cannot be reached', () => {
  const gone = () =>
    Promise.reject(
      new SomeFailure({ code: 'database_unreachable', subject: 'db', message: 'No way to the database', nextStep: '' }),
    );
  const dead: StateStore = { ...store(), place: 'state in database n8n', read: gone, create: gone };

  it('nothing is written', async () => {
    const { watched, log } = slow();
    const lock = { store: dead, whenUnreachable: 'refuse' } as const;
    const failure = await failureOf(carryOut(watched, order(watched, '203.0.113.1', { lock }), by('us')));
    expect([failure.code, log]).toEqual(['database_unreachable', []]);
  });

  it('a failover goes on, and says so', async () => {
    const { watched } = slow();
    const lock = { store: dead, whenUnreachable: 'go on' } as const;
    const { report, warnings } = await carryOut(watched, order(watched, '203.0.113.1', { lock }), by('us'));
    expect([report?.changed, warnings]).toEqual([
      true,
      ['The zone kua.cl at Memory DNS was not locked for other workers: No way to the database'],
    ]);
  });
});

it('a lock that is lost between two writes ends the apply, which says what was done', async () => {
  const { provider, watched } = slow({ ...CLOUDFLARE_LIKE, batch: { most: 1, of: 'zone', atomic: true } });
  const names = ['a', 'b', 'c'].map((name) => ({ name, type: 'A', content: '203.0.113.1' }));
  const desired = parseDesiredRecords(names, ZONE);
  const plan = await makePlan(watched, { zone: ZONE, desired, owner: 'n8n', mode: 'full-sync' }, by('us'));
  const lost = new SomeFailure({ code: 'lease_lost', subject: 'zone', message: 'The lock was lost', nextStep: '' });
  const beforeWrite = () => {
    if (provider.writes.length === 1) throw lost;
  };
  const failure = await failureOf(applyPlan(watched, plan, by('us'), { beforeWrite }));
  expect(failure).toMatchObject({
    code: 'dns_partly_applied',
    details: { outcomes: [{ outcome: 'done' }, { outcome: 'not done', reason: 'The lock was lost' }, {}] },
  });
  expect(provider.writes).toHaveLength(1);
});

describe('what undo needs', () => {
  const lockOf = (of: StateStore) => ({ store: of, whenUnreachable: 'refuse' }) as const;
  const at = { provider: 'Memory DNS', zone: ZONE };

  it('is kept before the first write, so that an apply that was killed can be taken back', async () => {
    const { provider, watched } = slow();
    const kept = store();
    await carryOut(watched, order(watched, '203.0.113.1', { lock: lockOf(kept) }), by('us'));
    provider.meddle((records) => [...records, { ...records[0]!, id: 'x', name: 'hand.kua.cl', comment: 'by hand' }]);
    const before = writeZoneFile(ZONE, provider.records());
    // Done at the provider, and then nothing more is heard of whoever did it.
    provider.fault = { kind: 'crash', atWrite: 2, when: 'after' };
    await failureOf(carryOut(watched, order(watched, '203.0.113.2', { lock: lockOf(kept) }), by('killed')));
    provider.fault = undefined;
    expect(writeZoneFile(ZONE, provider.records())).not.toBe(before);

    const undo = await lastUndo(kept, at);
    // Nothing but what that apply was to touch.
    expect(undo.export).toBe('$ORIGIN kua.cl.\nwww.kua.cl.\t1\tIN\tA\t203.0.113.1 ; managed-by=selfhost owner=n8n\n');
    await applyPlan(watched, planUndo({ undo, provider, observed: provider.records() }), by('us'));
    expect(writeZoneFile(ZONE, provider.records())).toBe(before);
  });

  it('that cannot be kept is said, and returned all the same', async () => {
    const { watched } = slow();
    const full: StateStore = { ...store(), update: () => Promise.reject(new Error('the disk is full')) };
    const { report, warnings } = await carryOut(
      watched,
      order(watched, '203.0.113.1', { lock: lockOf(full) }),
      by('us'),
    );
    expect([report?.changed, report?.undo.touched, warnings]).toEqual([
      true,
      ['www.kua.cl A'],
      ['What Undo needs is not kept in the state: the disk is full'],
    ]);
  });

  it('is not there for a zone that nobody has applied anything to', async () => {
    expect(await failureOf(lastUndo(store(), at))).toMatchObject({
      code: 'dns_no_undo',
      message: 'There is nothing to undo in kua.cl: the state knows of no apply in the last 30 days',
    });
  });
});
