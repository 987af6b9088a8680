import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { parseJournal, type LogLine } from './journal';
import { serviceStatus, knownUnit } from './status';
import { runSystemd } from './systemd';
import { UNIT_PROPERTIES, type Unit } from './unit';
import { parseUnitName } from './unit-name';

export type ServiceAction = 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable';

export interface ServiceChangeWanted {
  readonly name: string;
  readonly action: ServiceAction;
  /** With enable: start it, too; with disable: stop it, too. */
  readonly now?: boolean;
  /** How long it may take to get there. Default 60 s. */
  readonly waitMs?: number;
  /** Only says what would be done. */
  readonly dryRun?: boolean;
}

export interface ServiceChange {
  readonly unit: string;
  readonly action: ServiceAction;
  readonly changed: boolean;
  readonly dryRun: boolean;
  /** What was done, or would be: nothing where it already is as wanted. */
  readonly steps: readonly ServiceAction[];
  readonly before: Unit;
  /** Null in a dry run. */
  readonly after: Unit | null;
}

const DEFAULT_WAIT_MS = 60_000;
/** A service that is started and dies at once is seen by systemctl as started: it is watched this long. */
const WATCH_MS = 1_500;

/** Brings a unit to where it should be; what is there already is left alone. A start that fails tells its last words. */
export async function changeService(host: Host, wanted: ServiceChangeWanted, task: Task): Promise<ServiceChange> {
  const { action, now = false, dryRun = false, waitMs = DEFAULT_WAIT_MS } = wanted;
  const unit = parseUnitName(wanted.name);
  const { log: _, ...before } = await serviceStatus(host, { name: unit, logLines: 0 }, task);
  refuseImpossible(host, before, action);
  const steps = stepsTo(before, action, now);
  const change = { unit, action, changed: steps.length > 0, dryRun, steps, before };
  if (dryRun) return { ...change, after: null };
  let after: Unit = before;
  for (const step of steps) {
    task.progress({ message: `${step} ${unit} on ${describeHost(host)}` });
    after = await take(host, { unit, step, waitMs, before }, task);
  }
  return { ...change, after };
}

function stepsTo(unit: Unit, action: ServiceAction, now: boolean): ServiceAction[] {
  const runs = unit.active === 'active' || unit.active === 'reloading';
  const rests = unit.active === 'inactive' || unit.active === 'failed';
  switch (action) {
    case 'start':
      return runs ? [] : ['start'];
    case 'stop':
      return rests ? [] : ['stop'];
    case 'restart':
    case 'reload':
      return [action];
    case 'enable':
      return [...(unit.enabled === 'enabled' ? [] : ['enable' as const]), ...(now && !runs ? ['start' as const] : [])];
    case 'disable':
      return [
        ...(unit.enabled === 'disabled' ? [] : ['disable' as const]),
        ...(now && !rests ? ['stop' as const] : []),
      ];
  }
}

function refuseImpossible(host: Host, unit: Unit, action: ServiceAction): void {
  const subject = `${unit.unit} on ${describeHost(host)}`;
  if (unit.load === 'masked' && action !== 'stop' && action !== 'disable') {
    throw new Failure({
      code: 'unit_masked',
      subject,
      message: `${subject} is masked, so that nobody starts it`,
      nextStep: 'Somebody did that on purpose. If it should run again: systemctl unmask it there.',
    });
  }
  if ((action === 'enable' || action === 'disable') && !isEnableable(unit.enabled)) {
    throw new Failure({
      code: 'unit_not_enableable',
      subject,
      message: `${subject} cannot be enabled or disabled: it is ${unit.enabled ?? 'without a unit file'}`,
      nextStep: 'Something else starts it, or nothing does. Give its unit file an [Install] section, or start it only.',
    });
  }
}

function isEnableable(state: string | null): boolean {
  return state !== null && !['static', 'generated', 'transient', 'bad'].includes(state);
}

/**
 * Prints, with NULs between: exit code, complaint, `unsteady` when it fell while it was watched, the unit,
 * and what it logged meanwhile.
 */
const CHANGE = `
unit=$1 action=$2 properties=$3 seconds=$4 watch=$5
printf -v since '@%(%s)T' -1
status=0
complaint=$(timeout --foreground "$seconds" systemctl --no-ask-password "$action" -- "$unit" 2>&1) || status=$?
sample() { systemctl show --property=NRestarts,SubState,ActiveState -- "$unit" | sort; }
unsteady= first=
if [ "$status" = 0 ]; then
  for ((waited = 0; waited < watch; waited += 100)); do
    now=$(sample)
    case $now in
      *=failed* | *=auto-restart*) unsteady=unsteady; break ;;
      *=inactive*) break ;;
    esac
    [ -n "$first" ] || first=\${now#*NRestarts=} first=\${first%%[!0-9]*}
    last=\${now#*NRestarts=} last=\${last%%[!0-9]*}
    if [ "$last" != "$first" ]; then unsteady=unsteady; break; fi
    sleep 0.1
  done
fi
printf '%s\\0%s\\0%s\\0' "$status" "$complaint" "$unsteady"
systemctl show --no-pager --property="$properties" -- "$unit"
printf '\\0'
timeout --foreground 5 journalctl --sync 2>/dev/null || :
journal --since="$since" --lines=20 --unit="$unit"
`;

interface Step {
  readonly unit: string;
  readonly step: ServiceAction;
  readonly waitMs: number;
  readonly before: Unit;
}

interface Outcome {
  readonly status: number;
  readonly complaint: string;
  /** It fell while it was watched, and may be up again by now: systemd restarts it. */
  readonly unsteady: boolean;
  readonly after: Unit;
  readonly log: readonly LogLine[];
}

async function take(host: Host, { unit, step, waitMs, before }: Step, task: Task): Promise<Unit> {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const brings = step === 'start' || step === 'restart';
  const watched = brings && unit.endsWith('.service');
  const [status, complaint = '', unsteady, shown = '', log = ''] = await runSystemd(
    host,
    {
      script: CHANGE,
      arguments: [unit, step, UNIT_PROPERTIES, String(seconds), String(watched ? WATCH_MS : 0)],
      timeoutMs: seconds * 1000 + 30_000,
    },
    task,
  );
  const outcome: Outcome = {
    status: Number(status),
    complaint: complaint.trim(),
    unsteady: unsteady === 'unsteady',
    after: knownUnit(host, unit, shown),
    log: parseJournal(log),
  };
  if (outcome.status === 0 && !(brings && hasFailed(outcome))) return outcome.after;
  throw changeFailed(host, { unit, step, waitMs, before }, outcome);
}

function hasFailed({ unsteady, after }: Outcome): boolean {
  return unsteady || after.active === 'failed' || after.sub === 'auto-restart';
}

function changeFailed(host: Host, { unit, step, waitMs, before }: Step, outcome: Outcome): Failure {
  const subject = `${unit} on ${describeHost(host)}`;
  const { status, complaint, after, log } = outcome;
  const details = {
    step,
    before: { ...before },
    after: { ...after },
    log: log.map((line) => ({ ...line })),
    complaint,
  };
  if (status === 124) {
    return new Failure({
      code: 'unit_not_settled',
      subject,
      message: `${subject} did not ${step} within ${waitMs / 1000} s; it is ${after.active} (${after.sub}), and systemd goes on trying`,
      nextStep: 'Look at its status and log in a moment, or allow it more time.',
      details,
    });
  }
  if (/access denied|authentication|not permitted|permission denied/i.test(complaint)) {
    return new Failure({
      code: 'unit_change_refused',
      subject,
      message: `User ${host.identity.user} may not ${step} ${subject}`,
      nextStep: 'Choose a sudo mode in the Host credential, or log in as a user who may.',
      details,
    });
  }
  if (step === 'start' || step === 'restart') {
    const last = log.filter(({ message }) => message.trim() !== '').at(-1)?.message ?? complaint.split('\n')[0] ?? '';
    const how = after.result === null || after.result === 'success' ? '' : ` (${ending(after)})`;
    return new Failure({
      code: 'unit_failed',
      subject,
      message: `${subject} did not come up${how}${last === '' ? '' : `: ${last.slice(0, 300)}`}`,
      nextStep: 'Read its last log lines in the details, correct the cause, and start it again.',
      details,
    });
  }
  return new Failure({
    code: 'unit_change_failed',
    subject,
    message: `${subject} could not be changed (${step}): ${complaint.slice(0, 300) || `exit code ${status}`}`,
    nextStep: 'Read what systemctl says in the details.',
    details,
  });
}

function ending({ result, exitStatus }: Unit): string {
  return result === 'exit-code' && exitStatus !== null ? `exit code ${exitStatus}` : (result ?? 'unknown');
}
