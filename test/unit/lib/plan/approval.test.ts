import { makeMemory, memoryState, type Memory } from '../../../../lab/memory-state';
import { isFailure } from '../../../../lib/failure';
import { burnApproval, issueApproval } from '../../../../lib/plan/approval';
import { makePlan } from '../../../../lib/plan/plan';
import { quietTask } from '../../../shared/task';

const key = 'a key that only the applier has';
const now = Date.parse('2026-01-31T02:00:00.000Z');
const expiresAt = '2026-01-31T03:00:00.000Z';
const content = { engine: 'dns', engineVersion: '1', desired: 1, observed: 0, changes: [], expiresAt };
const plan = makePlan({ ...content, target: 'zone kua.cl' }, key);
const otherPlan = makePlan({ ...content, target: 'zone other' }, key);

let memory: Memory;
beforeEach(() => {
  memory = makeMemory(() => now);
});
const open = () => memoryState(memory, quietTask());
const issue = () => issueApproval(open(), plan, { approver: 'daniel', expiresAt, now });

test('an approval is burnt once, and says who approved and who used it', async () => {
  const token = await issue();
  expect(await burnApproval(open(), token, plan, { by: 'execution 7', now: now + 1000 })).toEqual({
    planHash: plan.hash,
    target: 'zone kua.cl',
    approver: 'daniel',
    issuedAt: '2026-01-31T02:00:00.000Z',
    expiresAt,
    used: { by: 'execution 7', at: '2026-01-31T02:00:01.000Z' },
  });
  await expect(burnApproval(open(), token, plan, { by: 'execution 8', now: now + 2000 })).rejects.toMatchObject({
    code: 'approval_used',
    message:
      'The approval by daniel for the plan for zone kua.cl was already used by execution 7 at 2026-01-31T02:00:01.000Z',
    details: { approver: 'daniel', by: 'execution 7', at: '2026-01-31T02:00:01.000Z' },
  });
});

test('of 50 executions at once exactly one may apply, and the others hear which one', async () => {
  const token = await issue();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) => burnApproval(open(), token, plan, { by: `execution ${index}`, now })),
  );
  const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.used?.by] : []));
  expect(winners).toHaveLength(1);
  const losers = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  expect(losers).toHaveLength(49);
  for (const loser of losers) {
    expect(isFailure(loser, 'approval_used') && loser.details.by).toBe(winners[0]);
  }
});

test('an approval of one plan does not allow another, and is not used up by the attempt', async () => {
  const token = await issue();
  await expect(burnApproval(open(), token, otherPlan, { by: 'x', now })).rejects.toMatchObject({
    code: 'approval_for_other_plan',
  });
  expect((await burnApproval(open(), token, plan, { by: 'x', now })).used?.by).toBe('x');
});

test('an approval ends at its time', async () => {
  const token = await issue();
  const end = Date.parse(expiresAt);
  await expect(burnApproval(open(), token, plan, { by: 'x', now: end })).rejects.toMatchObject({
    code: 'approval_expired',
    details: { expiresAt },
  });
  expect((await burnApproval(open(), token, plan, { by: 'x', now: end - 1 })).used?.by).toBe('x');
});

test('a token that was never issued allows nothing', async () => {
  await issue();
  for (const token of ['', 'guess', 'approval/', '../..']) {
    await expect(burnApproval(open(), token, plan, { by: 'x', now })).rejects.toMatchObject({
      code: 'approval_unknown',
    });
  }
});

test('what is stored does not hold the token, and no failure does', async () => {
  const token = await issue();
  expect(JSON.stringify([...memory.entries])).not.toContain(token);
  const failure: unknown = await burnApproval(open(), token, otherPlan, { by: 'x', now }).catch(
    (error: unknown) => error,
  );
  expect(
    isFailure(failure) && JSON.stringify([failure.message, failure.nextStep, failure.subject, failure.details]),
  ).not.toContain(token);
});

test('an approval without an approver, or without a time to come, is not issued', async () => {
  const attempts = [
    { approver: ' ', expiresAt, now },
    { approver: 'daniel', expiresAt: 'tomorrow', now },
    { approver: 'daniel', expiresAt, now: Date.parse(expiresAt) },
  ];
  for (const attempt of attempts) {
    await expect(issueApproval(open(), plan, attempt)).rejects.toMatchObject({ code: 'approval_invalid' });
  }
  expect(memory.entries.size).toBe(0);
});

test('a stored approval that cannot be read allows nothing', async () => {
  const token = await issue();
  for (const [at, kept] of memory.entries) {
    memory.entries.set(at, { ...kept, document: { ...kept.document, value: { planHash: plan.hash } } });
  }
  await expect(burnApproval(open(), token, plan, { by: 'x', now })).rejects.toMatchObject({ code: 'approval_invalid' });
});
