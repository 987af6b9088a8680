import { SEVERITIES } from '../../lib/alert/report';
import { schema } from '../declaration';

/** Also what the trigger emits. */
export const newsOutput = schema.lazy(() =>
  schema.object({
    target: schema.string(),
    kind: schema.string(),
    status: schema.oneOf(['ok', 'wrong', 'unknown'], 'As Alert State takes it'),
    verdict: schema.oneOf(['ok', 'wrong', 'divergent', 'unknown'], 'Divergent: it answers some and not others'),
    was: schema.nullable(schema.oneOf(['ok', 'wrong', 'divergent'], 'What was believed before')),
    severity: schema.oneOf(SEVERITIES),
    labels: schema.record(schema.string()),
    evidence: schema.string('What was seen from where'),
    problem: schema.nullable(schema.string()),
    time: schema.string(),
    sights: schema.array(
      schema.object({
        from: schema.string(),
        outcome: schema.oneOf(['ok', 'wrong', 'unknown']),
        says: schema.string(),
        latencyMs: schema.nullable(schema.number()),
      }),
    ),
  }),
);

export const seenOutput = schema.lazy(() =>
  schema.object({
    target: schema.string(),
    group: schema.string(),
    status: schema.oneOf(['ok', 'wrong', 'divergent', 'unknown']),
    severity: schema.oneOf(SEVERITIES),
    labels: schema.record(schema.string()),
    at: schema.string('When the watch wrote this down'),
    wrongMs: schema.nullable(schema.number('On the last day that was seen')),
    latencyMs: schema.nullable(schema.number()),
  }),
);
