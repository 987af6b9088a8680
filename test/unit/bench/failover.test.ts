import { accountOf, parseLedger } from '../../../bench/failover/account';
import { percentile, renderReport } from '../../../bench/failover/report';
import type { Trial } from '../../../bench/failover/results';

const roles = { old: 'bruno', now: 'eva' };

describe('the account of a trial', () => {
  const told = parseLedger(
    [
      'client-0-0 bruno 0 10',
      'client-0-1 bruno 10 20',
      // A probe that knows one address is no client of the endpoint, and closes no gap.
      'probe-0-1-0 eva 990 1000',
      'client-0-2 eva 1010 1020',
      'client-0-3 eva 1020 1030',
      '',
    ].join('\n'),
  );

  it('finds nothing wrong where all that was acknowledged is there', () => {
    const there = new Set(told.map(({ id }) => id));
    expect(accountOf(told, there, roles)).toEqual({ acknowledged: 5, missing: 0, overlapping: 0, gapMs: 1000 });
  });

  it('counts what is gone, and what the old primary took after the new one had begun', () => {
    const late = parseLedger('probe-1-0-9 bruno 1001 1002\n');
    expect(accountOf([...told, ...late], new Set(['client-0-0']), roles)).toMatchObject({
      acknowledged: 6,
      missing: 5,
      overlapping: 1,
    });
  });
});

describe('the page of a run', () => {
  const trial: Trial = {
    ...{ at: '2026-01-01T00:00:00.000Z', commit: 'abc', section: 'faults', system: 'ours', load: 1, wrong: [] },
    ...{ fault: 'kill -9 of the postmaster', gapMs: 1_500, writableMs: 1_600, acknowledged: 100 },
    ...{ missing: 0, overlapping: 0, warned: 0, inDoubt: 1, rejoin: { method: 'rewound', ms: 2_000 } },
  };
  const page = (trials: readonly Trial[]) => renderReport({ trials, broken: [] }, [], new Date(0));

  it('says that a bar is kept, and that it is not', () => {
    const slow = { ...trial, fault: 'host loss, default: waits', gapMs: 19_000, powerOffMs: 14_000 };
    expect(page([trial])).toContain('| p95 <= 2 s | yes |');
    expect(page([{ ...trial, writableMs: 2_001 }])).toContain('| p95 <= 2 s | **no** |');
    expect(page([slow])).toContain('| power-off + 4 s | **no** |');
    expect(page([{ ...trial, wrong: ['no failover within 45 s'] }])).toContain('| p95 <= 2 s | **no** |');
    expect(page([{ ...trial, missing: 1 }])).toContain('| p95 <= 2 s | **no** |');
  });

  it('leaves no broken trial out', () => {
    const broken = { at: 'then', section: 'faults', system: 'ours', fault: 'frozen host', why: 'no answer' };
    const text = renderReport({ trials: [trial], broken: [broken] }, ['the machine was shared'], new Date(0));
    expect(text).toContain('- 1 trials broke');
    expect(text).toContain('- then, ours, frozen host: no answer');
    expect(text).toContain('- the machine was shared');
  });

  it('takes the nearest rank for a percentile', () => {
    expect([0.5, 0.95, 1].map((share) => percentile([5, 1, 4, 2, 3], share))).toEqual([3, 5, 5]);
    expect(percentile([], 0.5)).toBe(0);
  });
});
