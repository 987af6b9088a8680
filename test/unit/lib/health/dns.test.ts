import { startDnsServer, type LabDnsServer } from '../../../../lab/dns-server';
import { servedRecords } from '../../../../lab/served-records';
import { observedRecord } from '../../../../lib/dns/observed';
import { lookAtDns, type DnsTarget } from '../../../../lib/health/probes/dns';
import { quietTask } from '../../../shared/task';

let server: LabDnsServer;

beforeAll(async () => {
  const fields = { id: '1', name: 'git.example.cl', type: 'A', content: '203.0.113.7', ttl: 60, form: 'api' } as const;
  const records = [observedRecord(fields, 'example.cl')];
  server = await startDnsServer({ records: () => servedRecords(records, '192.0.2.99') });
});
afterAll(() => server.stop());

const at = (changes: Partial<DnsTarget> = {}) =>
  lookAtDns(
    {
      name: 'git.example.cl',
      type: 'A',
      server: { address: server.address, kind: 'resolver' },
      deadlineMs: 2_000,
      ...changes,
    },
    quietTask(),
  );

test('a name that answers as it should is well', async () => {
  const well = { outcome: 'ok', says: 'it answers 203.0.113.7' };
  expect(await at()).toMatchObject(well);
  expect(await at({ expected: ['203.0.113.7'] })).toMatchObject(well);
});

test('another answer, none, no such name and no server are wrong, each in its own words', async () => {
  expect(await at({ expected: ['203.0.113.8'] })).toEqual({
    outcome: 'wrong',
    says: 'it answers 203.0.113.7, not 203.0.113.8',
  });
  expect(await at({ type: 'TXT' })).toEqual({ outcome: 'wrong', says: 'the name has no TXT record' });
  expect(await at({ name: 'gone.example.cl' })).toEqual({ outcome: 'wrong', says: 'the name does not exist' });
  expect(await at({ server: { address: '127.0.0.1:1', kind: 'resolver' } })).toEqual({
    outcome: 'wrong',
    says: 'nothing listens there',
  });
});
