import { parseDescribedKit, parseKitPlaces, parseKitRecord, type KitSources } from '../../../lib/backup/described/kit';
import { checkKit, provesOpening, writeKit, type KitReport } from '../../../lib/backup/kit/kit';
import { openKit } from '../../../lib/backup/kit/open';
import { isFailure } from '../../../lib/failure';
import { readFile } from '../../../lib/host/files/read';
import type { Task } from '../../../lib/task';
import { json, optional, schema, secretText, text } from '../../declaration';
import { hostField, kitField, kitFolderField, options } from '../fields';
import { operation, type BackupContext } from '../operation';

const reportFields = () =>
  ({
    kit: schema.string('Its name at every place'),
    createdAt: schema.string(),
    status: schema.oneOf(['ok', 'degraded', 'failed']),
    sentence: schema.string(),
    copies: schema.array(
      schema.object({
        place: schema.string(),
        status: schema.oneOf(['good', 'missing', 'damaged', 'unreachable', 'failed']),
        why: schema.nullable(schema.string()),
        counts: schema.boolean('Whether it outlives the provider that the kit protects against'),
      }),
    ),
  }) as const;

function reportItem({ name, createdAt }: { readonly name: string; readonly createdAt: string }, report: KitReport) {
  const { status, sentence, copies } = report;
  return {
    kit: name,
    createdAt,
    status,
    sentence,
    copies: copies.map(({ why = null, ...copy }) => ({ ...copy, why })),
  };
}

/** A service without variables of its own has no .env, which is nothing wrong. */
function sourcesOf({ host, secret }: Pick<BackupContext, 'host' | 'secret'>, task: Task): KitSources {
  return {
    resolve: secret,
    read: async (path) => {
      try {
        return (await readFile(host, path, { maxBytes: 1 << 20 }, task)).content.toString('utf8');
      } catch (error) {
        if (isFailure(error, 'file_missing')) return undefined;
        throw error;
      }
    },
  };
}

const recordField = json({
  label: 'Record',
  required: true,
  description: 'What Write has put out as its record. Nothing in it helps to open the kit.',
  parse: parseKitRecord,
});

export const writeKitOperation = operation({
  resource: 'recoveryKit',
  name: 'write',
  action: 'Write a recovery kit',
  description:
    'Writes all that a restore needs when n8n and the secret store are gone into one file that only a human can open, to every place',
  effect: 'creates',
  input: { host: hostField, kit: kitField, options: optional(options) },
  output: schema.lazy(() =>
    schema.object({ ...reportFields(), record: schema.anything('Keep it: Check and Prove Opening need it') }),
  ),
  run: async ({ input, host, rclone, secret, task }) => {
    const plan = await parseDescribedKit(input.kit, rclone.rclone, sourcesOf({ host, secret }, task));
    const { record, report } = await writeKit(host, plan, task);
    const { recipients, content, word, ...plain } = record;
    return {
      ...reportItem(record, report),
      record: { ...plain, recipients, content: { ...content }, word: { ...word } },
    };
  },
});

export const checkKitOperation = operation({
  resource: 'recoveryKit',
  name: 'check',
  action: 'Check a recovery kit',
  description:
    'Reads the kit at every place, compares it byte for byte, and says whether its content has changed since it was written',
  effect: 'reads',
  input: { host: hostField, kit: kitField, record: recordField, options: optional(options) },
  output: schema.lazy(() =>
    schema.object({ ...reportFields(), outOfDate: schema.boolean('What it should hold is something else by now') }),
  ),
  run: async ({ input, host, rclone, secret, task }) => {
    const plan = await parseDescribedKit(input.kit, rclone.rclone, sourcesOf({ host, secret }, task));
    const { outOfDate, ...report } = await checkKit(host, plan, input.record, task);
    return { ...reportItem(input.record, report), outOfDate };
  },
});

export const proveOpeningOperation = operation({
  resource: 'recoveryKit',
  name: 'proveOpening',
  label: 'Prove Opening',
  action: 'Prove that a recovery kit was opened',
  description: 'Says whether the word that somebody typed is the one that stands in the kit, and nowhere else',
  effect: 'reads',
  input: {
    record: recordField,
    word: secretText({ required: true, description: 'From the end of READ-ME-FIRST.txt in the kit' }),
  },
  output: schema.object({ kit: schema.string(), createdAt: schema.string(), opened: schema.boolean() }),
  run: ({ input }) => {
    const { name, createdAt } = input.record;
    return Promise.resolve({ kit: name, createdAt, opened: provesOpening(input.record, input.word) });
  },
});

export const openKitOperation = operation({
  resource: 'recoveryKit',
  name: 'open',
  action: 'Open a recovery kit on a new host',
  description:
    'Fetches the newest kit that any of its places has, and unpacks it on a host that has nothing yet, readable for root alone. Done again it finds that it is done.',
  effect: 'changes',
  input: {
    host: hostField,
    kit: kitField,
    identity: text({
      required: true,
      placeholder: 'credential:KIT_IDENTITY',
      description: 'A secret reference to the private key of age (AGE-SECRET-KEY-1…) or SSH',
    }),
    folder: kitFolderField,
    options: optional(options),
  },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      kit: schema.string(),
      place: schema.string('Where it was read'),
      madeAt: schema.string(),
      ageHours: schema.number(),
      changed: schema.boolean('False when it had been opened there before'),
      folder: schema.string(),
      keys: schema.array(schema.string(), 'Names of the keys in it. What they are stays on the host.'),
    }),
  ),
  run: async ({ input, host, hostName, rclone, secret, task }) => {
    const { identity, folder } = input;
    const places = parseKitPlaces(input.kit);
    const opened = await openKit(
      host,
      { rclone: rclone.rclone, places, identity: await secret(identity), folder },
      task,
    );
    return { host: hostName, ...opened, folder, keys: [...opened.keys] };
  },
});
