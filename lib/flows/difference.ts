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
  const names = new Map(content.nodes.map((node) => [node['id'] as string, node['name'] as string]));
  return [`${name} (${origin}; ${after})`, ...decisions.flatMap((decision) => tell(decision, names))];
}

const SIGNS = { added: '+', changed: '~', removed: '-', yours: '=' } as const;

/** Nothing of its own: a node that comes or goes is told once, not by its fields. */
function tell(decision: Decision, names: ReadonlyMap<string, string>): readonly string[] {
  const { part, what, mine, next } = decision;
  const named = readPart(part);
  const line = (subject: string) => `  ${SIGNS[what]} ${subject}${what === 'yours' ? ': stays as you have it' : ''}`;
  const nameOf = (id: string) => `"${names.get(id) ?? id}"`;
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
      if (what === 'added' && mine === undefined && !names.has(named.id)) return [];
      if (isWhole(decision)) return [];
      const what_ = { does: 'what it does', position: 'its place' }[named.field] ?? named.field;
      const subject = line(`${nameOf(named.id)}: ${what_}`);
      return named.field === 'position' ? [subject] : [subject, ...values(mine, next)];
    }
  }
}

/** A field that comes or goes with its node says nothing that the node's own line does not say. */
function isWhole({ part, what, mine, next }: Decision): boolean {
  return (
    /^node\/[^/]+\/(?:does|name|position)$/.test(part) && what !== 'yours' && (mine === undefined || next === undefined)
  );
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
