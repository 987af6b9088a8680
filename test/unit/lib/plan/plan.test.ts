import fc from 'fast-check';
import { isFailure, type Failure } from '../../../../lib/failure';
import type { Json } from '../../../../lib/json';
import { makePlan, refuseDrift, verifyPlan, type Plan, type PlanContent } from '../../../../lib/plan/plan';

const key = 'a key that only the applier has';
const now = Date.parse('2026-01-31T02:00:00.000Z');
const applier = { engine: 'dns', engineVersion: '1', now };

const content: PlanContent = {
  engine: 'dns',
  engineVersion: '1',
  target: 'zone kua.cl at Cloudflare',
  desired: { records: [{ name: 'a', ttl: 60 }] },
  observed: { records: [{ name: 'a', ttl: 300 }] },
  changes: [{ action: 'update', name: 'a' }],
  expiresAt: '2026-01-31T03:00:00.000Z',
};

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
  throw new Error('It passed');
}

test('a plan that went through JSON, with its fields in any order, is verified and comes back whole', () => {
  const plan = makePlan(content, key);
  expect(plan).toEqual({ schema: 1, ...content, hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  const travelled: unknown = JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(plan).reverse())));
  expect(verifyPlan(travelled, key, applier)).toEqual(plan);
});

test('the hash is HMAC-SHA256 over the canonical text, as another language computes it too', () => {
  expect(makePlan(content, key).hash).toBe('d1cfbeeee825190ac23ca94f50597700aaea74c1c1d45185868b8487190ea947');
});

test('a change of anything in a plan is noticed', () => {
  const plan = makePlan(content, key);
  const changed: Partial<Plan>[] = [
    { target: 'zone other' },
    { desired: { records: [{ name: 'a', ttl: 61 }] } },
    { observed: { records: [] } },
    { changes: [] },
    { expiresAt: '2027-01-31T03:00:00.000Z' },
    { engine: 'docker' },
    { engineVersion: '2' },
    { hash: '0'.repeat(64) },
  ];
  for (const change of changed) {
    expect(failureOf(() => verifyPlan({ ...plan, ...change }, key, applier)).code).toBe('plan_tampered');
  }
  expect(failureOf(() => verifyPlan(plan, `${key}.`, applier)).code).toBe('plan_tampered');
});

test('any two different contents have different hashes', () => {
  const value = fc.jsonValue().map((one) => JSON.parse(JSON.stringify(one)) as Json);
  fc.assert(
    fc.property(value, value, (desired, other) => {
      const same = makePlan({ ...content, desired }, key).hash === makePlan({ ...content, desired: other }, key).hash;
      let equal = true;
      try {
        expect(desired).toEqual(other);
      } catch {
        equal = false;
      }
      expect(same).toBe(equal);
    }),
  );
});

test('later changes to what a plan was made from do not reach into it', () => {
  const changes: Json[] = [{ action: 'update' }];
  const plan = makePlan({ ...content, changes }, key);
  changes.push({ action: 'delete' });
  expect(verifyPlan(plan, key, applier).changes).toEqual([{ action: 'update' }]);
});

test('a plan ends at its time, not before', () => {
  const plan = makePlan(content, key);
  const end = Date.parse(content.expiresAt);
  expect(verifyPlan(plan, key, { ...applier, now: end - 1 })).toEqual(plan);
  expect(failureOf(() => verifyPlan(plan, key, { ...applier, now: end }))).toMatchObject({
    code: 'plan_expired',
    message: 'The plan for zone kua.cl at Cloudflare expired at 2026-01-31T03:00:00.000Z',
  });
});

test('a plan of another engine or version is refused', () => {
  const plan = makePlan(content, key);
  expect(failureOf(() => verifyPlan(plan, key, { ...applier, engineVersion: '2' }))).toMatchObject({
    code: 'plan_engine_mismatch',
    message: 'The plan for zone kua.cl at Cloudflare was made by dns 1, and this is dns 2',
  });
  expect(failureOf(() => verifyPlan(plan, key, { ...applier, engine: 'docker' })).code).toBe('plan_engine_mismatch');
});

test('what is not a plan is refused, a newer one by its own name', () => {
  const plan = makePlan(content, key);
  const { hash, ...unsigned } = plan;
  for (const value of [
    undefined,
    null,
    'plan',
    [],
    {},
    unsigned,
    { ...plan, hash: hash.toUpperCase() },
    { ...plan, schema: '1' },
    { ...plan, changes: {} },
    { ...plan, expiresAt: 'tomorrow' },
    { ...plan, expiresAt: '2026-02-30T00:00:00.000Z' },
    { ...plan, extra: true },
  ]) {
    expect(failureOf(() => verifyPlan(value, key, applier)).code).toBe('plan_unreadable');
  }
  expect(failureOf(() => verifyPlan({ ...plan, schema: 2 }, key, applier)).code).toBe('plan_newer_schema');
});

test('a short key is refused', () => {
  expect(failureOf(() => makePlan(content, 'short')).code).toBe('plan_key_weak');
});

test('what cannot be in a plan is refused when it is made', () => {
  expect(failureOf(() => makePlan({ ...content, desired: { ttl: Number.NaN } }, key)).code).toBe('not_json');
  expect(failureOf(() => makePlan({ ...content, expiresAt: 'soon' }, key)).code).toBe('plan_unreadable');
});

test('drift is refused with every difference; the same world in another order is no drift', () => {
  const plan = makePlan({ ...content, observed: { a: 1, b: [1, 2], c: 'x', d: null } }, key);
  refuseDrift(plan, { d: null, c: 'x', b: [1, 2], a: 1 });
  expect(failureOf(() => refuseDrift(plan, { a: 2, b: [1], c: 'y', e: true }))).toMatchObject({
    code: 'plan_drifted',
    message:
      'zone kua.cl at Cloudflare has changed since the plan was made: /a was 1 and is 2; /b/1 was 2 and is nothing; ' +
      '/c was "x" and is "y"; and 2 more',
    details: {
      differences: [
        { path: '/a', before: 1, after: 2 },
        { path: '/b/1', before: 2 },
        { path: '/c', before: 'x', after: 'y' },
        { path: '/d', before: null },
        { path: '/e', after: true },
      ],
    },
  });
});
