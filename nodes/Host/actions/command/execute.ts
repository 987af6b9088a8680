import type { Command, CommandResult, RunOptions } from '../../../../lib/host/command';
import { runCommand } from '../../../../lib/host/run';
import { withoutSecrets } from '../../../../lib/secrets/redact';
import { resolveReference, type SecretSources } from '../../../../lib/secrets/resolve';
import { Failure } from '../../../../lib/failure';
import type { Task } from '../../../../lib/task';
import { keyValues, list, number, schema, text } from '../../../declaration';
import { changeOptions, timeoutSeconds } from '../../fields';
import type { HostContext } from '../../operation';

/** Options that a command and a script share. */
export const commandOptions = {
  ...changeOptions,
  timeoutSeconds,
  directory: text({ placeholder: '/srv/stack', description: 'Where it runs' }),
  environment: keyValues({ description: 'Environment variables for the command' }),
  secretEnvironment: keyValues({
    label: 'Secret Environment',
    description:
      'Environment variables whose values are secret references: credential:NAME or infisical:PROJECT/ENVIRONMENT/FOLDER/KEY',
  }),
  input: text({ multiline: true, noTrim: true, description: 'What the command reads from its standard input' }),
  secretInput: text({
    label: 'Secret Input',
    placeholder: 'credential:DB_PASSWORD',
    description: 'A secret reference whose value the command reads from its standard input, followed by a line end',
  }),
  acceptExitCodes: list({
    label: 'Accept Exit Codes',
    description: 'Exit codes beside 0 that are an answer and not a failure, for example 1 for grep',
  }),
  maxOutputKib: number({
    label: 'Max Output (KiB)',
    default: 1024,
    min: 1,
    max: 65_536,
    integer: true,
    description: 'How much of each output stream is kept; the middle of more is left out',
  }),
};

export const commandOutput = schema.object({
  host: schema.string(),
  stdout: schema.string(),
  stderr: schema.string(),
  exitCode: schema.integer(),
  durationMs: schema.integer(),
  stdoutBytes: schema.integer('True size, also when the output was cut'),
  stderrBytes: schema.integer(),
  truncated: schema.boolean('Whether the middle of an output was left out'),
  changed: schema.boolean('Nobody knows what a command does, so always true when it ran or would run'),
  dryRun: schema.boolean(),
});

export interface CommandChoices {
  readonly timeoutSeconds?: number;
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secretEnvironment?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly secretInput?: string;
  readonly acceptExitCodes?: readonly string[];
  readonly maxOutputKib?: number;
}

type What =
  | { readonly argv: readonly [string, ...string[]] }
  | { readonly script: string; readonly arguments: readonly string[] };

/** Runs it with its secrets put in, and keeps them out of what comes back. */
export async function execute(
  { host, runAs, secrets }: HostContext,
  what: What,
  choices: CommandChoices & { readonly dryRun: boolean },
  task: Task,
): Promise<CommandResult & { host: string; changed: true; dryRun: boolean }> {
  const { input, secretValues, environment } = await secretly(choices, secrets, task);
  const command: Command = { ...what, runAs, directory: choices.directory, environment, input };
  const options: RunOptions = {
    timeoutMs: (choices.timeoutSeconds ?? 120) * 1000,
    maxOutputBytes: (choices.maxOutputKib ?? 1024) * 1024,
    acceptExitCodes: [0, ...(choices.acceptExitCodes ?? []).map(exitCode)],
  };
  const { dryRun } = choices;
  const wanted = dryRun ? checkOf(command) : command;
  const result = await withoutSecrets(secretValues, () => runCommand(host, wanted, options, task));
  return { host: host.target.name, ...result, changed: true, dryRun };
}

/** What a dry run runs instead: is the program there, can the script be read, as that user and in that directory. */
function checkOf(command: Command): Command {
  const { runAs, directory, environment } = command;
  return 'script' in command
    ? { argv: ['bash', '-n', '/dev/stdin'], input: command.script, runAs, directory, environment }
    : { script: PROGRAM_CHECK, arguments: [command.argv[0]], runAs, directory, environment };
}

const PROGRAM_CHECK = `type -P -- "$1" > /dev/null || { echo "$1 is not a program in $PATH" >&2; exit 127; }`;

async function secretly(choices: CommandChoices, secrets: SecretSources, task: Task) {
  const resolve = (reference: string) => resolveReference(reference, secrets, task);
  if (choices.input !== undefined && choices.secretInput !== undefined) {
    throw new Failure({
      code: 'input_twice',
      subject: 'command input',
      message: 'Both Input and Secret Input are given',
      nextStep: 'Keep one of them. A script can read further secrets from its environment.',
    });
  }
  const hidden = await Promise.all(
    Object.entries(choices.secretEnvironment ?? {}).map(
      async ([name, reference]) => [name, await resolve(reference)] as const,
    ),
  );
  const secretInput = choices.secretInput === undefined ? undefined : await resolve(choices.secretInput);
  return {
    input: secretInput === undefined ? choices.input : `${secretInput}\n`,
    environment: { ...choices.environment, ...Object.fromEntries(hidden) },
    secretValues: [...hidden.map(([, value]) => value), ...(secretInput === undefined ? [] : [secretInput])],
  };
}

function exitCode(text: string): number {
  const code = Number(text);
  if (Number.isInteger(code) && code >= 0 && code <= 255) return code;
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'Accept Exit Codes',
    message: `"${text}" is not an exit code`,
    nextStep: 'List whole numbers from 0 to 255.',
  });
}
