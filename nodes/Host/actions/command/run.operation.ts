import { list, optional, text } from '../../../declaration';
import { hostField } from '../../fields';
import { operation } from '../../operation';
import { commandOptions, commandOutput, execute } from './execute';

export const runCommandOperation = operation({
  resource: 'command',
  name: 'run',
  action: 'Run a command',
  description: 'Runs a program with its arguments. No shell looks at them.',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    program: text({ required: true, placeholder: 'uptime', description: 'Name or full path of the program' }),
    arguments: list({ verbatim: true, description: 'One on each line, exactly as the program gets them' }),
    options: optional(commandOptions),
  },
  output: commandOutput,
  run: ({ input, task, ...context }) =>
    execute(context, { argv: [input.program, ...input.arguments] }, { ...input.options, dryRun: input.dryRun }, task),
});
