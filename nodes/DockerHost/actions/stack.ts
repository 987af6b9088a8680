import { deployStack, rollBackStack } from '../../../lib/docker/deploy/deploy';
import { history, pruneReleases } from '../../../lib/docker/deploy/history';
import { newestCommit } from '../../../lib/docker/deploy/newest';
import { startInOrder } from '../../../lib/docker/deploy/start-order';
import { updateStack, type ServiceUpdate } from '../../../lib/docker/update/update';
import { Failure } from '../../../lib/failure';
import { isTexts } from '../../../lib/json';
import { withoutSecrets } from '../../../lib/secrets/redact';
import { resolveReference } from '../../../lib/secrets/resolve';
import { choice, json, keyValues, list, number, optional, schema, text, toggle } from '../../declaration';
import { changeOptions, hostField, readOptions, stackFields, switchOptions } from '../fields';
import { operation } from '../operation';
import { registryOptions, withRegistryLogin } from '../registryLogin';
import { composeContainer, onHost, switchFacts } from '../schemas';

function namesWithTexts(subject: string, value: unknown): Readonly<Record<string, string>> {
  if (isTexts(value)) return value;
  throw new Failure({
    code: 'invalid_parameter',
    subject,
    message: `${subject} is no object of names and texts`,
    nextStep: 'Write { "NAME": "text" }.',
  });
}

/** An empty one usually means a wrong folder, and would empty the .env of what runs. */
function referencesByName(subject: string, value: unknown): Readonly<Record<string, string>> {
  // What an expression does not give is left out.
  if (value === null || value === undefined || value === '') return {};
  const found = namesWithTexts(subject, value);
  if (Object.keys(found).length > 0) return found;
  throw new Failure({
    code: 'no_secrets',
    subject,
    message: `${subject} holds not one secret, so nothing was deployed with it`,
    nextStep: 'Check project, environment and folder of the secrets; or leave it out.',
  });
}

const deployOperation = operation({
  resource: 'stack',
  name: 'deploy',
  action: 'Deploy a stack',
  description:
    'Makes exactly one commit live, watches it, and puts the release before back when it does not become or stay healthy',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    ...stackFields,
    repository: text({ required: true, placeholder: 'https://git.example.org/me/stacks.git' }),
    commit: text({
      required: true,
      placeholder: '0123456789abcdef…',
      description: 'The whole hash, as a push webhook gives it',
    }),
    options: optional({
      ...changeOptions,
      ...switchOptions,
      folder: text({
        placeholder: 'immich',
        description: 'Where the Compose files are in the repository. Empty: its top.',
      }),
      files: list({ label: 'Compose Files', description: 'Relative to the folder. Empty: the usual names.' }),
      project: text({ label: 'Project Name', description: 'Empty: the name of the stack' }),
      gitUser: text({ label: 'Git User' }),
      gitToken: text({
        label: 'Git Token',
        placeholder: 'credential:GIT_TOKEN',
        description: 'A secret reference. It reaches git through a pipe and is written nowhere.',
      }),
      environment: keyValues({ description: 'With this or secrets given, .env is written anew with mode 600' }),
      secretEnvironment: keyValues({
        label: 'Secret Environment',
        description: 'Variables of .env whose values are secret references: credential:NAME',
      }),
      secretEnvironmentJson: json({
        label: 'Secret Environment (JSON)',
        parse: (value) => referencesByName('Secret Environment (JSON)', value),
        description:
          'The same as an object, which unlike the list can be an expression: the references that Infisical lists, for one',
      }),
      pull: choice({ options: { always: 'Always', missing: 'Only Missing Images' }, default: 'always' }),
      migratesData: toggle({
        label: 'Migrates Data',
        description:
          'Whether the release before cannot read the data any more: it wants a fresh dump and never rolls back by itself',
      }),
      dumpedAt: text({
        label: 'Dumped At',
        placeholder: '2026-01-31T02:00:00Z',
        description: 'When the dump was taken',
      }),
      dumpMaxAgeMinutes: number({ label: 'Dump Max Age (Minutes)', default: 60, min: 1, integer: true }),
      overwrite: toggle({ description: 'Whether to replace what was changed by hand in the directory' }),
      acceptMovedData: toggle({
        label: 'Accept Moved Data',
        description: 'Whether to go on although a service would write its data somewhere else than before',
      }),
      redeploy: toggle({ description: 'Whether to switch also when nothing has changed' }),
    }),
  },
  output: onHost({
    ...switchFacts,
    plan: schema.object({
      from: schema.nullable(schema.object({ release: schema.integer(), commit: schema.string() })),
      commit: schema.string(),
      files: schema.array(schema.string(), 'What the commit changes: M, A or D and the path'),
      envChanged: schema.boolean(),
      images: schema.array(schema.string()),
      overwrites: schema.array(schema.string()),
      undoesUpdates: schema.array(schema.string(), 'Updates on the host that the files of the commit do not know'),
      movedData: schema.array(
        schema.object({
          service: schema.string(),
          target: schema.string(),
          from: schema.string(),
          to: schema.string(),
        }),
      ),
      interrupted: schema.nullable(
        schema.integer('The release whose switch broke off on the host; this deploy puts that right'),
      ),
    }),
  }),
  run: async ({ input, access, secrets, hostName, task }) => {
    const { options, stack, directory, repository, commit, dryRun } = input;
    const resolve = (reference: string) => resolveReference(reference, secrets, task);
    const hidden = await Promise.all(
      Object.entries({ ...options.secretEnvironment, ...options.secretEnvironmentJson }).map(
        async ([name, one]) => [name, await resolve(one)] as const,
      ),
    );
    const { gitToken = '' } = options;
    const token = gitToken === '' ? undefined : await resolve(gitToken);
    // An option that was added and left empty is nobody's wish to empty the .env.
    const writesEnv = hidden.length > 0 || Object.keys(options.environment ?? {}).length > 0;
    const { lockWaitSeconds, folder, project, gitUser, environment, ...rest } = options;
    const wish = {
      ...rest,
      stack,
      directory,
      repository,
      commit,
      dryRun,
      folder: folder === '' ? undefined : folder,
      project: project === '' ? undefined : project,
      login: token === undefined ? undefined : { user: gitUser ?? 'git', password: token },
      env: writesEnv ? { ...environment, ...Object.fromEntries(hidden) } : undefined,
      lockWaitMs: lockWaitSeconds === undefined ? undefined : lockWaitSeconds * 1000,
    };
    const secretValues = [...hidden.map(([, value]) => value), ...(token === undefined ? [] : [token])];
    return await withoutSecrets(secretValues, async () => ({
      host: hostName,
      ...(await deployStack(access(), wish, task)),
    }));
  },
});

const rollBackOperation = operation({
  resource: 'stack',
  name: 'rollBack',
  action: 'Roll a stack back to a release',
  description: 'Makes an earlier release live again: its files, its very images, and its .env with the values of today',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    ...stackFields,
    release: number({ default: 1, min: 1, integer: true, description: 'Its number in the history' }),
    options: optional({
      ...changeOptions,
      ...switchOptions,
      envValues: choice({
        label: 'Env Values',
        options: { today: 'Of Today', release: 'Of the Release' },
        default: 'today',
        description:
          'Those of today, so that no password comes back that was rotated since; or those that the release had when it last ran',
      }),
    }),
  },
  output: onHost({
    ...switchFacts,
    keptValues: schema.array(schema.string(), 'Names in .env whose value of today stays'),
  }),
  run: async ({ input, access, hostName, task }) => {
    const { healthSeconds, graceSeconds, lockWaitSeconds, envValues } = input.options;
    const { stack, directory, release, dryRun } = input;
    const lockWaitMs = lockWaitSeconds === undefined ? undefined : lockWaitSeconds * 1000;
    const wish = { stack, directory, release, envValues, healthSeconds, graceSeconds, lockWaitMs, dryRun };
    return { host: hostName, ...(await rollBackStack(access(), wish, task)) };
  },
});

const historyOperation = operation({
  resource: 'stack',
  name: 'history',
  label: 'Get History',
  action: 'Get the history of a stack',
  description: 'Gives the releases that the host still has, one item each, the newest first',
  effect: 'reads',
  input: { host: hostField, stack: stackFields.stack, options: optional(readOptions) },
  output: onHost({
    stack: schema.string(),
    release: schema.integer(),
    live: schema.boolean(),
    commit: schema.string(),
    outcome: schema.oneOf(['ok', 'failed', 'running', 'interrupted', 'never switched']),
    reason: schema.nullable(schema.string()),
    at: schema.nullable(schema.string()),
    by: schema.nullable(schema.string()),
    repository: schema.nullable(schema.string()),
    digests: schema.record(schema.array(schema.string())),
    hasEnv: schema.boolean(),
    log: schema.nullable(schema.string('Last lines of the container that was not well')),
  }),
  run: async ({ input, access, hostName, task }) =>
    (await history(access(), input.stack, task)).map(({ base: _, outcome, ...release }) => ({
      host: hostName,
      stack: input.stack,
      ...release,
      outcome: outcome.kind === 'unknown' ? outcome.why : outcome.kind,
      reason: outcome.kind === 'unknown' ? null : outcome.reason,
    })),
});

const pruneOperation = operation({
  resource: 'stack',
  name: 'prune',
  action: 'Prune the releases of a stack',
  description: 'Forgets old releases with their images. The live one always stays.',
  effect: 'destroys',
  dryRun: true,
  input: {
    host: hostField,
    stack: stackFields.stack,
    keep: number({ default: 5, min: 1, max: 1000, integer: true, description: 'How many of the newest to keep' }),
    options: optional(changeOptions),
  },
  output: onHost({
    stack: schema.string(),
    changed: schema.boolean(),
    removed: schema.array(schema.integer()),
    kept: schema.array(schema.integer()),
    dryRun: schema.boolean(),
  }),
  run: async ({ input, access, hostName, task }) => {
    const { stack, keep, dryRun } = input;
    return { host: hostName, stack, ...(await pruneReleases(access(), { stack, keep, dryRun }, task)), dryRun };
  },
});

const counts = schema.record(schema.integer());

const updateOperation = operation({
  resource: 'stack',
  name: 'update',
  label: 'Update Images',
  action: 'Update the images of a stack',
  description:
    'Finds newer digests or tags, makes them a release, watches it, and puts the images before back when it is not well',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    stack: stackFields.stack,
    services: list({
      description:
        'Only these. Databases and services labelled selfhost.update=named are updated only when named here.',
    }),
    rules: keyValues({
      label: 'Rules',
      description:
        'By service, or * for all others: digest (the same tag), a range like ^16.2, ~1.4 or >=2 <3, or /a regular expression/',
    }),
    options: optional({
      ...changeOptions,
      ...switchOptions,
      ...registryOptions,
      rulesJson: json({
        label: 'Rules (JSON)',
        parse: (value) => namesWithTexts('Rules (JSON)', value),
        description: 'The same as an object, which unlike the list can be an expression',
      }),
      directory: text({
        placeholder: '/srv/stacks/immich',
        description: 'Of a project that was not deployed by this node. Its files are not touched.',
      }),
      project: text({ label: 'Project Name', description: 'Empty: made from the name of the directory' }),
      scan: toggle({
        label: 'Compare Vulnerabilities',
        default: true,
        description: 'Whether to ask trivy or grype, where the host has one, about the images before and after',
      }),
    }),
  },
  output: onHost({
    ...switchFacts,
    changeInFiles: schema.array(schema.string(), 'What to write into the Compose files, so that the next deploy knows'),
    services: schema.array(
      schema.object({
        service: schema.string(),
        image: schema.nullable(schema.string()),
        state: schema.oneOf(['newer', 'current', 'built', 'only when named', 'pinned', 'not named', 'unknown']),
        newImage: schema.nullable(schema.string()),
        digest: schema.nullable(schema.string()),
        newDigest: schema.nullable(schema.string()),
        why: schema.nullable(schema.string()),
        scanner: schema.nullable(schema.string('trivy, grype or no scanner; null where there was nothing to compare')),
        scanFailed: schema.nullable(schema.string()),
        before: counts,
        after: counts,
        fixed: schema.array(schema.string(), 'Vulnerabilities that the newer image does not have'),
        added: schema.array(schema.string(), 'Vulnerabilities that only the newer image has'),
      }),
    ),
  }),
  run: async ({ input, access, secrets, hostName, task }) => {
    const { stack, services, rules, dryRun, options } = input;
    const { directory, project, scan, healthSeconds, graceSeconds, lockWaitSeconds, rulesJson } = options;
    return await withRegistryLogin(options, secrets, task, async (login) => {
      const wish = {
        ...{ stack, services, dryRun, login, scan, healthSeconds, graceSeconds },
        rules: { ...rules, ...rulesJson },
        directory: directory === '' ? undefined : directory,
        project: project === '' ? undefined : project,
        lockWaitMs: lockWaitSeconds === undefined ? undefined : lockWaitSeconds * 1000,
      };
      const result = await updateStack(access(), wish, task);
      return { host: hostName, ...result, services: result.services.map(flatUpdate) };
    });
  },
});

function flatUpdate({ vulnerabilities, ...update }: ServiceUpdate) {
  const compared = vulnerabilities?.kind === 'compared' ? vulnerabilities : undefined;
  return {
    ...update,
    scanner:
      vulnerabilities === null
        ? null
        : vulnerabilities.kind === 'no scanner'
          ? vulnerabilities.kind
          : vulnerabilities.scanner,
    scanFailed: vulnerabilities?.kind === 'failed' ? vulnerabilities.why : null,
    before: compared?.before ?? {},
    after: compared?.after ?? {},
    fixed: compared?.fixed ?? [],
    added: compared?.added ?? [],
  };
}

const startOrderOperation = operation({
  resource: 'stack',
  name: 'startInOrder',
  label: 'Start in Order',
  action: 'Start stacks in order',
  description: 'Brings stacks up one after the other, each healthy before the next, and ends at the first that is not',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    stacks: list({
      required: true,
      placeholder: 'traefik',
      description: 'In this order. Each is a stack that was deployed here, or the directory of a project.',
    }),
    options: optional({
      ...changeOptions,
      waitSeconds: number({
        label: 'Wait (Seconds)',
        default: 300,
        min: 1,
        max: 3600,
        integer: true,
        description: 'For each stack',
      }),
    }),
  },
  output: onHost({
    succeeded: schema.boolean(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    stacks: schema.array(
      schema.object({
        stack: schema.string(),
        state: schema.oneOf(['healthy', 'failed', 'not begun']),
        changed: schema.boolean(),
        reason: schema.nullable(schema.string()),
        containers: schema.array(schema.object(composeContainer)),
      }),
    ),
  }),
  run: async ({ input, access, hostName, task }) => {
    const { stacks, dryRun, options } = input;
    const wish = { stacks, dryRun, waitSeconds: options.waitSeconds ?? 300 };
    return { host: hostName, ...(await startInOrder(access(), wish, task)), dryRun };
  },
});

const newestOperation = operation({
  resource: 'stack',
  name: 'newest',
  label: 'Get Newest Commit',
  action: 'Get the newest commit of a branch',
  description:
    'Asks a repository, from the host, for the newest commit of a branch: what a deploy wants, and how old a mirror is',
  effect: 'reads',
  input: {
    host: hostField,
    repository: text({ required: true, placeholder: 'https://git.example.org/me/stacks.git' }),
    branch: text({ required: true, default: 'main' }),
    options: optional({
      hostKeys: readOptions.hostKeys,
      gitUser: text({ label: 'Git User' }),
      gitToken: text({ label: 'Git Token', placeholder: 'credential:GIT_TOKEN', description: 'A secret reference' }),
      since: text({
        placeholder: '={{ $json.committedAt }}',
        description: 'When the newest commit of a copy was made: then it is told which commit came first after that',
      }),
    }),
  },
  output: onHost({
    repository: schema.string(),
    branch: schema.string(),
    commit: schema.string(),
    committedAt: schema.string(),
    ageHours: schema.number(),
    subject: schema.string(),
    firstAfter: schema.nullable(
      schema.object({ commit: schema.string(), committedAt: schema.string(), ageHours: schema.number() }),
    ),
  }),
  run: async ({ input, access, secrets, hostName, task }) => {
    const { repository, branch, options } = input;
    const { gitUser = '', gitToken = '', since } = options;
    const password = gitToken === '' ? undefined : await resolveReference(gitToken, secrets, task);
    const login = password === undefined ? {} : { login: { user: gitUser === '' ? 'git' : gitUser, password } };
    const newest = await newestCommit(access().host, { repository, branch, since, ...login }, task);
    return { host: hostName, repository, branch, ...newest };
  },
});

export const stackOperations = [
  deployOperation,
  updateOperation,
  rollBackOperation,
  startOrderOperation,
  newestOperation,
  historyOperation,
  pruneOperation,
];
