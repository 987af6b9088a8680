import { schema } from '../declaration';

export const stepsSchema = () =>
  schema.array(schema.object({ name: schema.string(), milliseconds: schema.integer() }), 'How long each step took');

/** What a change that can be planned puts out, also in a dry run. */
export const changeSchema = () =>
  schema.object({
    cluster: schema.string(),
    changed: schema.boolean('In a dry run: whether something would be changed'),
    dryRun: schema.boolean(),
    hash: schema.string('Give it as Plan Hash, so that exactly this is done'),
    lines: schema.array(schema.string(), 'One line for each thing that is changed'),
    steps: stepsSchema(),
  });

export const memberSchema = () =>
  schema.object({
    name: schema.string(),
    state: schema.oneOf(['primary', 'standby', 'refuses', 'hung', 'down', 'unknown', 'not reached']),
    why: schema.nullable(schema.string('Why it could not be asked')),
    version: schema.nullable(schema.integer('As 150018')),
    timeline: schema.nullable(schema.integer()),
    lsn: schema.nullable(schema.string('Primary: what is flushed. Standby: what it has received.')),
    replayLsn: schema.nullable(schema.string()),
    lagBytes: schema.nullable(schema.number('Of a standby, as the primary sees it')),
    lagSeconds: schema.nullable(schema.number()),
    syncState: schema.nullable(schema.string('sync, async, potential, quorum')),
    receiving: schema.nullable(schema.boolean('Of a standby: whether anybody sends it anything')),
    replayPaused: schema.nullable(schema.boolean()),
    archiverFailing: schema.nullable(schema.boolean()),
    autostart: schema.nullable(schema.boolean('Whether a reboot starts it by itself')),
    epoch: schema.nullable(schema.integer('Of the record on its host')),
    recordPrimary: schema.nullable(schema.string('Who the primary is, as its host knows it')),
    promotable: schema.nullable(schema.boolean('Every acknowledged commit is on it')),
    promotion: schema.nullable(schema.string('Step of a promotion that is not finished')),
    restore: schema.nullable(schema.string('Moment and step of a restore over it that goes on, or was cut off')),
    needs: schema.nullable(
      schema.oneOf(
        ['finish', 'failover', 'rejoin'],
        'finish: its promotion was left in the middle; failover: it was the primary and nobody takes writes; rejoin: it is behind',
      ),
    ),
    slots: schema.array(
      schema.object({
        name: schema.string(),
        active: schema.boolean(),
        retainedBytes: schema.nullable(schema.number()),
        walStatus: schema.nullable(schema.string()),
      }),
    ),
    settings: schema.record(schema.string(), 'Those that decide about durability'),
  });
