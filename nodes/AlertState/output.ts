import type { AlertMemory, Silence } from '../../lib/alert/memory';
import { viewOf, type IncidentView, type Thing } from '../../lib/alert/message';
import type { HandedOut } from '../../lib/alert/outbox';
import { SEVERITIES } from '../../lib/alert/report';
import { slackMessage } from '../../lib/alert/render/slack';
import { telegramMessage } from '../../lib/alert/render/telegram';
import { schema } from '../declaration';

const thingFacts = () => ({
  target: schema.string(),
  problem: schema.string('Completes a sentence that begins with the target'),
  evidence: schema.string(),
  severity: schema.oneOf(SEVERITIES),
  wrong: schema.boolean(),
  flapping: schema.boolean(),
  startedAt: schema.string(),
  labels: schema.record(schema.string()),
  fingerprint: schema.string(),
});

const incidentFacts = () => ({
  number: schema.integer('By which it is acknowledged'),
  severity: schema.oneOf(SEVERITIES),
  summary: schema.string('One sentence'),
  openedAt: schema.string(),
  clearedAt: schema.nullable(schema.string('Since when all of it has been well')),
  acknowledged: schema.nullable(
    schema.object({
      by: schema.string(),
      why: schema.string(),
      at: schema.string(),
      until: schema.nullable(schema.string()),
    }),
  ),
  things: schema.array(schema.object(thingFacts())),
  effects: schema.array(schema.object(thingFacts()), 'What is wrong because of them'),
});

export const incidentOutput = schema.lazy(() =>
  schema.object({ ...incidentFacts(), told: schema.boolean('Whether people have been told') }),
);

export const messageOutput = schema.lazy(() =>
  schema.object({
    id: schema.string('The same each time this message is given; what has to be confirmed'),
    kind: schema.oneOf(['firing', 'resolved', 'escalate', 'suppressed']),
    attempt: schema.integer('From 2 on it may have been sent before, by an execution that could not say so any more'),
    at: schema.string(),
    lane: schema.nullable(schema.oneOf(['now', 'waking', 'digest', 'security'], 'The route; null: for the log')),
    text: schema.string('All of it in plain text'),
    repeat: schema.integer('0 for the first'),
    level: schema.integer('How often it was escalated'),
    reason: schema.nullable(schema.string('Why it was suppressed')),
    because: schema.nullable(schema.string('Of what it was suppressed')),
    incidents: schema.array(schema.object(incidentFacts())),
    thing: schema.nullable(schema.object(thingFacts(), 'What was suppressed')),
    slack: schema.nullable(
      schema.object({ text: schema.string(), blocks: schema.array(schema.anything()) }, 'For chat.postMessage'),
    ),
    telegram: schema.nullable(
      schema.object(
        {
          text: schema.string(),
          parse_mode: schema.oneOf(['HTML']),
          link_preview_options: schema.object({ is_disabled: schema.boolean() }),
        },
        'For sendMessage',
      ),
    ),
  }),
);

export const silenceOutput = schema.lazy(() =>
  schema.object({
    silence: schema.integer('By which it is lifted'),
    matchers: schema.string(),
    by: schema.string(),
    why: schema.string(),
    from: schema.string(),
    until: schema.string(),
  }),
);

const instant = (time: number) => new Date(time).toISOString();

export function shownMessage(message: HandedOut) {
  const { id, kind, attempt, at, text } = message;
  const facts = { id, kind, attempt, at: instant(at), text };
  if (message.kind === 'suppressed') {
    const { reason, because = null, thing } = message;
    return {
      ...facts,
      ...{ lane: null, repeat: 0, level: 0, reason, because, incidents: [], thing: shownThing(thing) },
      ...{ slack: null, telegram: null },
    };
  }
  const telegram = telegramMessage(message);
  return {
    ...facts,
    lane: message.lane,
    repeat: message.kind === 'firing' ? message.repeat : 0,
    level: message.kind === 'escalate' ? message.level : 0,
    ...{ reason: null, because: null, incidents: message.incidents.map(shownIncident), thing: null },
    ...{ slack: slackMessage(message), telegram },
  };
}

function shownIncident({
  number,
  severity,
  summary,
  openedAt,
  clearedAt,
  things,
  effects,
  acknowledged,
}: IncidentView) {
  return {
    ...{ number, severity, summary, openedAt: instant(openedAt) },
    clearedAt: clearedAt === undefined ? null : instant(clearedAt),
    acknowledged:
      acknowledged === undefined
        ? null
        : {
            by: acknowledged.by,
            why: acknowledged.why,
            at: instant(acknowledged.at),
            until: acknowledged.until === undefined ? null : instant(acknowledged.until),
          },
    things: things.map(shownThing),
    effects: effects.map(shownThing),
  };
}

function shownThing({ startedAt, ...thing }: Thing) {
  return { ...thing, startedAt: instant(startedAt) };
}

export function shownIncidents(memory: AlertMemory) {
  return memory.incidents.map((incident) => ({
    ...shownIncident(viewOf(memory, incident)),
    told: incident.told !== undefined,
  }));
}

export function shownSilence({ id, matchers, by, why, from, until }: Silence) {
  const text = matchers.map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`).join(', ');
  return { silence: id, matchers: text, by, why, from: instant(from), until: instant(until) };
}
