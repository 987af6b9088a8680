import { parseMatchers } from '../../../../lib/alert/matcher';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { HOUR, MINUTE, SECOND, host, services, simulate } from './estate';

const NIGHT = Date.parse('2026-01-31T03:00:00Z');

test('a host that falls with its fifteen services is one firing and one resolved message', () => {
  const { say, pass, told, messages } = simulate();
  say(...services('wrong', 7));
  pass(10 * SECOND);
  say(host('wrong'), ...services('wrong', 15).slice(7));
  pass(20 * MINUTE - 10 * SECOND);
  say(host('ok'));
  pass(2 * MINUTE);
  say(...services('ok'));
  pass(HOUR);
  expect(told().filter((text) => !text.startsWith('escalate'))).toEqual([
    'firing: 15 things wrong because bruno is unreachable',
    'resolved: Resolved after 21 min: 15 things wrong because bruno is unreachable',
  ]);
  expect(messages.filter(({ kind }) => kind === 'suppressed')).toHaveLength(15);
});

test('a day of blips is told to nobody', () => {
  const { say, pass, told } = simulate();
  for (let minute = 0; minute < 24 * 60; minute += 2) {
    say(host('wrong'), ...services('wrong', 3));
    pass(20 * SECOND);
    say(host('ok'), ...services('ok', 3));
    pass(100 * SECOND);
  }
  expect(told()).toEqual([]);
});

test('what a cause leaves broken is told by itself after the time for recovery', () => {
  const { say, pass, told } = simulate({ ...USUAL_SETTINGS, escalateAfterMs: [] });
  say(host('wrong'), ...services('wrong', 3));
  pass(5 * MINUTE);
  say(host('ok'), ...services('ok', 1));
  pass(30 * MINUTE);
  expect(told()).toEqual([
    'firing: 3 things wrong because bruno is unreachable',
    'resolved: Resolved after 6 min: 3 things wrong because bruno is unreachable (2 still wrong)',
    'firing: 2 things wrong on bruno: service-1 on bruno, service-2 on bruno',
  ]);
});

test('a cause that was only a blip hides nothing', () => {
  const { say, pass, told } = simulate();
  say(host('wrong'), ...services('wrong', 1));
  pass(20 * SECOND);
  say(host('ok'));
  pass(10 * SECOND);
  expect(told()).toEqual(['firing: service-0 on bruno is failing']);
});

test('what was given longer than usual to pass is told when it has lasted that long, and not when it passed before', () => {
  const { say, pass, told } = simulate({ ...USUAL_SETTINGS, escalateAfterMs: [] });
  const inside = { target: 'git.kua.cl inside and outside', waitMs: 15 * MINUTE };
  say(inside);
  pass(14 * MINUTE);
  say({ ...inside, status: 'ok' });
  pass(MINUTE);
  say(inside);
  pass(14 * MINUTE);
  expect(told()).toEqual([]);
  pass(MINUTE);
  expect(told()).toEqual(['firing: git.kua.cl inside and outside is failing']);
});

test('rules reach through: a cluster mutes its nodes, a node its pods, and only where the labels agree', () => {
  const { say, pass, told } = simulate({
    ...USUAL_SETTINGS,
    inhibitions: [
      ...USUAL_SETTINGS.inhibitions,
      { cause: parseMatchers('kind=cluster'), effect: parseMatchers('kind=node'), equal: ['cluster'] },
    ],
  });
  say(
    { target: 'pod a', labels: { kind: 'pod', node: 'n1' } },
    { target: 'node n1', labels: { kind: 'node', node: 'n1', cluster: 'c' } },
    { target: 'cluster c', labels: { kind: 'cluster', cluster: 'c' } },
    { target: 'pod b', labels: { kind: 'pod', node: 'n2' } },
  );
  pass(MINUTE);
  expect(told()).toEqual(['firing: 2 things wrong because cluster c is failing', 'firing: pod b is failing']);
});

test('of things that accuse each other one is told, and the others with it', () => {
  const { say, pass, told } = simulate({
    ...USUAL_SETTINGS,
    inhibitions: [{ cause: parseMatchers('ring=a'), effect: parseMatchers('ring=a'), equal: ['ring'] }],
  });
  say(...['one', 'two', 'three'].map((target) => ({ target, labels: { ring: 'a' } })));
  pass(MINUTE);
  expect(told()).toHaveLength(1);
  expect(told()[0]).toMatch(/^firing: 2 things wrong because (one|two|three) is failing$/);
});

test('a security finding is never muted, and has its own lane', () => {
  const { say, pass, messages } = simulate();
  say(host('wrong'), { target: 'strange login', labels: { host: 'bruno' }, severity: 'security' });
  pass(MINUTE);
  expect(
    messages.map((message) => [message.kind, message.kind !== 'suppressed' && message.lane, message.text]),
  ).toEqual([
    ['firing', 'now', 'bruno is unreachable'],
    ['firing', 'security', 'strange login is failing'],
  ]);
});

test('a cause takes on the severity of what it hides, and told as harmless it hides nothing worse', () => {
  const night = simulate(USUAL_SETTINGS, NIGHT);
  night.say(host('wrong', 'bruno', 'warning'), ...services('wrong', 2));
  night.pass(MINUTE);
  expect(night.told()).toEqual(['firing: 2 things wrong because bruno is unreachable']);

  const day = simulate();
  day.say(host('wrong', 'bruno', 'warning'));
  day.pass(MINUTE);
  day.say(...services('wrong', 1));
  day.pass(MINUTE);
  expect(day.told()).toEqual(['firing: bruno is unreachable', 'firing: service-0 on bruno is failing']);
});

test('a warning of the night is told in the morning, and one that is over by then to nobody', () => {
  const { say, pass, told, messages } = simulate(USUAL_SETTINGS, NIGHT);
  say(
    { target: 'disk of bruno', severity: 'warning', evidence: '86 %' },
    { target: 'disk of eva', severity: 'warning' },
  );
  pass(HOUR);
  say({ target: 'disk of eva', severity: 'warning', status: 'ok' });
  pass(4 * HOUR - 10 * SECOND);
  expect(told()).toEqual([]);
  pass(10 * SECOND);
  expect(told()).toEqual(['firing: disk of bruno is failing']);
  expect(messages.map(({ text }) => text)).toEqual([
    'disk of eva: not told (over before it was told)',
    'disk of bruno is failing',
  ]);
});

test('what is only of interest goes out once a day, in one message', () => {
  const { say, pass, messages } = simulate();
  say({ target: 'update of a', severity: 'info' }, { target: 'update of b', severity: 'info' });
  pass(20 * HOUR);
  expect(messages).toEqual([]);
  pass(HOUR);
  expect(messages.map(({ kind, text }) => [kind, text])).toEqual([
    ['firing', 'update of a is failing\nupdate of b is failing'],
  ]);
  say({ target: 'update of a', severity: 'info', status: 'ok' });
  pass(24 * HOUR);
  expect(messages.slice(1).map(({ kind, text }) => [kind, text])).toEqual([
    ['resolved', 'Resolved after 21 h 1 min: update of a is failing'],
  ]);
});

test('nobody answers: it escalates level by level and repeats, until somebody takes it', () => {
  const { say, pass, told, happen } = simulate({ ...USUAL_SETTINGS, repeatMs: 30 * MINUTE });
  say({});
  pass(65 * MINUTE);
  happen({ kind: 'acknowledge', incident: 1, by: 'daniel', why: 'on it' });
  pass(10 * HOUR);
  expect(told()).toEqual([
    'firing: photos.kua.cl is failing',
    'escalate: Nobody has taken this for 15 min: photos.kua.cl is failing',
    'firing: Still: photos.kua.cl is failing',
    'escalate: Nobody has taken this for 1 h: photos.kua.cl is failing',
    'firing: Still: photos.kua.cl is failing',
  ]);
});

test('an acknowledgement that runs out starts the waiting again', () => {
  const { say, pass, told, happen, now } = simulate({ ...USUAL_SETTINGS, repeatMs: 0 });
  say({});
  pass(MINUTE);
  happen({ kind: 'acknowledge', incident: 1, by: 'daniel', why: 'on it', until: now() + HOUR });
  pass(HOUR + 14 * MINUTE);
  expect(told()).toHaveLength(1);
  pass(2 * MINUTE);
  expect(told().slice(1)).toEqual(['escalate: Nobody has taken this for 15 min: photos.kua.cl is failing']);
});

test('to acknowledge what is not open says so', () => {
  expect(() => simulate().happen({ kind: 'acknowledge', incident: 7, by: 'daniel', why: '' })).toThrow(
    expect.objectContaining({ code: 'alert_unknown_incident' }),
  );
});

test('a silence keeps quiet as long as it lasts, and what is wrong then is told', () => {
  const { say, pass, told, messages, happen, now } = simulate();
  const matchers = parseMatchers('host=bruno');
  happen({ kind: 'silence', matchers, by: 'daniel', why: 'new disk', until: now() + HOUR });
  say(host('wrong'), ...services('wrong', 2));
  pass(HOUR - 10 * SECOND);
  expect(told()).toEqual([]);
  expect(messages.find((message) => message.kind === 'suppressed' && message.reason === 'silenced')).toMatchObject({
    because: 'daniel: new disk',
    thing: { target: 'bruno' },
  });
  pass(10 * SECOND);
  expect(told()).toEqual(['firing: 2 things wrong because bruno is unreachable']);
});

test('lifting a silence ends it', () => {
  const { say, pass, told, happen, now } = simulate();
  const matchers = parseMatchers('target="photos.kua.cl"');
  happen({ kind: 'silence', matchers, by: 'daniel', why: 'test', until: now() + HOUR });
  say({});
  pass(5 * MINUTE);
  happen({ kind: 'lift silence', id: 1 });
  expect(told()).toEqual(['firing: photos.kua.cl is failing']);
});

test('what comes and goes becomes one incident, which is over when it has been quiet for long', () => {
  const { say, pass, told, messages } = simulate();
  for (let round = 0; round < 12; round += 1) {
    say({});
    pass(2 * MINUTE);
    say({ status: 'ok' });
    pass(2 * MINUTE);
  }
  const changes = () => told().filter((text) => !text.startsWith('escalate'));
  expect(changes()).toHaveLength(7);
  expect(changes()[6]).toBe('firing: photos.kua.cl is failing (it comes and goes)');
  expect(messages.filter((message) => message.kind === 'suppressed').map(({ text }) => text)).toEqual([
    'photos.kua.cl: not told (flapping)',
  ]);
  pass(HOUR);
  expect(changes().slice(7)).toEqual([expect.stringMatching(/^resolved: /)]);
});

test('what gets worse after it was told calls again at once', () => {
  const { say, pass, told, happen } = simulate();
  say({ severity: 'warning' });
  pass(MINUTE);
  happen({ kind: 'acknowledge', incident: 1, by: 'daniel', why: 'later' });
  say({ severity: 'critical' });
  pass(MINUTE);
  expect(told()).toEqual(['firing: photos.kua.cl is failing', 'escalate: Now critical: photos.kua.cl is failing']);
});

test('a late report does not wake what is over', () => {
  const { say, pass, told, now } = simulate();
  say({ status: 'ok' });
  say({ time: now() - MINUTE });
  pass(10 * MINUTE);
  expect(told()).toEqual([]);
});
