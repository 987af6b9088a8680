import { applyPlan } from '../../../../lib/dns/apply';
import { describeChange } from '../../../../lib/dns/change';
import { parseDesiredRecords } from '../../../../lib/dns/desired';
import { observedRecord } from '../../../../lib/dns/observed';
import { changesOf, planZone, type PlanRequest } from '../../../../lib/dns/plan';
import type { Capabilities, ZoneWrite } from '../../../../lib/dns/provider';
import { fieldsOf } from '../../../../lib/dns/change';
import type { RecordFields } from '../../../../lib/dns/record';
import { planUndo, type UndoPoint } from '../../../../lib/dns/undo';
import { writeZoneFile } from '../../../../lib/dns/zone-file-write';
import { CLOUDFLARE_LIKE, HETZNER_LIKE, memoryDns, PLAIN, type MemoryDns } from '../../../shared/memory-dns';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const ZONE = 'kua.cl';
const OURS = 'managed-by=selfhost owner=n8n';
const task = quietTask();

function there(name: string, type: string, content: string, comment = OURS): RecordFields {
  return fieldsOf(
    observedRecord(
      { id: '', name: name === '@' ? ZONE : `${name}.${ZONE}`, type, content, ttl: 300, comment, form: 'api' },
      ZONE,
    ),
  );
}

function plan(provider: MemoryDns, desired: unknown[], more: Partial<PlanRequest> = {}) {
  return planZone({
    zone: ZONE,
    provider,
    desired: parseDesiredRecords(desired, ZONE),
    observed: provider.records(),
    owner: 'n8n',
    mode: 'full-sync',
    allowEmpty: true,
    limits: { share: 1 },
    ...more,
  });
}
const a = (name: string, content = '203.0.113.1') => ({ name, type: 'A', content });
const writes = (provider: MemoryDns) => provider.writes.map(({ changes }) => changes.map(describeChange));
const contents = (provider: MemoryDns) => writeZoneFile(ZONE, provider.records()).split('\n').slice(1, -1);

it('carries a plan out in one write, and returns what is needed to take it back', async () => {
  const provider = memoryDns(CLOUDFLARE_LIKE, [
    there('old', 'A', '192.0.2.1'),
    there('www', 'A', '192.0.2.2'),
    there('hand', 'A', '192.0.2.3', 'by hand'),
  ]);
  const before = writeZoneFile(ZONE, provider.records());
  const report = await applyPlan(provider, plan(provider, [a('www'), a('new')]), task);
  expect(writes(provider)).toEqual([
    [
      'creation of the record new.kua.cl A 203.0.113.1',
      'deletion of the record old.kua.cl A 192.0.2.1',
      'update of the record www.kua.cl A (content)',
    ],
  ]);
  expect({ ...report, outcomes: report.outcomes.map(({ outcome }) => outcome) }).toEqual({
    zone: ZONE,
    changed: true,
    writes: 1,
    outcomes: ['done', 'done', 'done'],
    undo: {
      zone: ZONE,
      provider: 'Memory DNS',
      owner: 'n8n',
      export: before,
      touched: ['new.kua.cl A', 'old.kua.cl A', 'www.kua.cl A'],
      ignore: [],
    },
  });
});

it('writes nothing when there is nothing to do', async () => {
  const provider = memoryDns(CLOUDFLARE_LIKE, [there('www', 'A', '203.0.113.1')]);
  expect(await applyPlan(provider, plan(provider, [a('www')]), task)).toMatchObject({ changed: false, writes: 0 });
  expect(provider.writes).toEqual([]);
});

it('syncs a zone of 1,000 records with one changed record in one write of one change', async () => {
  const names = Array.from({ length: 1000 }, (_, index) => `n${index}`);
  const provider = memoryDns(
    CLOUDFLARE_LIKE,
    names.map((name) => there(name, 'A', name === 'n500' ? '192.0.2.1' : '203.0.113.1')),
  );
  const began = process.cpuUsage();
  const made = plan(
    provider,
    names.map((name) => a(name)),
  );
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1000).toBeLessThan(400);
  await applyPlan(provider, made, task);
  expect(writes(provider)).toEqual([['update of the record n500.kua.cl A (content)']]);
});

it('refuses a zone that has drifted, with the differences, before anything is written', async () => {
  const provider = memoryDns(CLOUDFLARE_LIKE, [there('www', 'A', '192.0.2.1'), there('old', 'A', '192.0.2.1')]);
  const made = plan(provider, [a('www')]);
  provider.meddle((records) => [
    ...records.filter(({ name }) => name !== 'old.kua.cl').map((record) => ({ ...record, ttl: 60 })),
    there('new', 'A', '192.0.2.9'),
  ]);
  const failure = await failureOf(applyPlan(provider, made, task));
  expect(failure).toMatchObject({
    code: 'dns_drift',
    message:
      'The zone kua.cl is no longer as it was when the plan was made: the record old.kua.cl A 192.0.2.1 has vanished, and in 2 more records',
    details: {
      differences: [
        { kind: 'vanished', record: 'record old.kua.cl A' },
        { kind: 'changed', record: 'record www.kua.cl A', fields: ['ttl'], before: { ttl: 300 }, after: { ttl: 60 } },
        { kind: 'appeared', record: 'record new.kua.cl A', content: '192.0.2.9' },
      ],
    },
  });
  expect(provider.writes).toEqual([]);
});

it('does not mind drift in what the plan ignores', async () => {
  const provider = memoryDns(CLOUDFLARE_LIKE, []);
  const made = plan(provider, [a('www')], { ignore: ['_acme-challenge.*'] });
  provider.meddle((records) => [...records, there('_acme-challenge.www', 'TXT', 'token', '')]);
  expect(await applyPlan(provider, made, task)).toMatchObject({ changed: true });
});

it('refuses a plan that was changed, or made for another provider or version', async () => {
  const provider = memoryDns(CLOUDFLARE_LIKE, []);
  const made = plan(provider, [a('www')]);
  const refused = async (altered: object) =>
    (await failureOf(applyPlan(provider, { ...made, ...altered }, task))).message;
  expect(await refused({ create: [] })).toBe('The plan for kua.cl was changed after it was made');
  expect(await refused({ provider: 'Hetzner' })).toBe('The plan for kua.cl was made for Hetzner, not for Memory DNS');
  expect(await refused({ version: 2 })).toBe('The plan for kua.cl was made by another version of this pack');
  const sent = JSON.parse(JSON.stringify(made)) as typeof made;
  expect(await applyPlan(provider, sent, task)).toMatchObject({ changed: true });
});

it('keeps the changes of a name in one batch, and no batch larger than the limit', async () => {
  const small: Capabilities = { ...CLOUDFLARE_LIKE, batch: { most: 3, of: 'zone', atomic: true } };
  const provider = memoryDns(small, [there('b', 'CNAME', 'x.example.com'), there('c', 'A', '192.0.2.1')]);
  await applyPlan(provider, plan(provider, [a('a'), a('b'), a('b', '203.0.113.2'), a('c')]), task);
  expect(writes(provider)).toEqual([
    ['creation of the record a.kua.cl A 203.0.113.1'],
    [
      'deletion of the record b.kua.cl CNAME x.example.com.',
      'creation of the record b.kua.cl A 203.0.113.1',
      'creation of the record b.kua.cl A 203.0.113.2',
    ],
    ['update of the record c.kua.cl A (content)'],
  ]);
});

it('hands over whole record sets to a provider that has them, with the records of others in them', async () => {
  const provider = memoryDns(HETZNER_LIKE, [there('www', 'TXT', 'hand', 'by hand'), there('www', 'TXT', 'old')]);
  await applyPlan(provider, plan(provider, [{ name: 'www', type: 'TXT', content: 'new' }]), task);
  expect(
    provider.writes.map(({ sets }) =>
      sets.map(({ name, type, after }) => [name, type, after.map(({ value }) => value.data)]),
    ),
  ).toEqual([[['www.kua.cl', 'TXT', [{ text: 'hand' }, { text: 'new' }]]]]);
});

it('claims a record before it is made, and gives the claim up after it is gone', async () => {
  const provider = memoryDns(PLAIN, []);
  const txt = { name: 'www', type: 'TXT', content: 'one', ttl: 300 };
  await applyPlan(provider, plan(provider, [txt]), task);
  await applyPlan(provider, plan(provider, [{ ...txt, content: 'two' }]), task);
  await applyPlan(provider, plan(provider, []), task);
  expect(
    provider.writes.map(({ changes: [change] }) => [
      change?.kind,
      change === undefined ? '' : describeChange(change).split(' ')[4],
    ]),
  ).toEqual([
    ['create', '_selfhost.www.kua.cl'],
    ['create', 'www.kua.cl'],
    ['create', '_selfhost.www.kua.cl'],
    ['update', 'www.kua.cl'],
    ['delete', '_selfhost.www.kua.cl'],
    ['delete', 'www.kua.cl'],
    ['delete', '_selfhost.www.kua.cl'],
  ]);
  expect(provider.records()).toEqual([]);
});

describe('when the provider says no', () => {
  const touches = (name: string) => (write: ZoneWrite) =>
    write.changes.some((change) => describeChange(change).includes(` ${name}.kua.cl `));

  it('sends the parts of a refused batch one by one, and reports exactly what became of each', async () => {
    const provider = memoryDns(CLOUDFLARE_LIKE, [there('b', 'CNAME', 'x.example.com')]);
    provider.fault = { kind: 'refuse', refuses: touches('b') };
    const failure = await failureOf(applyPlan(provider, plan(provider, [a('a'), a('b'), a('c')]), task));
    expect(failure).toMatchObject({
      code: 'dns_partly_applied',
      message:
        '2 of 4 changes were made in kua.cl; the deletion of the record b.kua.cl CNAME x.example.com. was refused: The write was refused: it does not like it',
      details: {
        outcomes: [
          { change: 'creation of the record a.kua.cl A 203.0.113.1', outcome: 'done' },
          { change: 'deletion of the record b.kua.cl CNAME x.example.com.', outcome: 'refused' },
          { change: 'creation of the record b.kua.cl A 203.0.113.1', outcome: 'refused' },
          { change: 'creation of the record c.kua.cl A 203.0.113.1', outcome: 'done' },
        ],
      },
    });
    // The name keeps what it had: its replacement was refused as a whole.
    expect(contents(provider)).toEqual([
      'a.kua.cl.\t1\tIN\tA\t203.0.113.1 ; managed-by=selfhost owner=n8n',
      'b.kua.cl.\t300\tIN\tCNAME\tx.example.com. ; managed-by=selfhost owner=n8n',
      'c.kua.cl.\t1\tIN\tA\t203.0.113.1 ; managed-by=selfhost owner=n8n',
    ]);
    const undo = failure.details.undo as unknown as UndoPoint;
    provider.fault = undefined;
    await applyPlan(provider, planUndo({ undo, provider, observed: provider.records() }), task);
    expect(contents(provider)).toEqual(['b.kua.cl.\t300\tIN\tCNAME\tx.example.com. ; managed-by=selfhost owner=n8n']);
  });

  it('does not make a record whose claim was refused', async () => {
    const provider = memoryDns(PLAIN, []);
    provider.fault = { kind: 'refuse', refuses: touches('_selfhost.www') };
    const { details } = await failureOf(applyPlan(provider, plan(provider, [{ ...a('www'), ttl: 300 }]), task));
    expect(details.outcomes).toMatchObject([{ outcome: 'refused' }, { outcome: 'skipped' }]);
    expect(provider.records()).toEqual([]);
  });
});

describe('when something breaks on the way', () => {
  it.each([
    ['before', 'not done'],
    ['after', 'done'],
  ] as const)('looks at the zone to say whether a write that broke %s it was done', async (when, outcome) => {
    const small: Capabilities = { ...CLOUDFLARE_LIKE, batch: { most: 1, of: 'zone', atomic: true } };
    const provider = memoryDns(small, []);
    provider.fault = { kind: 'crash', atWrite: 2, when };
    const { code, details } = await failureOf(applyPlan(provider, plan(provider, [a('a'), a('b'), a('c')]), task));
    expect(code).toBe('dns_partly_applied');
    expect(details.outcomes).toMatchObject([{ outcome: 'done' }, { outcome }, { outcome: 'not done' }]);
  });

  it('keeps the undo point before the first write, and writes nothing when that fails', async () => {
    const provider = memoryDns(CLOUDFLARE_LIKE, []);
    const kept: [number, string][] = [];
    const made = plan(provider, [a('www')]);
    const keep = async (undo: UndoPoint) => void kept.push([provider.writes.length, undo.export]);
    await expect(
      applyPlan(provider, made, task, { keep: () => Promise.reject(new Error('disk full')) }),
    ).rejects.toThrow('disk full');
    expect(provider.writes).toEqual([]);
    await applyPlan(provider, made, task, { keep });
    expect(kept).toEqual([[0, '$ORIGIN kua.cl.\n']]);
  });

  it('hears Stop between two writes', async () => {
    const stop = new AbortController();
    const small: Capabilities = { ...CLOUDFLARE_LIKE, batch: { most: 1, of: 'zone', atomic: true } };
    const provider = memoryDns(small, []);
    const stopping = { ...quietTask(stop.signal), progress: () => stop.abort() };
    const failure = await failureOf(applyPlan(provider, plan(provider, [a('a'), a('b')]), stopping));
    expect(failure.details.outcomes).toMatchObject([{ outcome: 'done' }, { outcome: 'not done' }]);
    expect(provider.writes).toHaveLength(1);
  });

  it('does not believe a provider that accepts a write and does not do it', async () => {
    const provider = memoryDns(CLOUDFLARE_LIKE, []);
    const lying = { ...provider, write: () => Promise.resolve(1) };
    const { message } = await failureOf(applyPlan(lying, plan(provider, [a('www')]), task));
    expect(message).toBe(
      '0 of 1 changes were made in kua.cl; the creation of the record www.kua.cl A 203.0.113.1 was not done: Memory DNS accepted it, but does not show it',
    );
  });
});

describe('undo', () => {
  it('takes back what the apply did, and nothing that others have done since', async () => {
    const provider = memoryDns(CLOUDFLARE_LIKE, [
      there('www', 'A', '192.0.2.1', 'by Terraform'),
      there('x', 'A', '192.0.2.2', ''),
    ]);
    const { undo } = await applyPlan(provider, plan(provider, [a('www'), a('new')], { change: ['www'] }), task);
    provider.meddle((records) => [
      ...records.map((record) => (record.name === 'x.kua.cl' ? { ...record, ttl: 60 } : record)),
      there('new', 'A', '192.0.2.7', 'by hand'),
    ]);
    const back = planUndo({ undo, provider, observed: provider.records() });
    expect(changesOf(back).map(describeChange)).toEqual([
      'deletion of the record new.kua.cl A 203.0.113.1',
      'update of the record www.kua.cl A (content)',
    ]);
    await applyPlan(provider, back, task);
    expect(contents(provider)).toEqual([
      'new.kua.cl.\t300\tIN\tA\t192.0.2.7 ; by hand',
      'www.kua.cl.\t300\tIN\tA\t192.0.2.1 ; by Terraform',
      'x.kua.cl.\t60\tIN\tA\t192.0.2.2',
    ]);
  });

  it('from a whole export restores what is ours, and only warns about the rest', () => {
    const provider = memoryDns(CLOUDFLARE_LIKE, [
      there('ours', 'A', '192.0.2.1'),
      there('hand', 'A', '192.0.2.2', 'by hand'),
    ]);
    const zoneFile = `ours 300 A 192.0.2.9 ; ${OURS}\nhand 300 A 192.0.2.9 ; by hand\n`;
    const back = planUndo({
      undo: { zone: ZONE, owner: 'n8n', export: zoneFile },
      provider,
      observed: provider.records(),
    });
    expect(changesOf(back).map(describeChange)).toEqual(['update of the record ours.kua.cl A (content)']);
    expect(back.warnings).toEqual(['record hand.kua.cl A 192.0.2.2 is not ours, differs from the export, and stays']);
  });
});
