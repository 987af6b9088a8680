/** What a payload is about, which decides how it is read. */
export type Kind =
  | 'push'
  | 'reference'
  | 'fork'
  | 'issue'
  | 'comment'
  | 'pullRequest'
  | 'wiki'
  | 'repository'
  | 'release'
  | 'package'
  | 'run';

interface EventDescription {
  readonly label: string;
  readonly kind: Kind;
  /** By this name a hook subscribes; the name of the event alone would mean a whole group. */
  readonly subscription?: string;
}

/**
 * The precise names, as in X-Forgejo-Event-Type. X-Forgejo-Event is of no use: it is empty for packages, and its
 * `pull_request_comment` is another thing than the type of the same name.
 */
export const EVENT_TYPES = {
  push: { label: 'Push', kind: 'push' },
  create: { label: 'Branch or Tag Created', kind: 'reference' },
  delete: { label: 'Branch or Tag Deleted', kind: 'reference' },
  fork: { label: 'Repository Forked', kind: 'fork' },
  repository: { label: 'Repository Created or Deleted', kind: 'repository' },
  release: { label: 'Release', kind: 'release' },
  package: { label: 'Package', kind: 'package' },
  wiki: { label: 'Wiki Page', kind: 'wiki' },
  action_run_success: { label: 'Actions Run Succeeded', kind: 'run' },
  action_run_failure: { label: 'Actions Run Failed', kind: 'run' },
  action_run_recover: { label: 'Actions Run Recovered', kind: 'run' },
  issues: { label: 'Issue', kind: 'issue', subscription: 'issues_only' },
  issue_assign: { label: 'Issue Assigned', kind: 'issue' },
  issue_label: { label: 'Issue Labeled', kind: 'issue' },
  issue_milestone: { label: 'Issue Milestoned', kind: 'issue' },
  issue_comment: { label: 'Issue Comment', kind: 'comment' },
  pull_request: { label: 'Pull Request', kind: 'pullRequest', subscription: 'pull_request_only' },
  pull_request_assign: { label: 'Pull Request Assigned', kind: 'pullRequest' },
  pull_request_label: { label: 'Pull Request Labeled', kind: 'pullRequest' },
  pull_request_milestone: { label: 'Pull Request Milestoned', kind: 'pullRequest' },
  pull_request_comment: { label: 'Pull Request Comment', kind: 'comment' },
  pull_request_review_approved: {
    label: 'Pull Request Approved',
    kind: 'pullRequest',
    subscription: 'pull_request_review',
  },
  pull_request_review_rejected: {
    label: 'Pull Request Rejected',
    kind: 'pullRequest',
    subscription: 'pull_request_review',
  },
  pull_request_review_comment: {
    label: 'Pull Request Review Comment',
    kind: 'pullRequest',
    subscription: 'pull_request_review',
  },
  pull_request_sync: { label: 'Pull Request Synchronized', kind: 'pullRequest' },
  pull_request_review_request: { label: 'Pull Request Review Requested', kind: 'pullRequest' },
} as const satisfies Readonly<Record<string, EventDescription>>;

export type EventType = keyof typeof EVENT_TYPES;

export function isEventType(name: string): name is EventType {
  return Object.hasOwn(EVENT_TYPES, name);
}

export function kindOf(type: EventType): Kind {
  return EVENT_TYPES[type].kind;
}

/** What a hook is told so that it sends these. A subscription may bring more types than one. */
export function subscriptionsOf(types: readonly EventType[]): readonly string[] {
  return [...new Set(types.map(subscriptionOf))].sort();
}

/** What the server says such a hook sends. */
export function sentTypes(types: readonly EventType[]): readonly EventType[] {
  const wanted = new Set(types.map(subscriptionOf));
  return (Object.keys(EVENT_TYPES) as EventType[]).filter((type) => wanted.has(subscriptionOf(type))).sort();
}

function subscriptionOf(type: EventType): string {
  const description: EventDescription = EVENT_TYPES[type];
  return description.subscription ?? type;
}
