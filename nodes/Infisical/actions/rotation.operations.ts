import { DEFAULT_SOCKET } from '../../../lib/docker/engine/access';
import { Failure } from '../../../lib/failure';
import { listUnfinished } from '../../../lib/rotation/journal';
import { planRotation, rotate } from '../../../lib/rotation/rotate';
import { SealedText } from '../../../lib/secrets/sealed';
import { fileState } from '../../../lib/state/files';
import type { Task } from '../../../lib/task';
import { choice, json, list, number, optional, schema, text, when } from '../../declaration';
import { fileOptions, hostField, keyField, place, writeFileOptions } from '../fields';
import { operation } from '../operation';
import { ownerOf, OWNERS } from '../owners';
import { parseUsedBy, useOf } from '../usedBy';

const DATABASES = ['postgres', 'mysql', 'redis'];

const example = '[{ "host": "bruno", "file": "/srv/immich/.env", "compose": "/srv/immich" }]';

const rotateOperation = operation({
  resource: 'rotation',
  name: 'rotate',
  action: 'Rotate a secret',
  description:
    'Changes a password or token where it is known, then in Infisical and in every .env, restarts what uses it, and proves that the new one logs in and the old one does not. What fails puts everything back.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    ...place,
    key: keyField,
    host: {
      ...hostField,
      form: { ...hostField.form, description: 'The host from which its owner is reached. It keeps the journal.' },
    },
    valueOwner: choice({ options: OWNERS, default: 'postgres', description: 'Who decides whether the value is right' }),
    role: when('valueOwner', DATABASES, text({ label: 'Role or User', placeholder: 'immich' })),
    address: when(
      'valueOwner',
      DATABASES,
      text({
        placeholder: '127.0.0.1:5432',
        description: 'As the host sees it. Empty: the usual port of the host itself.',
      }),
    ),
    adminUser: when(
      'valueOwner',
      DATABASES,
      text({ placeholder: 'postgres', description: 'Who changes the password. Empty: the role changes its own.' }),
    ),
    adminPassword: when(
      'valueOwner',
      [...DATABASES, 'api'],
      text({
        label: 'Admin Password From',
        placeholder: 'infisical:homelab/prod/POSTGRES_PASSWORD',
        description: 'A secret reference. Never the password itself.',
      }),
    ),
    requests: when(
      'valueOwner',
      ['api'],
      json({
        parse: (value) => value,
        description:
          'With change, prove and, where the service makes the values, answerField and retire; $NEW, $OLD and $ADMIN stand for values. See the documentation.',
      }),
    ),
    program: when(
      'valueOwner',
      ['command'],
      list({
        verbatim: true,
        placeholder: '/usr/local/sbin/grafana-password',
        description:
          'The program and its arguments. It gets set or prove as its last one, and the values as lines of its input.',
      }),
    ),
    usedBy: json({
      label: 'Used By',
      default: '[]',
      parse: parseUsedBy,
      description: `The files that hold it, and what has to be restarted: ${example}`,
    }),
    options: optional({
      accountHost: text({ default: '%', description: 'MySQL: the part of the account behind the @' }),
      container: text({ placeholder: 'immich-postgres', description: 'The container in which the server runs' }),
      database: text({ default: 'postgres', description: 'PostgreSQL: the database that is logged in to' }),
      excluded: list({ label: 'Excluded', description: 'Keys and roles that are never rotated' }),
      hostKeys: fileOptions.hostKeys,
      ignoreHold: writeFileOptions.ignoreHold,
      label: text({ placeholder: 'admin of Grafana', description: 'What an API or program changes, for people' }),
      length: number({
        default: 32,
        min: 16,
        max: 200,
        integer: true,
        description: 'Letters and digits of the new value',
      }),
      socketPath: text({ placeholder: DEFAULT_SOCKET, description: 'Where Docker listens on the hosts' }),
      waitSeconds: number({
        label: 'Restart Timeout (Seconds)',
        default: 300,
        min: 5,
        max: 3600,
        integer: true,
        description: 'Until what was restarted is up and healthy',
      }),
    }),
  },
  output: schema.object({
    state: schema.oneOf(['rotated', 'dry run']),
    changed: schema.boolean(),
    key: schema.string(),
    owner: schema.string('Who knows the value, in words'),
    version: schema.integer('Of the secret in Infisical'),
    unfinished: schema.oneOf(['none', 'continued', 'taken back first', 'found']),
    files: schema.array(
      schema.object({ host: schema.string(), path: schema.string(), altered: schema.array(schema.string()) }),
    ),
    restarted: schema.array(schema.string()),
    notes: schema.array(schema.string()),
    steps: schema.array(schema.string(), 'What a dry run found that would be done'),
  }),
  run: async ({ input, api, placeOf, hostOf, secretFrom, boxKey, task }) => {
    const { options, key } = input;
    const where = await placeOf(input);
    const host = await hostOf(input.host, options.hostKeys);
    const socketPath =
      options.socketPath === undefined || options.socketPath === '' ? DEFAULT_SOCKET : options.socketPath;
    const given = input.adminPassword ?? '';
    const adminSecret = given === '' ? undefined : new SealedText(await secretFrom(given));
    const adminUser = input.adminUser ?? '';
    if (input.valueOwner !== 'api' && (adminUser === '') !== (adminSecret === undefined)) throw halfAdmin();
    const owner = ownerOf({
      kind: input.valueOwner,
      host,
      docker: { host, socketPath },
      role: input.role ?? '',
      address: input.address ?? '',
      container: options.container ?? '',
      database: options.database ?? 'postgres',
      accountHost: options.accountHost ?? '%',
      admin: adminUser === '' || adminSecret === undefined ? undefined : { user: adminUser, password: adminSecret },
      adminSecret,
      requests: input.requests,
      program: input.program ?? [],
      label: options.label ?? '',
    });
    const uses = [];
    for (const used of input.usedBy) {
      const on = used.host === '' ? host : await hostOf(used.host, options.hostKeys);
      uses.push(useOf(used, on, where, { host: on, socketPath }, options.waitSeconds ?? 300));
    }
    const fresh = await secretFrom(`generate:${options.length ?? 32}`);
    // Stop must not keep the journal from being written.
    const keeping: Task = { ...task, signal: new AbortController().signal };
    const rotation = {
      ...{ api, place: where, key, owner, uses, host },
      newValue: () => fresh,
      excluded: options.excluded ?? [],
      ...(input.role !== undefined && { role: input.role }),
      store: fileState(host, {}, keeping),
      boxKey: boxKey('rotation'),
    };
    const nothing = { files: [], restarted: [], notes: [] };
    if (input.dryRun) {
      const plan = await planRotation(rotation, task);
      const unfinished = plan.unfinished ? ('found' as const) : ('none' as const);
      return { state: 'dry run' as const, changed: false, key, ...nothing, ...plan, unfinished };
    }
    const report = await rotate(rotation, task);
    return { state: 'rotated' as const, changed: true, key, ...report, steps: [] };
  },
});

function halfAdmin(): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: 'Admin User and Admin Password From',
    message: 'Of Admin User and Admin Password From one is given without the other',
    nextStep: 'Give both, or neither: then the role changes its own password.',
  });
}

const unfinishedOperation = operation({
  resource: 'rotation',
  name: 'listUnfinished',
  action: 'List unfinished rotations',
  description:
    'Lists rotations that were broken off, by a crash or because they could not be put back; running them again finishes them',
  effect: 'reads',
  input: { host: hostField, options: optional({ hostKeys: fileOptions.hostKeys }) },
  output: schema.object({
    key: schema.string(),
    environment: schema.string(),
    path: schema.string(),
    owner: schema.string(),
    phase: schema.oneOf(['forward', 'undoing']),
    by: schema.string('The execution that began it'),
    since: schema.string('ISO 8601 in UTC'),
  }),
  run: async ({ input, hostOf, task }) =>
    listUnfinished(fileState(await hostOf(input.host, input.options.hostKeys), {}, task)),
});

export const rotationOperations = [rotateOperation, unfinishedOperation];
