import { schema, text } from '../../../declaration';

export const serviceField = text({
  label: 'Service',
  required: true,
  placeholder: 'caddy',
  description: 'Name of the systemd unit; other kinds than services with their ending, for example backup.timer',
});

export const unitFacts = {
  unit: schema.string(),
  description: schema.string(),
  load: schema.string('loaded, not-found, masked, …'),
  active: schema.string('active, inactive, failed, activating, …'),
  sub: schema.string('running, exited, dead, …'),
  enabled: schema.nullable(schema.string()),
  since: schema.nullable(schema.string('Since when it is in this state')),
  mainPid: schema.nullable(schema.integer()),
  memoryBytes: schema.nullable(schema.integer()),
  restarts: schema.nullable(schema.integer('How often systemd restarted it by itself')),
  result: schema.nullable(schema.string('How its last run ended')),
  exitStatus: schema.nullable(schema.integer()),
} as const;
