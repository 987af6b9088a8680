import { writeSecretFile } from '../../../lib/infisical/host-file';
import { keepLease } from '../../../lib/infisical/kept-lease';
import { createLease, listLeases, type NewLease, renewLease, revokeLease } from '../../../lib/infisical/leases';
import { folderPath } from '../../../lib/infisical/place';
import type { Task } from '../../../lib/task';
import { number, optional, schema, text } from '../../declaration';
import { fileField, formatField, hostField, place, writeFileOptions } from '../fields';
import { operation, type InfisicalContext, type PlaceInput } from '../operation';
import { settingsOf } from './file.operations';

const dynamicSecret = text({ label: 'Dynamic Secret', required: true, placeholder: 'postgres-readonly' });
const leaseId = text({ label: 'Lease ID', required: true });
const ttl = text({
  label: 'Time to Live',
  placeholder: '1h',
  description: 'At least 1m. Empty: as the dynamic secret says.',
});

const leaseFacts = {
  id: schema.string(),
  expiresAt: schema.string('ISO 8601 in UTC'),
  trouble: schema.nullable(schema.string('What Infisical could not do with it')),
} as const;

async function leasePlace(
  { projectOf }: Pick<InfisicalContext, 'projectOf'>,
  { project, environment, path }: PlaceInput,
) {
  return { projectSlug: (await projectOf(project)).slug, environment, path: folderPath(path) };
}

const UNDO_MS = 60_000;

const createOperation = operation({
  resource: 'lease',
  name: 'create',
  action: 'Lease a login into a file on a host',
  description:
    'Lets Infisical make a login that ends by itself, and writes it to a file on a host for its owner only. When it cannot be written, the login is revoked.',
  effect: 'creates',
  input: {
    ...place,
    dynamicSecret,
    host: hostField,
    file: fileField,
    format: formatField,
    options: optional({ ttl, ...writeFileOptions }),
  },
  output: schema.object({
    ...leaseFacts,
    host: schema.string(),
    path: schema.string(),
    keys: schema.array(schema.string()),
  }),
  run: async ({ input, api, projectOf, hostOf, task }) => {
    const { ttl: life, createParents, ...options } = input.options;
    const where = await leasePlace({ projectOf }, input);
    const host = await hostOf(input.host, options.hostKeys);
    const lease = await createLease(api, where, input.dynamicSecret, life === '' ? undefined : life, task);
    try {
      const entries = Object.entries(lease.credentials).map(([key, value]) => ({ key, value: value.reveal() }));
      const wanted = {
        ...settingsOf(options),
        format: input.format,
        ...(createParents !== undefined && { createParents }),
      };
      const { path } = await writeSecretFile(host, input.file, entries, wanted, task);
      return { ...factsOf(lease), host: host.target.name, path, keys: entries.map(({ key }) => key) };
    } catch (error) {
      const last: Task = { ...task, signal: AbortSignal.timeout(UNDO_MS) };
      // What went wrong first is what is told; the lease ends by itself where it cannot be revoked.
      await revokeLease(api, where, lease.id, last).catch(() => undefined);
      throw error;
    }
  },
});

const holdOperation = operation({
  resource: 'lease',
  name: 'hold',
  label: 'Hold for This Execution',
  action: 'Lease a login for the rest of this execution',
  description:
    'Lets Infisical make a login that other nodes of this execution use by reference. It is revoked when the execution ends, with success, an error or Stop; after a crash it ends by itself.',
  effect: 'creates',
  input: {
    ...place,
    dynamicSecret,
    options: optional({
      ttlSeconds: number({
        label: 'Ends After a Crash (Seconds)',
        default: 300,
        min: 2,
        max: 86_400,
        integer: true,
        description:
          'While the execution lives it is renewed before that. Infisical takes two minutes or more, and the dynamic secret its own maximum.',
      }),
      longestSeconds: number({
        label: 'Longest (Seconds)',
        default: 3600,
        min: 2,
        max: 86_400,
        integer: true,
        description: 'It ends after this also when the execution goes on, or waits for something',
      }),
    }),
  },
  output: schema.object({
    ...leaseFacts,
    references: schema.array(schema.string(), 'What other nodes of this execution take where they take a secret'),
  }),
  run: async ({ input, api, projectOf, atEnd, task }) => {
    const { ttlSeconds = 300, longestSeconds = 3600 } = input.options;
    const where = await leasePlace({ projectOf }, input);
    const endWith = atEnd();
    const { lease, end } = await keepLease(
      api,
      where,
      { dynamicSecret: input.dynamicSecret, ttlSeconds, longestSeconds },
      task,
    );
    endWith(end);
    return { ...factsOf(lease), references: Object.keys(lease.credentials).map((name) => `lease:${lease.id}/${name}`) };
  },
});

function factsOf({ id, expiresAt, trouble }: Pick<NewLease, 'id' | 'expiresAt' | 'trouble'>) {
  return { id, expiresAt, trouble };
}

const listOperation = operation({
  resource: 'lease',
  name: 'list',
  action: 'List leases',
  description: 'Lists the leases of a dynamic secret that have not ended',
  effect: 'reads',
  input: { ...place, dynamicSecret },
  output: schema.object(leaseFacts),
  run: async ({ input, api, projectOf, task }) =>
    listLeases(api, await leasePlace({ projectOf }, input), input.dynamicSecret, task),
});

const renewOperation = operation({
  resource: 'lease',
  name: 'renew',
  action: 'Renew a lease',
  description: 'Lets a leased login live longer, as far as the dynamic secret allows',
  effect: 'changes',
  input: { ...place, leaseId, options: optional({ ttl }) },
  output: schema.object(leaseFacts),
  run: async ({ input, api, projectOf, task }) => {
    const life = input.options.ttl === '' ? undefined : input.options.ttl;
    return renewLease(api, await leasePlace({ projectOf }, input), input.leaseId, life, task);
  },
});

const revokeOperation = operation({
  resource: 'lease',
  name: 'revoke',
  action: 'Revoke a lease',
  description: 'Ends a leased login now; one that has ended already is an answer',
  effect: 'destroys',
  input: { ...place, leaseId },
  output: schema.object({ id: schema.string(), changed: schema.boolean() }),
  run: async ({ input, api, projectOf, task }) => ({
    id: input.leaseId,
    ...(await revokeLease(api, await leasePlace({ projectOf }, input), input.leaseId, task)),
  }),
});

export const leaseOperations = [createOperation, holdOperation, listOperation, renewOperation, revokeOperation];
