import { auditDocker } from '../../../lib/docker/audit/audit';
import { SEVERITIES } from '../../../lib/docker/audit/finding';
import { list, optional, schema } from '../../declaration';
import { hostField, readOptions } from '../fields';
import { operation } from '../operation';
import { onHost } from '../schemas';

export const auditOperation = operation({
  resource: 'system',
  name: 'audit',
  action: 'Audit the containers and projects',
  description:
    'Tells what a careful person would change, with severity, file, service and how to fix it. It changes nothing.',
  effect: 'reads',
  input: {
    host: hostField,
    options: optional({
      ...readOptions,
      folders: list({
        placeholder: '/srv/stacks',
        description: 'Folders with one project in each of their folders: so projects that are down are found, too',
      }),
      backedUp: list({
        label: 'Backed Up',
        description: 'Volumes and paths of the host that backups hold. Without it that check is not made.',
      }),
      ignore: list({ placeholder: 'no_limits', description: 'Checks to leave out' }),
    }),
  },
  output: onHost({
    critical: schema.integer(),
    high: schema.integer(),
    medium: schema.integer(),
    low: schema.integer(),
    containers: schema.integer('How many were looked at'),
    projects: schema.integer('How many were looked at'),
    notChecked: schema.array(schema.string(), 'What could not be looked at, and why'),
    findings: schema.array(
      schema.object({
        check: schema.string(),
        severity: schema.oneOf(SEVERITIES),
        project: schema.nullable(schema.string()),
        service: schema.nullable(schema.string()),
        container: schema.nullable(schema.string()),
        file: schema.nullable(schema.string()),
        message: schema.string(),
        howToFix: schema.string(),
      }),
      'The worst first',
    ),
  }),
  run: async ({ input, access, engine, hostName, task }) => {
    const { folders, backedUp, ignore } = input.options;
    const audit = await auditDocker(await engine(), access(), { folders, backedUp, ignore }, task);
    const count = (severity: string) => audit.findings.filter((one) => one.severity === severity).length;
    const counts = { critical: count('critical'), high: count('high'), medium: count('medium'), low: count('low') };
    return { host: hostName, ...counts, ...audit };
  },
});
