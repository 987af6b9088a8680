import { canonicalJson } from '../canonical-json';
import { isObject, type Json } from '../json';
import type { Decision } from './merge';
import { readPart } from './parts';
import type { FlowPlan, UpgradePlan } from './plan';

/** The plan as a person reads it in a terminal; the folder is where the flows of the release are. */
export function tellPlan({ flows, missing, hash }: UpgradePlan, folder: string): string {
  const changing = flows.filter(({ decisions }) => decisions.some(({ what }) => what !== 'yours'));
  const lines = [
    ...flows.filter(({ decisions }) => decisions.length > 0).flatMap((flow) => [...tellFlow(flow), '']),
    ...missing.map((file) => `${file}: new. Import it: n8n import:workflow --input=${folder}/${file}`),
    ...(missing.length > 0 ? [''] : []),
    changing.length === 0
      ? `${flows.length} flows, nothing to upgrade.`
      : `${changing.length} of ${flows.length} flows would change. To do exactly this: --apply ${hash}`,
  ];
  return `${lines.join('\n')}\n`;
}

function tellFlow({ name, from, published, decisions, content }: FlowPlan): readonly string[] {
  const origin = from === undefined ? 'of no known release: everything that differs counts as yours' : `from ${from}`;
  const after = {
    yes: 'published again when it is written',
    no: 'not published, and stays so',
    edits: 'has edits that you have not published: written into them, and not published',
  }[published];
  const names = new Map([
    ...namesIn(decisions),
    ...content.nodes.map((node) => [node['id'] as string, node['name'] as string] as const),
  ]);
  const whole = new Set(decisions.flatMap(wholeNode));
  const told = decisions.filter((decision) => !isPartOf(decision, whole));
  return [`${name} (${origin}; ${after})`, ...told.flatMap((decision) => tell(decision, names))];
}

/** Also of nodes that are no longer there. */
function namesIn(decisions: readonly Decision[]): readonly (readonly [string, string])[] {
  return decisions.flatMap(({ part, mine, next }) => {
    const named = readPart(part);
    const name = mine ?? next;
    return named.kind === 'node' && named.field === 'name' && typeof name === 'string'
      ? [[named.id, name] as const]
      : [];
  });
}

/** The node that comes, goes, or stays away as a whole. */
function wholeNode({ part }: Decision): readonly string[] {
  const named = readPart(part);
  return named.kind === 'node' && named.field === undefined ? [named.id] : [];
}

/** What belongs to such a node says nothing that its own line does not say, but for where a new one is connected. */
function isPartOf({ part, what }: Decision, whole: ReadonlySet<string>): boolean {
  const named = readPart(part);
  if (named.kind === 'node') return named.field !== undefined && whole.has(named.id);
  return named.kind === 'edge' && what !== 'added' && (whole.has(named.edge.from) || whole.has(named.edge.to));
}

const SIGNS = { added: '+', changed: '~', removed: '-', yours: '=' } as const;

function tell({ part, what, mine, next }: Decision, names: ReadonlyMap<string, string>): readonly string[] {
  const named = readPart(part);
  const line = (subject: string) => `  ${SIGNS[what]} ${subject}${what === 'yours' ? ': stays as you have it' : ''}`;
  const nameOf = (id: string) => JSON.stringify(names.get(id) ?? id);
  switch (named.kind) {
    case 'name':
      return [line('the name'), ...values(mine, next)];
    case 'setting':
      return [line(`the setting ${named.name}`), ...values(mine, next)];
    case 'edge': {
      const { from, kind, output, to } = named.edge;
      return [line(`the connection from ${nameOf(from)} (${kind} ${output + 1}) to ${nameOf(to)}`)];
    }
    case 'node': {
      if (named.field === undefined) return [line(`the node ${nameOf(named.id)}`)];
      const subject = { does: 'what it does', position: 'its place' }[named.field] ?? named.field;
      const told = line(`${nameOf(named.id)}: ${subject}`);
      return named.field === 'position' ? [told] : [told, ...values(mine, next)];
    }
  }
}

const WIDEST = 100;

function values(mine: Json | undefined, next: Json | undefined): readonly string[] {
  return differences(mine, next, '').map(
    ({ at, was, comes }) => `      ${at === '' ? '' : `${at}: `}${show(was)} -> ${show(comes)}`,
  );
}

interface Difference {
  readonly at: string;
  readonly was: Json | undefined;
  readonly comes: Json | undefined;
}

function differences(was: Json | undefined, comes: Json | undefined, at: string): readonly Difference[] {
  if (isObject(was) && isObject(comes)) {
    const names = [...new Set([...Object.keys(was), ...Object.keys(comes)])];
    return names.flatMap((name) =>
      differences(was[name] as Json, comes[name] as Json, at === '' ? name : `${at}.${name}`),
    );
  }
  if (Array.isArray(was) && Array.isArray(comes) && was.length === comes.length) {
    return was.flatMap((inner: Json, index) =>
      differences(inner, (comes as readonly Json[])[index], `${at}[${index}]`),
    );
  }
  const same = was !== undefined && comes !== undefined && canonicalJson(was) === canonicalJson(comes);
  return same || was === comes ? [] : [{ at, was, comes }];
}

function show(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= WIDEST ? text : `${text.slice(0, WIDEST)}... (${text.length} characters)`;
}
