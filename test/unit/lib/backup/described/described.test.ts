import { isFailure } from '../../../../../lib/failure';
import { parseDescribed, withSecrets } from '../../../../../lib/backup/described/described';

const vault = { rclone: { kind: 'text', text: '' }, crypt: 'vault' } as const;
const plan = {
  set: 'nightly',
  home: { provider: 'hetzner' },
  sources: [
    { kind: 'postgres', name: 'postgres/immich', database: 'immich', password: 'credential:IMMICH' },
    { kind: 'directory', name: 'vault', path: '/srv/vault', excludes: ['*.tmp'] },
  ],
  destinations: [
    { name: 'eva', remote: 'eva:x', provider: 'ovh', keep: { daily: 7 } },
    { name: 'drive', remote: 'drive:x', provider: 'google' },
  ],
};
const refusal = (value: unknown): string => {
  try {
    parseDescribed(value, vault, 'bruno');
  } catch (error) {
    if (isFailure(error, 'backup_plan_unusable')) return error.message;
    throw error;
  }
  return 'nothing was refused';
};

test('a plan is read with what was left out, and the rule of all destinations holds where one has none of its own', () => {
  const described = parseDescribed({ ...plan, keep: { last: 3 }, quorum: 2, everyHours: 12 }, vault, 'bruno');
  expect(described).toEqual({
    groups: [],
    plan: {
      set: 'nightly',
      vault,
      quorum: 2,
      home: { host: 'bruno', provider: 'hetzner' },
      sources: plan.sources,
      destinations: [
        { name: 'eva', remote: 'eva:x', provider: 'ovh' },
        { name: 'drive', remote: 'drive:x', provider: 'google' },
      ],
    },
    keep: new Map([
      ['eva', { daily: 7 }],
      ['drive', { last: 3 }],
    ]),
    everyHours: 12,
  });
});

test('only who asks gets what the references stand for', async () => {
  const notices = { pushgateway: 'http://127.0.0.1:9091', deadMan: 'credential:DEAD_MAN' };
  const { plan: read } = parseDescribed({ ...plan, notices }, vault, 'bruno');
  expect(JSON.stringify(read)).not.toContain('value of');
  const resolved = await withSecrets(read, (reference) => Promise.resolve(`value of ${reference}`));
  expect(resolved.sources.map((source) => ('password' in source ? source.password : null))).toEqual([
    'value of credential:IMMICH',
    null,
  ]);
  expect(resolved.notices).toEqual({ pushgateway: 'http://127.0.0.1:9091', deadMan: 'value of credential:DEAD_MAN' });
});

test.each([
  ['nothing', undefined, 'the plan is missing'],
  ['no source', { ...plan, sources: [] }, 'sources is empty'],
  [
    'an unknown kind',
    { ...plan, sources: [{ kind: 'oracle', name: 'x' }] },
    /^The plan cannot be used: sources\[0\]\.kind must be postgres, /,
  ],
  [
    'a password in the open',
    { ...plan, sources: [{ ...plan.sources[0], password: 'hunter22' }] },
    'sources[0].password must be a reference like credential:NAME, never the secret itself',
  ],
  [
    'a misspelt field',
    { ...plan, sources: [{ ...plan.sources[1], exclude: [] }] },
    /^The plan cannot be used: sources\[0\] has a field "exclude" that is not known there/,
  ],
  [
    'a port that is none',
    { ...plan, sources: [{ ...plan.sources[0], port: '5432' }] },
    'sources[0].port must be a whole number of 1 or more, up to 65535',
  ],
  ['no provider', { ...plan, home: {} }, 'home.provider is missing'],
  [
    'a rule with a fraction',
    { ...plan, keep: { daily: 1.5 } },
    'keep.daily must be a whole number of 0 or more, up to 100000',
  ],
])('%s is refused, with the place and without the value', (_, value, why) => {
  const message = refusal(value);
  if (typeof why === 'string') expect(message).toBe(`The plan cannot be used: ${why}`);
  else expect(message).toMatch(why);
  expect(message).not.toContain('hunter22');
});
