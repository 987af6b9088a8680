import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import { isObject, type Json } from '../json';

export const PLANNED_ACTIONS = ['create', 'update', 'replace', 'delete', 'read', 'forget'] as const;
export type PlannedAction = (typeof PLANNED_ACTIONS)[number];

/** What happens to one resource. Names of what differs, never its values: those may be secrets. */
export interface PlannedChange {
  readonly address: string;
  readonly action: PlannedAction;
  readonly attributes: readonly string[];
  /** `tainted`, `delete_because_no_resource_config`; empty where Terraform gives none. */
  readonly because: string;
}

export interface PlanSummary {
  /** In the order of how much they can hurt: what is deleted or replaced comes first. */
  readonly changes: readonly PlannedChange[];
  /** Addresses of what is gone afterwards, for good or to be made anew. */
  readonly destroys: readonly string[];
  readonly outputs: readonly string[];
  readonly counts: Readonly<Record<PlannedAction, number>>;
}

const MOST_HARMFUL: readonly PlannedAction[] = ['delete', 'replace', 'forget', 'update', 'create', 'read'];

/** Reads what `terraform show -json` says of a saved plan. */
export function readPlan(text: string, subject: string): PlanSummary {
  const plan = parsed(text, subject);
  const { format_version: version, errored, resource_changes: resources = [], output_changes: outputs = {} } = plan;
  if (typeof version !== 'string' || !/^1\.\d+$/.test(version)) {
    throw unreadable(subject, `its format is ${typeof version === 'string' ? version : 'not given'}, and 1 is known`);
  }
  if (errored === true) {
    throw new Failure({
      code: 'plan_errored',
      subject,
      message: `${subject} was saved by a plan that failed, so it does not tell everything`,
      nextStep: 'Look at the output of the plan, mend what it complains about, and plan again.',
    });
  }
  if (!Array.isArray(resources) || !isObject(outputs)) throw unreadable(subject, 'its changes are no list');
  const changes = resources
    .map((one: unknown) => readChange(one, subject))
    .filter((one): one is PlannedChange => one !== undefined)
    .sort((one, other) => MOST_HARMFUL.indexOf(one.action) - MOST_HARMFUL.indexOf(other.action));
  const counts = Object.fromEntries(
    PLANNED_ACTIONS.map((action) => [action, changes.filter((one) => one.action === action).length]),
  ) as Record<PlannedAction, number>;
  return {
    changes,
    destroys: changes.filter(({ action }) => action === 'delete' || action === 'replace').map(({ address }) => address),
    outputs: Object.entries(outputs).flatMap(([name, change]) =>
      actionOf(actionsIn(change, subject), subject) === undefined ? [] : [name],
    ),
    counts,
  };
}

function readChange(one: unknown, subject: string): PlannedChange | undefined {
  if (!isObject(one) || typeof one['address'] !== 'string') throw unreadable(subject, 'a change has no address');
  const { address, change, action_reason: because } = one;
  const action = actionOf(actionsIn(change, subject), subject);
  if (action === undefined || !isObject(change)) return undefined;
  return {
    address,
    action,
    attributes: action === 'update' || action === 'replace' ? differing(change) : [],
    because: typeof because === 'string' ? because : '',
  };
}

function actionsIn(change: unknown, subject: string): readonly string[] {
  const actions = isObject(change) ? change['actions'] : undefined;
  if (!Array.isArray(actions) || !actions.every((one) => typeof one === 'string')) {
    throw unreadable(subject, 'a change does not say what it does');
  }
  return actions;
}

/** Undefined when nothing happens. What is not known must not pass for nothing. */
function actionOf(actions: readonly string[], subject: string): PlannedAction | undefined {
  const all = [...actions].sort().join(' ');
  if (all === 'no-op') return undefined;
  if (all === 'create delete') return 'replace';
  // Left alone where it is, and made anew.
  if (all === 'create forget') return 'replace';
  const known = PLANNED_ACTIONS.find((action) => action === all);
  if (known === undefined || known === 'replace') throw unreadable(subject, `it does something unknown (${all})`);
  return known;
}

function differing(change: Readonly<Record<string, unknown>>): readonly string[] {
  const part = (name: string) => (isObject(change[name]) ? change[name] : {});
  const [before, after, unknown] = [part('before'), part('after'), part('after_unknown')];
  const names = [...new Set([before, after, unknown].flatMap((one) => Object.keys(one)))].sort();
  const plain = (value: unknown) => (value === undefined ? 'null' : canonicalJson(value as Json));
  return names.filter((name) => isUnknown(unknown[name]) || plain(before[name]) !== plain(after[name]));
}

/** True, or anything in it is: known only after the apply. */
function isUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isUnknown);
  return isObject(value) ? Object.values(value).some(isUnknown) : value === true;
}

function parsed(text: string, subject: string): Readonly<Record<string, unknown>> {
  let plan: unknown;
  try {
    plan = JSON.parse(text);
  } catch {
    // The parser's own words would quote the content.
    plan = undefined;
  }
  if (isObject(plan)) return plan;
  throw unreadable(subject, 'it is no JSON object');
}

function unreadable(subject: string, why: string): Failure {
  return new Failure({
    code: 'plan_unreadable',
    subject,
    message: `${subject} cannot be read: ${why}`,
    nextStep: 'Nothing was changed. Check the version of Terraform on that host, and plan again.',
  });
}
