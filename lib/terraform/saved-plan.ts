import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { runCommand } from '../host/run';
import type { Task } from '../task';
import { type PlanSummary, readPlan } from './plan';

/**
 * show.sh DIRECTORY FILE PROGRAM: the hash of a saved plan, and what is in it. Its values go no further than to us, and
 * from here only names do: Terraform writes sensitive ones in plain.
 */
const SHOW = `
cd -- "$1"
before=$(sha256sum < "$2")
printf '%s\\n' "\${before%% *}"
TF_IN_AUTOMATION=1 "$3" show -json -no-color "$2"
after=$(sha256sum < "$2")
[ "$before" = "$after" ] || { echo 'the plan was written anew meanwhile' >&2; exit 3; }
`;

const MOST_BYTES = 64 << 20;

export interface SavedPlan {
  readonly directory: string;
  readonly file: string;
  /** `terraform`, or what is run in its place. */
  readonly program: string;
}

/** What a plan that was saved on a host would do, with the hash by which it is known when it is applied. */
export async function summarizePlan(
  host: Host,
  { directory, file, program }: SavedPlan,
  task: Task,
): Promise<PlanSummary & { readonly sha256: string }> {
  const subject = `The plan ${file} on ${describeHost(host)}`;
  const command = { script: SHOW, arguments: [directory, file, program] };
  const { stdout, truncated } = await runCommand(
    host,
    command,
    { timeoutMs: 300_000, maxOutputBytes: MOST_BYTES },
    task,
  );
  const end = stdout.indexOf('\n');
  const sha256 = stdout.slice(0, Math.max(end, 0));
  if (truncated || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new Failure({
      code: 'plan_unreadable',
      subject,
      message: `${subject} cannot be read: ${truncated ? 'it is larger than 64 MiB' : 'its hash is missing'}`,
      nextStep: 'Nothing was changed. Plan again, and look at its output.',
    });
  }
  return { sha256, ...readPlan(stdout.slice(end + 1), subject) };
}
