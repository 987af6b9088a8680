import { explainCloudflare } from '../../../../lib/cloudflare/explain';
import { parseRecord } from '../../../../lib/cloudflare/records';
import { observed } from '../../../../lib/dns/providers/cloudflare';

const said = (...errors: unknown[]) => explainCloudflare({ success: false, errors, messages: [], result: null });

test('the reason is told, not the general error that hides it', () => {
  const error_chain = [{ code: 9300, message: 'DNS record has 1 tags, exceeding the quota of 0.' }];
  expect(said({ code: 1004, message: 'DNS Validation Error', error_chain })).toEqual({
    code: 'tags_not_allowed',
    message: 'DNS record has 1 tags, exceeding the quota of 0 (9300)',
    nextStep: 'Leave the tags out: the plan of this zone allows fewer. Comments are possible on every plan.',
  });
});

test('several errors are all told, each once', () => {
  const one = { code: 9005, message: 'Content for A record must be a valid IPv4 address.' };
  expect(said(one, one, { code: 9021, message: 'Invalid TTL.' })?.message).toBe(
    'Content for A record must be a valid IPv4 address (9005); Invalid TTL (9021)',
  );
});

test('one code for two things is told apart by its sentence', () => {
  expect(said({ code: 9109, message: 'Invalid access token' })?.code).toBe('unauthorized');
  expect(said({ code: 9109, message: 'Unauthorized to access requested resource' })?.code).toBe('forbidden');
});

test('an error that is not known keeps its words, and leaves the rest to its status', () => {
  expect(said({ code: 4711, message: 'Something new' })).toEqual({ message: 'Something new (4711)' });
});

test.each([undefined, 'text', {}, { errors: 'none' }, { errors: [] }, { errors: [{ message: 5 }, null] }])(
  'what holds no errors, as %j, explains nothing',
  (body) => {
    expect(explainCloudflare(body)).toBeUndefined();
  },
);

const record = { id: 'r1', name: 'kua.cl', type: 'A', ttl: 1 };
const plain = { content: '', proxied: false, comment: '', tags: [], settings: {} };

test('what is not set may be missing or null', () => {
  expect(parseRecord(record)).toEqual({ ...record, ...plain });
  const nulls = { content: null, data: null, priority: null, proxied: null, comment: null, tags: null, settings: null };
  expect(parseRecord({ ...record, ...nulls })).toEqual({ ...record, ...plain });
});

test.each([
  [{ ...record, id: undefined }, 'a DNS record', 'id is missing'],
  [{ ...record, ttl: '300' }, 'a DNS record', 'ttl is not a number'],
  [{ ...record, tags: [1] }, 'a DNS record', 'tags holds something that is no text'],
  ['nothing', 'a DNS record', 'it is no object'],
])('a record that is not as it must be is refused: %j', (value, what, why) => {
  expect(() => parseRecord(value)).toThrow(`Cloudflare described ${what} in a way that is not understood: ${why}`);
});

test('an older SRV record, which repeats its name in its data, is understood', () => {
  const data = {
    service: '_sip',
    proto: '_tcp',
    name: 'kua.cl',
    priority: 1,
    weight: 2,
    port: 5060,
    target: 'sip.kua.cl',
  };
  const listed = parseRecord({ ...record, name: '_sip._tcp.kua.cl', type: 'SRV', content: '2 5060 sip.kua.cl', data });
  expect(observed(listed, 'kua.cl').value).toEqual({
    type: 'SRV',
    data: { priority: 1, weight: 2, port: 5060, target: 'sip.kua.cl' },
  });
});

test('a record of a type that is not known is kept as it is', () => {
  const listed = parseRecord({ ...record, type: 'NEW', content: 'anything' });
  expect(observed(listed, 'kua.cl').value).toEqual({ type: 'other', data: { rrtype: 'NEW', rdata: 'anything' } });
});
