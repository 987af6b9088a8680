import { runCommand } from '../../../../lib/host/run';
import { list, number, optional, schema, text } from '../../../declaration';
import { operation } from '../../operation';

export const runCommandOperation = operation({
  resource: 'command',
  name: 'run',
  action: 'Run a command',
  description: 'Runs a program with its arguments; no shell looks at them',
  effect: 'changes',
  input: {
    host: text({ description: 'One of the hosts pinned in the credential. Empty: its default host.' }),
    program: text({ required: true, placeholder: '/usr/bin/uptime' }),
    arguments: list({ verbatim: true }),
    options: optional({
      timeoutSeconds: number({ default: 120, min: 1, integer: true }),
      input: text({ multiline: true, noTrim: true, description: 'What the program reads from its standard input' }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    stdout: schema.string(),
    stderr: schema.string(),
    exitCode: schema.integer(),
    durationMs: schema.number(),
    truncated: schema.boolean('Whether output was cut'),
  }),
  run: async ({ input, host, task }) => {
    const { timeoutSeconds, input: standardInput } = input.options;
    const result = await runCommand(
      host,
      { argv: [input.program, ...input.arguments], ...(standardInput !== undefined && { input: standardInput }) },
      timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1000 },
      task,
    );
    const { stdout, stderr, exitCode, durationMs, truncated } = result;
    return { host: host.target.name, stdout, stderr, exitCode, durationMs, truncated };
  },
});
