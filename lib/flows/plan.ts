import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import type { JsonObject } from '../json';
import { type Chosen, compose, type Content } from './compose';
import type { Flow } from './flow';
import { type Decision, merge } from './merge';
import { nodePart, partsOf } from './parts';
import { baseOf, type Released } from './released';

/** A flow of this n8n, as its API tells it. */
export interface Installed {
  readonly flow: Flow;
  readonly versionId: string;
  /** Of what runs; undefined when nothing is published. */
  readonly publishedVersionId: string | undefined;
}

/** What an upgrade would do to one flow. */
export interface FlowPlan {
  readonly id: string;
  readonly name: string;
  /** The release that it comes from, where one is known. */
  readonly from: string | undefined;
  readonly versionId: string;
  /** `edits`: what runs is older than what is being edited; that is not ours to publish. */
  readonly published: 'yes' | 'no' | 'edits';
  readonly decisions: readonly Decision[];
  readonly content: Content;
  /** As it stands in n8n, to go back to. */
  readonly former: JsonObject;
}

export interface UpgradePlan {
  readonly flows: readonly FlowPlan[];
  /** Flows of the release that this n8n does not have, by file. */
  readonly missing: readonly string[];
  /** Of all that would be written, and of what it was made from. */
  readonly hash: string;
}

export function planUpgrade(
  installed: readonly Installed[],
  release: readonly Flow[],
  releases: readonly Released[],
): UpgradePlan {
  const chosen = chosenHere(installed, release);
  const known = new Map(installed.map((one) => [one.flow.id, one]));
  const flows = release.flatMap((next) => {
    const mine = known.get(next.id);
    return mine === undefined ? [] : [planFlow(mine, next, releases, chosen)];
  });
  const missing = release.filter(({ id }) => !known.has(id)).map(({ file }) => file);
  const written = flows.map(({ id, versionId, content }) => ({
    id,
    versionId,
    content: content,
  }));
  return { flows, missing, hash: createHash('sha256').update(canonicalJson(written)).digest('hex').slice(0, 16) };
}

function planFlow(mine: Installed, next: Flow, releases: readonly Released[], chosen: Chosen): FlowPlan {
  const { flow, versionId, publishedVersionId } = mine;
  const shipped = partsOf(next, new Map());
  // Names that were given here stand in expressions of nodes that nobody touched otherwise.
  const asShipped = new Map(renamedHere(flow, next, releases).map(({ here, there }) => [here, there]));
  const parts = partsOf(flow, asShipped);
  const base = baseOf(flow.id, parts, releases);
  const { parts: merged, decisions } = merge(parts, shipped, base);
  return {
    id: flow.id,
    name: flow.name,
    from: base?.version,
    versionId,
    published: publishedVersionId === undefined ? 'no' : publishedVersionId === versionId ? 'yes' : 'edits',
    decisions,
    content: compose(merged, flow, next, chosen),
    former: flow.raw,
  };
}

function renamedHere(
  flow: Flow,
  next: Flow,
  releases: readonly Released[],
): readonly { here: string; there: string }[] {
  const base = baseOf(flow.id, partsOf(flow, new Map()), releases);
  const names = new Map(next.nodes.map(({ id, name }) => [id, name]));
  return flow.nodes.flatMap(({ id, name }) => {
    const there = names.get(id);
    if (there === undefined || there === name || base?.shipped(nodePart(id, 'name'), name) === true) return [];
    return [{ here: name, there }];
  });
}

/** A new node takes the credential that its neighbours of the same name have here. */
function chosenHere(installed: readonly Installed[], release: readonly Flow[]): Chosen {
  const wanted = new Map<string, string>();
  const here = new Map<string, { readonly id: string; readonly name: string }>();
  for (const { nodes } of release)
    for (const { id, credentials } of nodes)
      for (const [type, { name }] of Object.entries(credentials))
        wanted.set(`${id} ${type}`, `${type} ${textOf(name)}`);
  for (const { flow } of installed)
    for (const { id, credentials } of flow.nodes)
      for (const [type, credential] of Object.entries(credentials)) {
        const called = wanted.get(`${id} ${type}`);
        const chosen = { id: textOf(credential.id), name: textOf(credential.name) };
        if (called !== undefined && chosen.id !== '' && !here.has(called)) here.set(called, chosen);
      }
  return (type, name) => here.get(`${type} ${name}`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
