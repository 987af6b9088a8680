import type { Failure } from '../../../../lib/failure';
import { parseDesiredRecords } from '../../../../lib/dns/desired';
import { changesOf, planZone, type PlanRequest, type ZonePlan } from '../../../../lib/dns/plan';
import { pointNamesAt } from '../../../../lib/dns/point';
import type { Capabilities } from '../../../../lib/dns/provider';
import { observedRecord } from '../../../../lib/dns/observed';
import type { ObservedRecord } from '../../../../lib/dns/record';
import { describeChange } from '../../../../lib/dns/change';
import { CLOUDFLARE_LIKE, HETZNER_LIKE, PLAIN } from '../../../shared/memory-dns';

const ZONE = 'kua.cl';
const OURS = 'managed-by=selfhost owner=n8n';
const ANOTHERS = 'managed-by=selfhost owner=other';

let serial = 0;
function there(name: string, type: string, content: string, more: Partial<ObservedRecord> = {}): ObservedRecord {
  const listed = observedRecord(
    { id: `id-${++serial}`, name: name === '@' ? ZONE : `${name}.${ZONE}`, type, content, ttl: 300, form: 'api' },
    ZONE,
  );
  return { ...listed, ...more };
}
const ours = (name: string, type: string, content: string, more: Partial<ObservedRecord> = {}) =>
  there(name, type, content, { comment: OURS, ...more });

interface Given extends Partial<Omit<PlanRequest, 'desired' | 'provider'>> {
  readonly desired?: unknown[];
  readonly capabilities?: Capabilities;
}

function plan({ desired = [], capabilities = CLOUDFLARE_LIKE, ...more }: Given = {}): ZonePlan {
  return planZone({
    zone: ZONE,
    provider: { name: 'Cloudflare', capabilities },
    desired: parseDesiredRecords(desired, ZONE),
    observed: [],
    owner: 'n8n',
    mode: 'full-sync',
    ...more,
  });
}
const changes = (given: Given) => changesOf(plan(given)).map(describeChange);

function failure(given: Given): Pick<Failure, 'code' | 'message' | 'details'> {
  try {
    plan(given);
  } catch (error) {
    const { code, message, details } = error as Failure;
    return { code, message, details };
  }
  throw new Error('The plan was made.');
}
const problems = (given: Given) => failure(given).details.problems;

const www = { name: 'www', type: 'A', content: '203.0.113.1' };

describe('what a plan says', () => {
  it('creates what is missing, with our mark before the comment', () => {
    const {
      create,
      update,
      delete: deletions,
    } = plan({ desired: [{ ...www, comment: 'web', proxied: true, ttl: 300 }] });
    expect({ create, update, deletions }).toEqual({
      create: [
        {
          kind: 'create',
          record: {
            name: 'www.kua.cl',
            value: { type: 'A', data: { address: '203.0.113.1' } },
            ttl: 1,
            proxied: true,
            comment: `${OURS} | web`,
            tags: [],
            settings: {},
          },
        },
      ],
      update: [],
      deletions: [],
    });
  });

  it('changes only the fields that are mentioned, with before and after', () => {
    const before = ours('www', 'A', '203.0.113.9', {
      comment: `${OURS} | web`,
      tags: ['team:x'],
      settings: { ipv4_only: true },
    });
    const { update } = plan({ desired: [www], observed: [before] });
    expect(update).toEqual([
      {
        kind: 'update',
        before,
        after: {
          name: before.name,
          value: { type: 'A', data: { address: '203.0.113.1' } },
          ttl: 300,
          proxied: false,
          comment: `${OURS} | web`,
          tags: ['team:x'],
          settings: { ipv4_only: true },
        },
        fields: ['content'],
      },
    ]);
    expect(
      changes({ desired: [{ ...www, ttl: 60, comment: '', settings: { ipv6_only: true } }], observed: [before] }),
    ).toEqual(['update of the record www.kua.cl A (content, ttl, comment, settings)']);
  });

  it('leaves a record alone that is right already, however it is written', () => {
    const observed = [
      ours('x', 'AAAA', '2001:DB8::0:1'),
      ours('x', 'TXT', '"v=spf1 " "-all"'),
      ours('y', 'CNAME', 'Target.Example.COM.'),
    ];
    const { unchanged, ...rest } = plan({
      desired: [
        { name: 'X', type: 'aaaa', content: '2001:db8::1' },
        { name: 'x.kua.cl.', type: 'TXT', content: 'v=spf1 -all' },
        { name: 'y', type: 'CNAME', content: 'target.example.com' },
      ],
      observed,
    });
    expect(unchanged).toEqual(observed);
    expect(changesOf(rest)).toEqual([]);
  });

  it('changes one record of several with one name, and keeps the others', () => {
    const observed = ['1', '2', '3'].map((end) => ours('www', 'A', `203.0.113.${end}`));
    const desired = ['3', '1', '9'].map((end) => ({ ...www, content: `203.0.113.${end}` }));
    const { update, create, delete: deletions, unchanged } = plan({ desired, observed });
    expect(update.map(({ before, after }) => [before.id, after.value.data])).toEqual([
      [observed[1]?.id, { address: '203.0.113.9' }],
    ]);
    expect([create, deletions, unchanged.length]).toEqual([[], [], 2]);
  });

  it('knows a mail server again whose priority changes', () => {
    expect(
      changes({
        mode: 'upsert-only',
        desired: [{ name: '@', type: 'MX', content: 'mx2.example.com', priority: 30 }],
        observed: [ours('@', 'MX', '10 mx1.example.com'), ours('@', 'MX', '20 mx2.example.com')],
      }),
    ).toEqual(['update of the record kua.cl MX (content)']);
  });

  it('is the same, hash included, in whatever order the records come', () => {
    const desired = [www, { ...www, name: 'a' }, { name: '@', type: 'TXT', content: 'x' }];
    const observed = [ours('old', 'A', '192.0.2.1'), there('mail', 'A', '192.0.2.2'), ours('a', 'A', '192.0.2.3')];
    const one = plan({ desired, observed });
    expect(plan({ desired: [...desired].reverse(), observed: [...observed].reverse() })).toEqual(one);
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/u);
    expect(plan({ desired, observed, mode: 'upsert-only' }).hash).not.toBe(one.hash);
    expect(plan({ desired, observed: [...observed, there('new', 'A', '192.0.2.4')] }).hash).not.toBe(one.hash);
  });
});

describe('whose records they are', () => {
  it('full sync deletes only records of ours; upsert only deletes none', () => {
    const observed = [
      ours('old', 'A', '192.0.2.1'),
      there('hand', 'A', '192.0.2.2'),
      there('tf', 'A', '192.0.2.3', { comment: ANOTHERS }),
    ];
    expect(changes({ desired: [www], observed })).toEqual([
      'deletion of the record old.kua.cl A 192.0.2.1',
      'creation of the record www.kua.cl A 203.0.113.1',
    ]);
    expect(plan({ desired: [www], observed }).foreign.map(({ name }) => name)).toEqual(['hand.kua.cl', 'tf.kua.cl']);
    expect(changes({ desired: [www], observed, mode: 'upsert-only' })).toEqual([
      'creation of the record www.kua.cl A 203.0.113.1',
    ]);
  });

  it('an unowned record in the way is refused by name, adopted by name, or changed by name', () => {
    const observed = [there('www', 'A', '192.0.2.1', { comment: 'by Terraform' })];
    expect(failure({ desired: [www], observed })).toMatchObject({
      code: 'dns_not_ours',
      message: 'The record www.kua.cl A exists, differs from what is desired, and was not made by us',
      details: { records: ['www.kua.cl A'] },
    });
    const after = (given: Given) =>
      plan({ desired: [www], observed, ...given }).update.map((update) => update.after.comment);
    expect(after({ adopt: ['www'] })).toEqual([`${OURS} | by Terraform`]);
    expect(after({ change: ['www A'] })).toEqual(['by Terraform']);
    expect(failure({ desired: [www], observed, adopt: ['www AAAA'] }).code).toBe('dns_not_ours');
  });

  it('an unowned record that is right already needs nothing; adopting it changes its comment only', () => {
    const observed = [there('www', 'A', '203.0.113.1')];
    expect(changes({ desired: [www], observed })).toEqual([]);
    expect(changes({ desired: [www], observed, adopt: ['www'] })).toEqual([
      'update of the record www.kua.cl A (comment)',
    ]);
  });

  it('a text of ours is added beside the texts of others, also when the name is adopted', () => {
    expect(
      changes({
        desired: [{ name: '@', type: 'TXT', content: 'v=spf1 -all' }],
        observed: [there('@', 'TXT', 'google-site-verification=1')],
        adopt: ['@'],
      }),
    ).toEqual(['creation of the record kua.cl TXT "v=spf1 -all"']);
  });

  it('without comments, ownership is a TXT record that claims the name, the type and the content', () => {
    const made = plan({ desired: [{ name: '*', type: 'A', content: '192.0.2.1' }], capabilities: PLAIN });
    expect(made.create.map(({ record }) => [record.name, record.value])).toEqual([
      ['*.kua.cl', { type: 'A', data: { address: '192.0.2.1' } }],
      [
        '_selfhost._any.kua.cl',
        { type: 'TXT', data: { text: 'managed-by=selfhost owner=n8n type=A content=37fcff24bf62035b2b08' } },
      ],
    ]);
  });

  it('ignored records are not looked at, and cannot be desired', () => {
    const observed = [
      ours('_acme-challenge.www', 'TXT', 'token'),
      ours('x.dev', 'A', '192.0.2.1'),
      ours('x.dev', 'TXT', 't'),
    ];
    expect(changes({ desired: [www], observed, ignore: ['_acme-challenge.*', '*.dev TXT'] })).toEqual([
      'deletion of the record x.dev.kua.cl A 192.0.2.1',
      'creation of the record www.kua.cl A 203.0.113.1',
    ]);
    expect(problems({ desired: [www], ignore: ['w*'] })).toEqual([
      'record www.kua.cl A is desired and ignored at once',
    ]);
  });
});

describe('what is refused before anything is sent', () => {
  const refusedWith = (record: object, capabilities: Capabilities = CLOUDFLARE_LIKE) =>
    problems({ desired: [{ ...www, ...record }], capabilities });

  it.each([
    [{ ttl: 59 }, 'has a TTL of 59 s; Cloudflare takes 60 to 86400, or 1 for automatic'],
    [{ ttl: 86401 }, 'has a TTL of 86401 s; Cloudflare takes 60 to 86400, or 1 for automatic'],
    [{ content: '10.0.0.1', proxied: true }, 'is to be proxied, but 10.0.0.1 cannot be reached over the Internet'],
    [
      { content: '100.81.231.36', proxied: true },
      'is to be proxied, but 100.81.231.36 cannot be reached over the Internet',
    ],
    [{ comment: 'x'.repeat(80) }, 'has a comment of 112 characters with our mark; Cloudflare takes 100'],
    [{ comment: OURS }, 'has a comment that looks like a mark of ownership'],
    [{ name: '_selfhost.www' }, 'has a name that is kept for the marks of ownership'],
  ])('%j', (record, why) => {
    const name = 'name' in record ? '_selfhost.www.kua.cl' : 'www.kua.cl';
    expect(refusedWith(record)).toEqual([`record ${name} A ${why}`]);
  });

  it.each([
    [
      { type: 'MX', content: '10 mx.example.com', proxied: true },
      'record www.kua.cl MX is to be proxied, which only A, AAAA and CNAME records can be',
    ],
    [
      { type: 'TXT', content: 'x'.repeat(2049) },
      'record www.kua.cl TXT has a text of 2049 bytes; Cloudflare takes 2048',
    ],
    [
      { type: 'SRV', content: '1 2 3 sip.example.com' },
      'record www.kua.cl SRV has a name that is not of the form _service._protocol.name',
    ],
    [
      { type: 'TLSA', content: '3 1 1 ab' },
      'record www.kua.cl TLSA has a name that is not of the form _port._protocol.name',
    ],
    [{ type: 'CNAME', content: 'www.kua.cl' }, 'record www.kua.cl CNAME points at itself'],
    [
      { name: '@', type: 'DS', content: '1 13 2 ab' },
      'record kua.cl DS stands at the apex; a DS belongs into the parent zone',
    ],
    [
      { name: '@', type: 'NS', content: 'ns.example.com' },
      'record kua.cl NS would name a name server of the zone itself, which Cloudflare does; name it as a change if you mean it',
    ],
  ])('%j', (record, why) => {
    expect(refusedWith(record)).toEqual([why]);
  });

  it('what another provider cannot do', () => {
    expect(refusedWith({ name: '@', type: 'CNAME', content: 'a.example.com' }, HETZNER_LIKE)).toEqual([
      'record kua.cl CNAME stands at the apex, where Cloudflare can have no CNAME',
    ]);
    expect(refusedWith({ proxied: true, tags: ['x'], settings: { ipv4_only: true } }, HETZNER_LIKE)).toEqual([
      'record www.kua.cl A is to be proxied, which Cloudflare does not do',
      'record www.kua.cl A has tags, which Cloudflare does not keep',
      'record www.kua.cl A has settings, which Cloudflare does not keep',
    ]);
    expect(refusedWith({ type: 'SSHFP', content: '4 2 ab' }, HETZNER_LIKE)).toEqual([
      'record www.kua.cl SSHFP is of a type that Cloudflare does not keep',
    ]);
    expect(
      problems({
        capabilities: HETZNER_LIKE,
        desired: [
          { ...www, ttl: 60 },
          { ...www, content: '203.0.113.2', ttl: 300 },
        ],
      }),
    ).toEqual(['the records www.kua.cl A would have the TTLs 60 and 300; here they can only have one together']);
    expect(
      plan({
        desired: [{ ...www, ttl: 30 }],
        capabilities: { ...CLOUDFLARE_LIKE, ttl: { least: 30, most: 86400, auto: true, each: 'record' } },
      }).create,
    ).toHaveLength(1);
  });

  it('a CNAME beside anything else, a second SPF, a duplicate; all of it at once', () => {
    expect(
      problems({
        desired: [
          { name: 'a', type: 'CNAME', content: 'x.example.com' },
          { name: 'b', type: 'A', content: '192.0.2.1' },
          { name: 'c', type: 'TXT', content: 'v=spf1 -all' },
        ],
        observed: [there('a', 'TXT', 'x'), there('b', 'CNAME', 'x.example.com'), there('c', 'TXT', 'v=spf1 mx ~all')],
      }),
    ).toEqual([
      'the name a.kua.cl would have a CNAME record beside TXT; a CNAME stands alone',
      'the name b.kua.cl would have a CNAME record beside A; a CNAME stands alone',
      'the name c.kua.cl would have 2 SPF records (v=spf1); mail servers refuse more than one',
    ]);
    expect(failure({ desired: [www, www, { ...www, ttl: 2 }] })).toEqual({
      code: 'dns_records_invalid',
      message: 'The record www.kua.cl A has a TTL of 2 s; Cloudflare takes 60 to 86400, or 1 for automatic, and 2 more',
      details: {
        problems: [
          'record www.kua.cl A has a TTL of 2 s; Cloudflare takes 60 to 86400, or 1 for automatic',
          'record www.kua.cl A is wanted twice with the same content',
          'record www.kua.cl A is wanted twice with the same content',
        ],
      },
    });
  });

  it('replaces a CNAME of ours by an address in one plan', () => {
    expect(changes({ desired: [www], observed: [ours('www', 'CNAME', 'x.example.com')] })).toEqual([
      'deletion of the record www.kua.cl CNAME x.example.com.',
      'creation of the record www.kua.cl A 203.0.113.1',
    ]);
  });
});

describe('what looks more like an accident than like an intention', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => ours(`n${index}`, 'A', '192.0.2.1'));
  const kept = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `n${index}`, type: 'A', content: '192.0.2.1' }));

  it('changing more than 30 % of a zone of more than 10 records is refused with the numbers', () => {
    expect(changes({ desired: kept(14), observed: many(20) })).toHaveLength(6);
    expect(failure({ desired: kept(13), observed: many(20) })).toEqual({
      code: 'dns_unsafe',
      message: 'It would change or delete 7 of 20 records (35 %); without naming them, 30 % is the limit',
      details: { changed: 7, records: 20, share: 0.3 },
    });
    expect(changes({ desired: kept(1), observed: many(10) })).toHaveLength(9);
    expect(changes({ desired: kept(13), observed: many(20), limits: { share: 0.35 } })).toHaveLength(7);
  });

  it('adopting a whole zone changes no answer, and is no danger', () => {
    const observed = many(20).map((record) => ({ ...record, comment: '' }));
    const names = observed.map(({ name }) => name);
    expect(changes({ desired: kept(20), observed, adopt: names })).toHaveLength(20);
  });

  it('absolute limits hold, also for what was named', () => {
    expect(failure({ desired: kept(3), observed: many(6), limits: { deletes: 2 }, delete: ['n4'] })).toEqual({
      code: 'dns_unsafe',
      message: 'It would delete 3 records; the limit of this call is 2',
      details: { kind: 'delete', count: 3, most: 2 },
    });
  });

  it('the apex, MX and NS are deleted only by name', () => {
    const observed = [
      ours('@', 'A', '192.0.2.1'),
      ours('sub', 'NS', 'ns.example.com'),
      ours('m', 'MX', '10 mx.example.com'),
    ];
    expect(failure({ desired: [www], observed, delete: ['sub'] })).toMatchObject({
      code: 'dns_unsafe',
      details: { records: ['record kua.cl A', 'record m.kua.cl MX'] },
    });
    expect(changes({ desired: [www], observed, delete: ['sub NS', '@', 'm'] })).toHaveLength(4);
  });

  it('nothing desired does not mean that everything goes', () => {
    expect(failure({ observed: many(2) })).toMatchObject({
      code: 'dns_unsafe',
      message: 'No records are desired, and a full sync would delete all 2 that are ours',
    });
    expect(changes({ observed: many(2), allowEmpty: true })).toHaveLength(2);
    expect(changes({ observed: many(2), mode: 'upsert-only' })).toEqual([]);
  });
});

describe('pointing names at an address', () => {
  const point = (observed: ObservedRecord[], names: string[], more: { ipv6?: string; proxied?: boolean } = {}) => {
    const [pointing] = pointNamesAt({ names, zones: ['kua.cl', 'other.dev'], address: '203.0.113.50', ...more });
    return planZone({
      ...pointing!,
      provider: { name: 'Cloudflare', capabilities: CLOUDFLARE_LIKE },
      observed,
      owner: 'n8n',
    });
  };

  it('moves 8 of 14 names of somebody else, keeps all else about them, and skips those that are there already', () => {
    const observed = Array.from({ length: 14 }, (_, index) =>
      there(`n${index}`, 'A', index === 7 ? '203.0.113.50' : '188.34.198.57', {
        comment: 'Terraform',
        proxied: true,
        ttl: 1,
      }),
    );
    const { update, create, foreign } = point(
      observed,
      observed.slice(0, 8).map(({ name }) => name),
    );
    expect(update.map(({ fields }) => fields)).toEqual(Array.from({ length: 7 }, () => ['content']));
    expect(update[0]?.after).toEqual({
      name: 'n0.kua.cl',
      value: { type: 'A', data: { address: '203.0.113.50' } },
      ttl: 1,
      proxied: true,
      comment: 'Terraform',
      tags: [],
      settings: {},
    });
    expect([create, foreign.length]).toEqual([[], 7]);
  });

  it('sorts names into their zones, and refuses names of none', () => {
    expect(
      pointNamesAt({
        names: ['WWW.kua.cl.', 'a.other.dev', 'kua.cl', 'www.kua.cl'],
        zones: ['kua.cl', 'other.dev'],
        address: '2001:DB8::1',
      }),
    ).toEqual([
      {
        zone: 'kua.cl',
        mode: 'upsert-only',
        change: ['www.kua.cl AAAA', 'kua.cl AAAA'],
        desired: [
          { name: 'www.kua.cl', value: { type: 'AAAA', data: { address: '2001:db8::1' } } },
          { name: 'kua.cl', value: { type: 'AAAA', data: { address: '2001:db8::1' } } },
        ],
      },
      {
        zone: 'other.dev',
        mode: 'upsert-only',
        change: ['a.other.dev AAAA'],
        desired: [{ name: 'a.other.dev', value: { type: 'AAAA', data: { address: '2001:db8::1' } } }],
      },
    ]);
    expect(() => point([], ['www.elsewhere.org'])).toThrow('lies in none of the zones kua.cl, other.dev');
  });

  it('refuses a name that would go on answering its other addresses, and warns about the other family', () => {
    const two = [there('www', 'A', '192.0.2.1'), there('www', 'A', '192.0.2.2')];
    expect(() => point(two, ['www.kua.cl'])).toThrow(
      'has more values than are desired, and 192.0.2.2 would go on answering',
    );
    const mixed = [there('www', 'A', '192.0.2.1'), there('www', 'AAAA', '2001:db8::1')];
    expect(point(mixed, ['www.kua.cl']).warnings).toEqual([
      'record www.kua.cl AAAA 2001:db8::1 is kept, while the A record moves',
    ]);
    expect(point(mixed, ['www.kua.cl'], { ipv6: '2001:db8::50' })).toMatchObject({ warnings: [], update: [{}, {}] });
  });
});

it('plans a zone of 1,000 records in less than 200 ms of CPU time', () => {
  const desired = Array.from({ length: 1000 }, (_, index) => ({
    name: `n${index}`,
    type: 'A',
    content: `203.0.${index % 250}.${(index % 200) + 1}`,
  }));
  const observed = desired.map(({ name, content }, index) => ours(name, 'A', index === 500 ? '192.0.2.1' : content));
  const parsed = parseDesiredRecords(desired, ZONE);
  const times = Array.from({ length: 5 }, () => {
    // Of this process alone: what else the machine does meanwhile is not measured.
    const began = process.cpuUsage();
    const { update } = planZone({
      zone: ZONE,
      provider: { name: 'Cloudflare', capabilities: CLOUDFLARE_LIKE },
      desired: parsed,
      observed,
      owner: 'n8n',
      mode: 'full-sync',
    });
    expect(update).toHaveLength(1);
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000;
  });
  expect(Math.min(...times)).toBeLessThan(200);
});
