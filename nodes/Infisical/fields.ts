import { parseIdentity } from '../../lib/host/identity';
import { infisicalApi } from '../../lib/infisical/api';
import { parseInfisicalCredential } from '../../lib/infisical/credential';
import { listProjects } from '../../lib/infisical/projects';
import { FORMATS } from '../../lib/infisical/render';
import type { Secret } from '../../lib/infisical/secret';
import { choice, keyValues, pick, schema, searchable, text, toggle } from '../declaration';
import { hostKeysField, ignoreHoldField } from '../shared/hostFields';

const projects = searchable('searchProjects', async (asker, filter) => {
  const { readOnly: _, ...settings } = parseInfisicalCredential(await asker.getCredentials('selfhostInfisical'));
  const api = infisicalApi(settings);
  const task = { signal: AbortSignal.timeout(20_000), progress: () => undefined, owner: 'list of projects' };
  const all = await listProjects(api, task).finally(api.close);
  const wanted = filter.toLowerCase();
  return {
    results: all
      .filter(({ name, slug }) => `${name} ${slug}`.toLowerCase().includes(wanted))
      .map(({ name, slug }) => ({ name, value: slug })),
  };
});

export const projectField = pick(projects, { label: 'Project', byHand: 'By Slug or ID', placeholder: 'homelab' });

const environmentFacts = { required: true, placeholder: 'prod', description: 'Its slug' };
export const environmentField = text({ label: 'Environment', ...environmentFacts });

export const pathField = text({ label: 'Path', default: '/', placeholder: '/immich', description: 'The folder' });

/** Where the secrets are. */
export const place = { project: projectField, environment: environmentField, path: pathField };

export const keyField = text({ label: 'Key', required: true, noTrim: true, placeholder: 'DB_PASSWORD' });

const sourceOfValue =
  'A secret reference (credential:NAME or infisical:PROJECT/ENVIRONMENT/FOLDER/KEY), or generate:32 for a new random value. Never the value itself.';

export const valueField = text({ label: 'Value From', placeholder: 'generate:32', description: sourceOfValue });

export const valuesField = keyValues({ label: 'Secrets', entry: 'Secret', description: `Value: ${sourceOfValue}` });

export const readOptions = {
  recursive: toggle({ label: 'Recursive', description: 'Whether folders below are read too' }),
  imports: toggle({ label: 'Imports', default: true, description: 'Whether imported secrets are included' }),
  expand: toggle({
    label: 'Expand References',
    default: true,
    description: 'Whether references to other secrets inside of values are replaced by what they stand for',
  }),
};

const hosts = searchable('searchSecretHosts', async (asker, filter) => {
  const { hosts: pinned } = parseIdentity(await asker.getCredentials('selfhostHost'));
  return {
    results: pinned
      .filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()))
      .map(({ name, address, port }) => ({ name: `${name} (${address}:${port})`, value: name })),
  };
});

export const hostField = pick(hosts, {
  label: 'Host',
  required: false,
  byHand: 'By Name or Address',
  placeholder: 'bruno',
  description: 'One of the hosts pinned in the Host credential. Empty: its default host.',
});

export const fileField = text({
  label: 'File',
  required: true,
  noTrim: true,
  placeholder: '/srv/immich/.env',
  description: 'Absolute, or ~/ for the home of the user it runs as',
});

export const formatField = choice({ label: 'Format', options: FORMATS, default: 'compose' });

export const fileOptions = {
  mode: text({ default: '0600', description: 'Octal' }),
  owner: text({ placeholder: '1000', description: 'Name or number. Default: as it was, or whom it runs as.' }),
  group: text({ placeholder: '1000', description: 'Name or number. Default: as it was.' }),
  runAs: text({ label: 'Run As', placeholder: 'deploy', description: 'User on the host' }),
  hostKeys: hostKeysField,
};

export const writeFileOptions = {
  ...fileOptions,
  createParents: toggle({ label: 'Create Parents', description: 'Whether to make missing directories above it' }),
  ignoreHold: ignoreHoldField,
};

/** What is told of a secret: never its value. */
export const secretFacts = {
  key: schema.string(),
  path: schema.string('The folder it is in'),
  environment: schema.string(),
  version: schema.integer(),
  imported: schema.boolean('Whether it comes from another place by an import'),
  comment: schema.string(),
  tags: schema.array(schema.string()),
  updatedAt: schema.nullable(schema.string('ISO 8601 in UTC')),
  reference: schema.nullable(schema.string('How other nodes use it, or null where its name cannot stand in one')),
} as const;

export function factsOf(secret: Secret, project: { readonly slug: string }) {
  const { key, path, environment, version, imported, comment, tags, updatedAt } = secret;
  const folders = path === '/' ? '' : path;
  const reference = /\s/.test(key) ? null : `infisical:${project.slug}/${environment}${folders}/${key}`;
  return { key, path, environment, version, imported, comment, tags, updatedAt: updatedAt ?? null, reference };
}

export const state = schema.oneOf(['done', 'waiting for approval', 'nothing to do', 'dry run']);
export const approvalId = schema.nullable(schema.string('Of the request that somebody has to approve in Infisical'));
