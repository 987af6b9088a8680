import { startDnsServer, type LabDnsServer, type ServedRecord } from '../../../../lab/dns-server';
import { servedRecords } from '../../../../lab/served-records';
import {
  askServers,
  authoritativeServers,
  compareAnswers,
  expectedValues,
  type AskedType,
  type DnsServer,
} from '../../../../lib/dns/lookup';
import { observedRecord } from '../../../../lib/dns/observed';
import type { ObservedRecord } from '../../../../lib/dns/record';
import { waitUntilAnswered } from '../../../../lib/dns/wait';
import { quietTask } from '../../../shared/task';

const ZONE = 'example.cl';
let records: ObservedRecord[];
let extra: ServedRecord[];
let server: LabDnsServer;
let resolver: DnsServer;

const record = (name: string, type: string, content: string, more: { proxied?: boolean } = {}) =>
  observedRecord({ id: `${name} ${type} ${content}`, name, type, content, ttl: 60, form: 'api', ...more }, ZONE);

beforeEach(async () => {
  records = [];
  extra = [];
  server = await startDnsServer({ records: () => [...servedRecords(records, '192.0.2.99'), ...extra] });
  resolver = { address: server.address, kind: 'resolver' };
});
afterEach(() => server.stop());

const ask = async (name: string, type: AskedType) =>
  (await askServers(name, type, [resolver], quietTask())).map(({ answer }) => answer);

it('asks for every type that can be asked for, and writes answers as records are written', async () => {
  const pairs: readonly (readonly [AskedType, string])[] = [
    ['A', '203.0.113.7'],
    ['AAAA', '2001:db8::7'],
    ['CAA', '128 issue "letsencrypt.org; x=1"'],
    ['CNAME', 'target.example.net'],
    ['MX', '10 mail.example.cl'],
    ['NAPTR', '10 20 "S" "SIP+D2U" "" _sip._udp.example.cl.'],
    ['NS', 'ns1.example.net'],
    ['PTR', 'host.example.cl'],
    ['SRV', '1 2 5060 sip.example.cl'],
    ['TXT', 'v=spf1 -all; "quoted" ñ'],
  ];
  for (const [type, content] of pairs) {
    records = [record(`x.${ZONE}`, type, content)];
    expect(await ask(`x.${ZONE}`, type)).toEqual([{ outcome: 'answered', values: expectedValues(records) }]);
  }
});

it('tells an empty answer, a missing name, a server that is not there and a silent one apart', async () => {
  records = [record(`www.${ZONE}`, 'A', '203.0.113.7')];
  expect(await ask(`www.${ZONE}`, 'AAAA')).toEqual([{ outcome: 'empty' }]);
  expect(await ask(`nobody.${ZONE}`, 'A')).toEqual([{ outcome: 'missing' }]);
  server.silent = true;
  const began = performance.now();
  const answers = await askServers(
    `www.${ZONE}`,
    'A',
    [resolver, { address: 'nonsense', kind: 'resolver' }],
    quietTask(),
    {
      deadlineMs: 300,
    },
  );
  expect(answers.map(({ answer }) => answer)).toEqual([
    { outcome: 'failed', reason: 'no answer within 300 ms' },
    { outcome: 'failed', reason: 'nonsense is no address of a server' },
  ]);
  expect(performance.now() - began).toBeLessThan(2_000);
});

it('takes an answer that is too long for a datagram over TCP', async () => {
  records = Array.from({ length: 20 }, (_, index) => record(`big.${ZONE}`, 'TXT', `${index} ${'x'.repeat(200)}`));
  expect(await ask(`big.${ZONE}`, 'TXT')).toEqual([{ outcome: 'answered', values: expectedValues(records) }]);
  expect(server.questions).toEqual([`udp big.${ZONE} TXT`, `tcp big.${ZONE} TXT`]);
});

it('follows aliases and wildcards as resolvers do', async () => {
  records = [record(`*.${ZONE}`, 'CNAME', `www.${ZONE}`), record(`www.${ZONE}`, 'A', '203.0.113.7')];
  expect(await ask(`anything.${ZONE}`, 'A')).toEqual([{ outcome: 'answered', values: ['203.0.113.7'] }]);
});

it('finds the addresses of the name servers of a zone', async () => {
  records = [
    record(ZONE, 'NS', `ns1.${ZONE}`),
    record(`ns1.${ZONE}`, 'A', '192.0.2.1'),
    record(`ns1.${ZONE}`, 'AAAA', '2001:db8::1'),
  ];
  expect(await authoritativeServers(ZONE, [resolver], quietTask())).toEqual([
    { address: '192.0.2.1', kind: 'authoritative', name: `ns1.${ZONE}` },
    { address: '2001:db8::1', kind: 'authoritative', name: `ns1.${ZONE}` },
  ]);
  await expect(authoritativeServers('nowhere.cl', [resolver], quietTask())).rejects.toMatchObject({
    code: 'dns_no_name_servers',
  });
});

it('compares the answers with the API; a proxied name is compared by the API only', async () => {
  const plain = record(`www.${ZONE}`, 'A', '203.0.113.7');
  const proxied = record(`cdn.${ZONE}`, 'A', '203.0.113.8', { proxied: true });
  records = [plain, proxied];
  const verdicts = async (name: string, expected: ObservedRecord[]) =>
    compareAnswers(await askServers(name, 'A', [resolver], quietTask()), expected).map(({ verdict }) => verdict);
  expect(await verdicts(plain.name, [plain])).toEqual(['as expected']);
  expect(await verdicts(plain.name, [record(plain.name, 'A', '203.0.113.9')])).toEqual(['different']);
  expect(await verdicts(proxied.name, [proxied])).toEqual(['not comparable']);
  expect(await verdicts(`gone.${ZONE}`, [])).toEqual(['as expected']);
});

it('waits until a quorum of servers answers as expected', async () => {
  const name = `www.${ZONE}`;
  records = [record(name, 'A', '203.0.113.1')];
  const old = await startDnsServer({ records: () => [{ name, type: 'A', ttl: 60, data: '203.0.113.1' }] });
  const servers = [resolver, { address: old.address, kind: 'resolver' } as const];
  try {
    let rounds = 0;
    const task = {
      ...quietTask(),
      progress: () => {
        if (++rounds === 2) records = [record(name, 'A', '203.0.113.2')];
      },
    };
    const request = {
      name,
      type: 'A',
      expected: ['203.0.113.2'],
      servers,
      firstPauseMs: 5,
      deadlineMs: 5_000,
    } as const;
    expect(await waitUntilAnswered({ ...request, quorum: 1 }, task)).toMatchObject({ rounds: 3, agreeing: 1 });
    await expect(waitUntilAnswered({ ...request, deadlineMs: 200 }, quietTask())).rejects.toMatchObject({
      code: 'dns_not_answered',
      details: {
        expected: ['203.0.113.2'],
        answers: [
          { server: server.address, outcome: 'answered', values: ['203.0.113.2'] },
          { server: old.address, outcome: 'answered', values: ['203.0.113.1'] },
        ],
      },
    });
  } finally {
    await old.stop();
  }
});

it('hears Stop while it asks and while it waits', async () => {
  server.silent = true;
  const asking = new AbortController();
  const asked = askServers(`www.${ZONE}`, 'A', [resolver], quietTask(asking.signal), { deadlineMs: 60_000 });
  asking.abort();
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });

  server.silent = false;
  const waiting = new AbortController();
  const task = { ...quietTask(waiting.signal), progress: () => waiting.abort() };
  await expect(
    waitUntilAnswered(
      { name: `www.${ZONE}`, type: 'A', expected: ['203.0.113.2'], servers: [resolver], deadlineMs: 60_000 },
      task,
    ),
  ).rejects.toMatchObject({ code: 'cancelled' });
});
