import { Failure } from '../../failure';
import type { RunAs } from '../../host/command';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { SealedText } from '../../secrets/sealed';
import type { Task } from '../../task';
import type { TakingOwner } from '../owner';

export interface CommandOwner {
  readonly host: Host;
  /** What it is for people: `admin of Grafana`. */
  readonly label: string;
  readonly argv: readonly [string, ...string[]];
  readonly runAs?: RunAs;
  readonly timeoutMs?: number;
}

const REFUSED = 10;

/**
 * Whatever else knows a password, by a program on a host. It is called with one more argument: `set`, and reads the new
 * value from the first and the old one from the second line of its input; or `prove`, and reads one value, and ends with
 * 0 when that logs in and with 10 when it is refused.
 */
export function commandOwner({ host, label, argv, runAs, timeoutMs = 120_000 }: CommandOwner): TakingOwner {
  const name = `${label}, by ${argv[0]} on ${describeHost(host)}`;
  const run = (step: 'set' | 'prove', values: readonly SealedText[], task: Task) =>
    runCommand(
      host,
      {
        argv: [...argv, step],
        input: values.map((value) => `${oneLine(name, value)}\n`).join(''),
        ...(runAs !== undefined && { runAs }),
      },
      { timeoutMs, acceptExitCodes: step === 'prove' ? [0, REFUSED] : [0] },
      task,
    );
  return {
    kind: 'takes',
    name,
    check: () => Promise.resolve(),
    accepts: async (value, task) => (await run('prove', [value], task)).exitCode === 0,
    set: async (to, from, task) => {
      await run('set', [to, from], task);
      return [];
    },
  };
}

function oneLine(name: string, value: SealedText): string {
  const text = value.reveal();
  if (!/[\n\0]/.test(text)) return text;
  throw new Failure({
    code: 'rotation_refused',
    subject: name,
    message: `The value for ${name} has a line end, and each value is given as one line`,
    nextStep: 'Set one without line ends by hand first.',
  });
}
