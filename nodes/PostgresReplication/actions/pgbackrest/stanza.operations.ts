import { configureStanza, planConfiguration } from '../../../../lib/postgres/pgbackrest/configure';
import { parseRepositories, revealRepositories } from '../../../../lib/postgres/pgbackrest/repositories';
import { createStanza, upgradeStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import { resolveReference } from '../../../../lib/secrets/resolve';
import { withoutSecrets } from '../../../../lib/secrets/redact';
import { json, keyValues, optional, schema, toggle } from '../../../declaration';
import { planHashField } from '../../fields';
import { operation } from '../../operation';
import { agreementOf, placeOf, placeSchema, stanzaFields, stanzaOptions, told } from './stanza';

const REPOSITORIES = JSON.stringify(
  [{ kind: 'folder', path: '/srv/pgbackrest', retentionFull: 2, cipherPassword: 'credential:REPOSITORY_PASSWORD' }],
  null,
  2,
);

const configure = operation({
  resource: 'pgBackRest',
  name: 'configure',
  action: 'Configure backups and archiving',
  description:
    'Writes the configuration of the stanza and has PostgreSQL archive its WAL there. Run twice it changes nothing. A dry run shows every line, without secrets.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    ...stanzaFields,
    repositories: json({
      required: true,
      default: REPOSITORIES,
      parse: parseRepositories,
      description:
        'Where backups and WAL go: folder, host, s3 or sftp. Secrets are references: credential:NAME or infisical:PROJECT/ENVIRONMENT/FOLDER/KEY.',
    }),
    planHash: planHashField,
    options: optional({
      ...stanzaOptions,
      allowRestart: toggle({
        default: false,
        description: 'Whether PostgreSQL may be restarted, which archiving needs once; clients are cut off for seconds',
      }),
      settings: keyValues({
        label: 'Further Settings',
        description: 'Options of pgBackRest for this stanza, such as process-max or compress-type. No secrets.',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean('In a dry run: whether something would be changed'),
      dryRun: schema.boolean(),
      hash: schema.string('Give it as Plan Hash, so that exactly this is done'),
      lines: schema.array(schema.string(), 'One line for each thing that is changed'),
    }),
  ),
  run: async ({ input, approvedHash, secrets: sources, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { stanza, others } = place;
    const { dryRun, options } = input;
    const { allowRestart = false, settings = {} } = options;
    const agreed = input.planHash === '' ? approvedHash : input.planHash;
    const { hash, agree } = agreementOf(place, 'configure', { allowRestart }, agreed);
    const reveal = async (reference: string) => resolveReference(reference, await sources(), task);
    const { repositories, secrets } = await revealRepositories(input.repositories, reveal);
    const { lines } = await withoutSecrets(secrets, async () => {
      const wish = { repositories, options: settings };
      if (dryRun) return planConfiguration(stanza, wish, task);
      return configureStanza(stanza, { ...wish, allowRestart, others, agree }, task);
    });
    return { ...told(place), changed: lines.length > 0, dryRun, hash: hash(lines), lines };
  },
});

const changedSchema = () =>
  schema.object({
    ...placeSchema,
    changed: schema.boolean('In a dry run: whether something would be changed'),
    dryRun: schema.boolean(),
  });

const create = operation({
  resource: 'pgBackRest',
  name: 'createStanza',
  action: 'Create the stanza',
  description:
    'Begins the stanza in every repository that has not got it; run twice it changes nothing. Look first whether the repository is mounted: on the empty disk below it would be made, too.',
  effect: 'creates',
  dryRun: true,
  input: { ...stanzaFields, options: optional(stanzaOptions) },
  output: schema.lazy(changedSchema),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { dryRun } = input;
    return { ...told(place), dryRun, ...(await createStanza(place.stanza, { dryRun }, task)) };
  },
});

const upgrade = operation({
  resource: 'pgBackRest',
  name: 'upgradeStanza',
  action: 'Upgrade the stanza',
  description: 'After an upgrade of PostgreSQL: the stanza goes on with the new system, and its old backups stay',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: { ...stanzaFields, options: optional(stanzaOptions) },
  output: schema.lazy(changedSchema),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { dryRun } = input;
    return { ...told(place), dryRun, ...(await upgradeStanza(place.stanza, { dryRun }, task)) };
  },
});

export const stanzaOperations = [configure, create, upgrade];
