import type { RunAs } from '../../../lib/host/command';
import { writeSecretFile } from '../../../lib/infisical/host-file';
import { askOrRemember, keepCopy } from '../../../lib/infisical/last-known';
import { folderPath } from '../../../lib/infisical/place';
import { entriesOf } from '../../../lib/infisical/render';
import { listSecrets } from '../../../lib/infisical/secrets';
import { optional, schema, text, toggle } from '../../declaration';
import { fileField, fileOptions, formatField, hostField, place, readOptions, writeFileOptions } from '../fields';
import { operation } from '../operation';

const report = {
  host: schema.string(),
  path: schema.string('Other than asked for when it was a link'),
  before: schema.oneOf(['missing', 'read', 'not understood']),
  added: schema.array(schema.string(), 'Names only'),
  altered: schema.array(schema.string(), 'Names only'),
  removed: schema.array(schema.string(), 'Names only'),
  keys: schema.integer('How many the file holds afterwards'),
  mode: schema.string('Four octal digits'),
  owner: schema.string(),
  group: schema.string(),
} as const;

const writeOperation = operation({
  resource: 'file',
  name: 'write',
  action: 'Write secrets to a host',
  description: 'Brings an .env file on a host to the secrets of a folder: whole or not at all, for its owner only',
  effect: 'changes',
  dryRun: true,
  input: {
    ...place,
    host: hostField,
    file: fileField,
    format: formatField,
    options: optional({
      ...readOptions,
      ...writeFileOptions,
      lastKnown: text({
        label: 'Last Known Copy',
        noTrim: true,
        placeholder: '/var/lib/selfhost/immich.last-known',
        description:
          'A file on the host for an encrypted copy, which only this credential opens. It is used when Infisical cannot be reached, never when it refuses. Empty: none is kept.',
      }),
      allowEmpty: toggle({ label: 'Allow Empty', description: 'Whether a folder without secrets empties the file' }),
    }),
  },
  output: schema.object({
    ...report,
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    source: schema.oneOf(['Infisical', 'last known copy']),
    ageSeconds: schema.nullable(schema.integer('How old the copy is that was used')),
  }),
  run: async ({ input, api, placeOf, hostOf, boxKey, task }) => {
    const { recursive, imports, expand, allowEmpty, createParents, lastKnown, ...options } = input.options;
    const host = await hostOf(input.host, options.hostKeys);
    const reading = withoutGaps({ recursive, imports, expand });
    const ask = async () => entriesOf(await listSecrets(api, await placeOf(input), reading, task));
    const copy =
      lastKnown === undefined || lastKnown === ''
        ? undefined
        : {
            host,
            path: lastKnown,
            boxKey: boxKey('last known copy'),
            about: JSON.stringify([input.project, input.environment, folderPath(input.path), reading]),
            ...runAsOf(options.runAs),
          };
    const { entries, source, ageSeconds } =
      copy === undefined
        ? { entries: await ask(), source: 'Infisical' as const, ageSeconds: null }
        : await askOrRemember(copy, ask, Date.now, task);
    const wanted = {
      ...settingsOf(options),
      format: input.format,
      dryRun: input.dryRun,
      ...withoutGaps({ allowEmpty, createParents }),
    };
    const result = await writeSecretFile(host, input.file, entries, wanted, task);
    if (copy !== undefined && source === 'Infisical' && !input.dryRun) await keepCopy(copy, entries, Date.now, task);
    return { host: host.target.name, ...result, dryRun: input.dryRun, source, ageSeconds };
  },
});

const checkOperation = operation({
  resource: 'file',
  name: 'check',
  action: 'Check a file for drift',
  description: 'Compares an .env file on a host with the secrets of a folder, and writes nothing',
  effect: 'reads',
  input: {
    ...place,
    host: hostField,
    file: fileField,
    format: formatField,
    options: optional({ ...readOptions, ...fileOptions }),
  },
  output: schema.object({ ...report, drifted: schema.boolean('Whether content, mode or owner differ') }),
  run: async ({ input, api, placeOf, hostOf, task }) => {
    const { recursive, imports, expand, ...options } = input.options;
    const host = await hostOf(input.host, options.hostKeys);
    const reading = { recursive, imports, expand };
    const entries = entriesOf(await listSecrets(api, await placeOf(input), withoutGaps(reading), task));
    const wanted = { ...settingsOf(options), format: input.format, dryRun: true, allowEmpty: true };
    const { changed: drifted, ...result } = await writeSecretFile(host, input.file, entries, wanted, task);
    return { host: host.target.name, ...result, drifted };
  },
});

interface Ownership {
  readonly mode?: string | undefined;
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
  readonly runAs?: string | undefined;
}

/** Empty fields are fields that nobody filled in. */
export function settingsOf({ mode, owner, group, runAs }: Ownership) {
  const given = (name: string, value: string | undefined) =>
    value === undefined || value === '' ? {} : { [name]: value };
  return { ...given('mode', mode), ...given('owner', owner), ...given('group', group), ...runAsOf(runAs) };
}

function runAsOf(user: string | undefined): { readonly runAs?: RunAs } {
  return user === undefined || user === '' ? {} : { runAs: user === 'root' ? 'root' : { user } };
}

type Filled<Given> = { readonly [Name in keyof Given]?: Exclude<Given[Name], undefined> };

function withoutGaps<Given extends object>(given: Given): Filled<Given> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Filled<Given>;
}

export const fileOperations = [writeOperation, checkOperation];
