import { list, optional, text } from '../../../declaration';
import { hostField } from '../../fields';
import { operation } from '../../operation';
import { commandOptions, commandOutput, execute } from './execute';

export const runScriptOperation = operation({
  resource: 'command',
  name: 'runScript',
  action: 'Run a script',
  description: 'Runs a bash script that ends at its first failing command, also inside a pipe',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    script: text({
      required: true,
      multiline: true,
      noTrim: true,
      placeholder: 'df -h -- "$1"',
      description:
        'Bash. Keep it fixed: values go in as arguments ($1, $2, …), where no shell can mistake them for code.',
    }),
    arguments: list({ verbatim: true, description: 'One on each line; $1, $2, … in the script' }),
    options: optional(commandOptions),
  },
  output: commandOutput,
  run: ({ input, task, ...context }) =>
    execute(
      context,
      { script: input.script, arguments: input.arguments },
      { ...input.options, dryRun: input.dryRun },
      task,
    ),
});
