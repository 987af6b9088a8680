import fc from 'fast-check';
import { emptyMemory, type AlertMemory } from '../../../../lib/alert/memory';
import type { Message } from '../../../../lib/alert/message';
import { reduceAlerts, type AlertEvent } from '../../../../lib/alert/reduce';
import type { Report } from '../../../../lib/alert/report';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { HOUR, MINUTE, NOON, SECOND, fingerprintOf, report, simulate } from './estate';

const SEVERITIES = ['critical', 'warning', 'info', 'security'] as const;
const TARGETS: readonly Partial<Report>[] = ['bruno', 'eva'].flatMap((name): Partial<Report>[] => [
  { target: name, labels: { kind: 'host', host: name } },
  ...['a', 'b', 'c'].map((one) => ({ target: `${one} on ${name}`, labels: { kind: 'service', host: name } })),
  { target: `${name}.example`, labels: {} },
]);

const said = fc.record({
  which: fc.nat(TARGETS.length - 1),
  status: fc.constantFrom('wrong', 'ok', 'wrong'),
  severity: fc.constantFrom(...SEVERITIES),
  late: fc.constantFrom(0, 0, 0, 5 * SECOND, 2 * MINUTE),
});

/** Some hours of an estate: reports of all kinds, some late, and people who acknowledge and silence. */
const history = fc.array(
  fc.record({
    after: fc.constantFrom(0, SECOND, 20 * SECOND, 40 * SECOND, 3 * MINUTE, 20 * MINUTE, 5 * HOUR),
    reports: fc.array(said, { maxLength: 4 }),
    person: fc.constantFrom('nobody', 'nobody', 'nobody', 'acknowledges', 'silences'),
  }),
  { minLength: 1, maxLength: 40 },
);

type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

interface Played {
  readonly messages: readonly Message[];
  readonly memory: AlertMemory;
  /** The last word on each thing. */
  readonly wrong: ReadonlySet<string>;
}

/** Plays a history; `deliver` says how often each event arrives. Then everything is well, and two days pass. */
function play(steps: History, deliver: number, heal: boolean): Played {
  const messages: Message[] = [];
  let now = NOON;
  let memory = emptyMemory(now, now);
  const happen = (event: AlertEvent) => {
    for (let time = 0; time < (event.kind === 'reports' ? deliver : 1); time += 1) {
      const reduced = reduceAlerts(memory, event, now, USUAL_SETTINGS);
      memory = JSON.parse(JSON.stringify(reduced.memory)) as typeof memory;
      messages.push(...reduced.messages);
    }
  };
  const newest = new Map<string, Report>();
  for (const { after, events } of stepsOf(steps)) {
    now += after;
    for (const event of events(now)) {
      // Acknowledged is only what is still open by then.
      if (event.kind === 'acknowledge' && !memory.incidents.some(({ number }) => number === event.incident)) continue;
      happen(event);
      if (event.kind !== 'reports') continue;
      for (const one of event.reports) {
        const known = newest.get(fingerprintOf(one));
        if (known === undefined || one.time > known.time || (one.time === known.time && one.status === 'wrong')) {
          newest.set(fingerprintOf(one), one);
        }
      }
    }
  }
  if (heal) {
    now += SECOND;
    happen({ kind: 'reports', reports: [...newest.values()].map((one) => ({ ...one, status: 'ok', time: now })) });
  }
  for (let hour = 0; hour < 49; hour += 1) {
    now += HOUR;
    happen({ kind: 'tick' });
  }
  return {
    messages,
    memory,
    wrong: new Set([...newest].filter(([, { status }]) => status === 'wrong').map(([fingerprint]) => fingerprint)),
  };
}

function stepsOf(steps: History) {
  return steps.map(({ after, reports, person }) => ({
    after,
    events: (now: number): AlertEvent[] => [
      {
        kind: 'reports',
        reports: reports.map(({ which, late, ...part }) => report({ ...TARGETS[which], ...part, time: now - late })),
      },
      ...(person === 'acknowledges'
        ? [
            {
              kind: 'acknowledge',
              incident: (now / SECOND) % 4,
              by: 'daniel',
              why: 'on it',
              until: now + HOUR,
            } as const,
          ]
        : []),
      ...(person === 'silences'
        ? [
            {
              kind: 'silence',
              matchers: [{ label: 'host', operator: '=', value: 'bruno' }],
              by: 'daniel',
              why: 'work',
              until: now + HOUR,
            } as const,
          ]
        : []),
    ],
  }));
}

function perIncident(messages: readonly Message[], kind: 'firing' | 'resolved'): readonly number[] {
  return messages.flatMap((message) =>
    message.kind === kind && !(message.kind === 'firing' && message.repeat > 0)
      ? message.incidents.map(({ number }) => number)
      : [],
  );
}

test('whatever happens, each incident is told once and resolved once, in this order, and no message is made twice', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(1, 2), (steps, deliver) => {
      const { messages, memory } = play(steps, deliver, true);
      const fired = perIncident(messages, 'firing');
      const resolved = perIncident(messages, 'resolved');
      expect(new Set(fired).size).toBe(fired.length);
      expect([...resolved].sort()).toEqual([...fired].sort());
      const ids = messages.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const first = (kind: 'firing' | 'resolved', number: number) =>
        messages.findIndex((message) => message.kind === kind && perIncident([message], kind).includes(number));
      for (const number of fired) expect(first('firing', number)).toBeLessThan(first('resolved', number));
      expect([memory.incidents, memory.conditions]).toEqual([[], {}]);
    }),
    { numRuns: 150 },
  );
});

test('nothing is lost: what stays wrong is in an incident that was told and not resolved', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { messages, wrong, memory } = play(steps, 1, false);
      const resolved = new Set(perIncident(messages, 'resolved'));
      const fired = perIncident(messages, 'firing').filter((number) => !resolved.has(number));
      const covered = memory.incidents
        .filter(({ number }) => fired.includes(number))
        .flatMap(({ members, effects }) => [...members, ...effects]);
      for (const fingerprint of wrong) expect(covered).toContain(fingerprint);
    }),
    { numRuns: 150 },
  );
});

test('the same reports in any order within the wait end in the same message', () => {
  const reports = [
    ...Array.from({ length: 15 }, (_, index) => ({
      target: `service-${index}`,
      labels: { kind: 'service', host: 'bruno' },
    })),
    { target: 'bruno', labels: { kind: 'host', host: 'bruno' } },
  ];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(reports, { minLength: 16, maxLength: 16 }),
      fc.shuffledSubarray(reports, { minLength: 16, maxLength: 16 }),
      (falling, rising) => {
        const { say, pass, told } = simulate({ ...USUAL_SETTINGS, escalateAfterMs: [] });
        for (const one of falling) {
          say(one);
          pass(SECOND);
        }
        pass(5 * MINUTE);
        for (const one of rising) {
          say({ ...one, status: 'ok' });
          pass(SECOND);
        }
        pass(HOUR);
        expect(told()).toEqual([
          'firing: 15 things wrong because bruno is unreachable',
          expect.stringMatching(/^resolved: Resolved after \d+ min: 15 things wrong because bruno is unreachable$/),
        ]);
      },
    ),
    { numRuns: 25 },
  );
});
