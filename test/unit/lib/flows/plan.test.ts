import { flowFrom, type Flow } from '../../../../lib/flows/flow';
import { tellPlan } from '../../../../lib/flows/difference';
import { partsOf } from '../../../../lib/flows/parts';
import { planUpgrade } from '../../../../lib/flows/plan';
import { fingerprints, type Released } from '../../../../lib/flows/released';
import type { Json, JsonObject } from '../../../../lib/json';

interface Draft {
  readonly name?: string;
  readonly nodes: readonly JsonObject[];
  readonly wires?: readonly (readonly [string, string])[];
  readonly settings?: JsonObject;
}

const node = (id: string, name: string, parameters: JsonObject, more: JsonObject = {}): JsonObject => ({
  id,
  name,
  type: 'n8n-nodes-base.set',
  typeVersion: 3.4,
  position: [0, 0],
  parameters,
  ...more,
});

function flow({ name = 'Backup', nodes, wires = [], settings = { timezone: 'Europe/Berlin' } }: Draft): Flow {
  const connections: Record<string, { main: Json[][] }> = {};
  for (const [from, to] of wires) {
    (connections[from] ??= { main: [[]] }).main[0]?.push({ node: to, type: 'main', index: 0 });
  }
  return flowFrom('backup.json', { id: 'selfhostBackup', name, nodes, connections, settings });
}

const plan = (mine: Flow, next: Flow, bases: readonly Flow[]) => {
  const releases: Released[] = bases.map((base, index) => ({
    version: `0.${index + 1}.0`,
    flows: { [base.id]: fingerprints(partsOf(base, new Map())) },
  }));
  const upgrade = planUpgrade([{ flow: mine, versionId: 'v1', publishedVersionId: 'v1' }], [next], releases);
  const [only] = upgrade.flows;
  if (only === undefined) throw new Error('the flow is not in the plan');
  return {
    ...only,
    told: tellPlan(upgrade, 'workflows'),
    kinds: only.decisions.map(({ part, what }) => `${what} ${part}`),
  };
};

const schedule = node('a', 'Every night', { hour: 2 });
const work = node('b', 'Work', { keep: 7 });
const shipped = flow({ nodes: [schedule, work], wires: [['Every night', 'Work']] });

test('what nobody touched becomes what the release has', () => {
  const next = flow({ nodes: [schedule, node('b', 'Work', { keep: 14 })], wires: [['Every night', 'Work']] });
  const { content, kinds, from, told } = plan(shipped, next, [shipped]);
  expect(content.nodes[1]).toMatchObject({ id: 'b', parameters: { keep: 14 } });
  expect(kinds).toEqual(['changed node/b/does']);
  expect(from).toBe('0.1.0');
  expect(told).toContain('~ "Work": what it does\n      parameters.keep: 7 -> 14');
});

test('what somebody edited stays, and is told where the release has it otherwise', () => {
  const mine = flow({ nodes: [node('a', 'Every night', { hour: 4 }), work], wires: [['Every night', 'Work']] });
  const next = flow({
    nodes: [node('a', 'Every night', { hour: 3 }), node('b', 'Work', { keep: 14 })],
    wires: [['Every night', 'Work']],
  });
  const { content, kinds, told } = plan(mine, next, [shipped]);
  expect(content.nodes.map((one) => one['parameters'])).toEqual([{ hour: 4 }, { keep: 14 }]);
  expect(kinds).toEqual(['yours node/a/does', 'changed node/b/does']);
  expect(told).toContain('= "Every night": what it does: stays as you have it');
});

test('a place, a setting and a name are edits of their own', () => {
  const mine = flow({
    name: 'My backup',
    nodes: [schedule, { ...work, position: [300, 40] }],
    wires: [['Every night', 'Work']],
    settings: { timezone: 'Asia/Tokyo', executionTimeout: 60 },
  });
  const next = flow({
    nodes: [schedule, { ...node('b', 'Work', { keep: 14 }), position: [200, 0] }],
    wires: [['Every night', 'Work']],
    settings: { timezone: 'Europe/Berlin', errorWorkflow: 'selfhostOnError' },
  });
  const { content } = plan(mine, next, [shipped]);
  expect(content).toEqual({
    name: 'My backup',
    nodes: [schedule, { ...node('b', 'Work', { keep: 14 }), position: [300, 40] }],
    connections: { 'Every night': { main: [[{ node: 'Work', type: 'main', index: 0 }]] } },
    settings: { timezone: 'Asia/Tokyo', executionTimeout: 60, errorWorkflow: 'selfhostOnError' },
  });
});

test("new nodes come with their connections, the user's own stay, and what was taken away stays away", () => {
  const report = node('c', 'Report', {});
  const before = flow({
    nodes: [schedule, work, report],
    wires: [
      ['Every night', 'Work'],
      ['Work', 'Report'],
    ],
  });
  const mine = flow({
    nodes: [schedule, work, node('mine', 'Ping', {})],
    wires: [
      ['Every night', 'Work'],
      ['Work', 'Ping'],
    ],
  });
  const next = flow({
    nodes: [schedule, work, report, node('d', 'Verify', {})],
    wires: [
      ['Every night', 'Work'],
      ['Work', 'Report'],
      ['Work', 'Verify'],
    ],
  });
  const { content, told } = plan(mine, next, [before]);
  expect(content.nodes.map(({ name }) => name)).toEqual(['Every night', 'Work', 'Ping', 'Verify']);
  expect(content.connections).toEqual({
    'Every night': { main: [[{ node: 'Work', type: 'main', index: 0 }]] },
    Work: {
      main: [
        [
          { node: 'Ping', type: 'main', index: 0 },
          { node: 'Verify', type: 'main', index: 0 },
        ],
      ],
    },
  });
  expect(told).toContain('+ the node "Verify"\n');
  // Known by its name also where it is gone, and told once.
  expect(told.split('\n').filter((line) => line.includes('Report'))).toEqual([
    '  = the node "Report": stays as you have it',
  ]);
  expect(told).toContain('+ the connection from "Work" (main 1) to "Verify"');
});

test('a node that the release drops goes, unless it was edited', () => {
  const next = flow({ nodes: [schedule] });
  const gone = plan(shipped, next, [shipped]);
  expect(gone.content.nodes.map(({ id }) => id)).toEqual(['a']);
  expect(gone.told.split('\n').slice(1, 3)).toEqual(['  - the node "Work"', '']);
  const mine = flow({ nodes: [schedule, node('b', 'Work', { keep: 30 })], wires: [['Every night', 'Work']] });
  const kept = plan(mine, next, [shipped]);
  expect(kept.content.nodes.map(({ id, parameters }) => [id, parameters])).toEqual([
    ['a', { hour: 2 }],
    ['b', { keep: 30 }],
  ]);
  expect(kept.kinds).toContain('yours node/b');
});

test('a node that was renamed here is found again in what comes new, and is no edit of those that name it', () => {
  const named = (id: string, of: string) => node(id, 'Uses it', { value: `={{ $('${of}').first().json.x }}` });
  const base = flow({ nodes: [schedule, work, named('c', 'Work')] });
  const mine = flow({ nodes: [schedule, { ...work, name: "The work's name" }, named('c', "The work\\'s name")] });
  const next = flow({
    nodes: [schedule, work, node('c', 'Uses it', { value: "={{ $('Work').last().json.x }}" })],
  });
  const { content, kinds } = plan(mine, next, [base]);
  expect(kinds).toEqual(['yours node/b/name', 'changed node/c/does']);
  expect(content.nodes[2]).toMatchObject({ parameters: { value: "={{ $('The work\\'s name').last().json.x }}" } });
});

test('a node that the release renames is found again by what was edited here', () => {
  const uses = (value: string) => node('c', 'Uses it', { value });
  const base = flow({ nodes: [schedule, work, uses("={{ $('Work').first().json.x }}")] });
  const mine = flow({ nodes: [schedule, work, uses("={{ $('Work').first().json.mine }}")] });
  const next = flow({ nodes: [schedule, { ...work, name: 'Do it' }, uses("={{ $('Do it').first().json.x }}")] });
  const { content } = plan(mine, next, [base]);
  expect(content.nodes[1]).toMatchObject({ name: 'Do it' });
  expect(content.nodes[2]).toMatchObject({ parameters: { value: "={{ $('Do it').first().json.mine }}" } });
});

test('a node of the release gives way to one of the same name that somebody made', () => {
  const mine = flow({ nodes: [schedule, work, node('mine', 'Verify', {})] });
  const next = flow({
    nodes: [schedule, work, node('d', 'Verify', {}), node('e', 'Then', { of: "={{ $('Verify').first().json }}" })],
  });
  const { content } = plan(mine, next, [shipped]);
  expect(content.nodes.slice(2)).toMatchObject([
    { id: 'mine', name: 'Verify' },
    { id: 'd', name: 'Verify 2' },
    { id: 'e', parameters: { of: "={{ $('Verify 2').first().json }}" } },
  ]);
});

test('credentials stay as chosen, and a new node takes the one that was chosen for the same name', () => {
  const wanted = { selfhostHost: { id: '', name: 'Estate hosts' } };
  const here = { selfhostHost: { id: '17', name: 'My hosts' } };
  const base = flow({ nodes: [{ ...work, credentials: wanted }] });
  const mine = flow({ nodes: [{ ...work, credentials: here }] });
  const next = flow({
    nodes: [
      { ...node('b', 'Work', { keep: 14 }), credentials: wanted },
      { ...node('d', 'Also', {}), credentials: { ...wanted, slackApi: { id: '', name: 'Slack' } } },
    ],
  });
  const { content } = plan(mine, next, [base]);
  expect(content.nodes).toMatchObject([{ credentials: here }, { credentials: here }]);
  expect(content.nodes[1]?.['credentials']).toEqual(here);
});

test('of two releases the one with most in common is what the flow came from', () => {
  const second = flow({ nodes: [schedule, work, node('c', 'Report', {})] });
  const third = flow({ nodes: [schedule, work, node('c', 'Report', {}), node('d', 'Verify', {})] });
  // Report came with the second release: who has the first one gets it, who has the second and not Report took it away.
  expect(plan(shipped, third, [shipped, second]).content.nodes.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
  const edited = flow({ nodes: [schedule, node('b', 'Work', { keep: 1 }), node('c', 'Report', {})] });
  const { from, content } = plan(edited, third, [shipped, second]);
  expect([from, content.nodes[1]?.['parameters']]).toEqual(['0.2.0', { keep: 1 }]);
});

test('of a flow that no release knows nothing is overwritten', () => {
  const mine = flow({ nodes: [node('a', 'Every night', { hour: 5 })] });
  const { from, content, kinds, told } = plan(mine, shipped, []);
  expect(from).toBeUndefined();
  expect(content.nodes.map(({ id, parameters }) => [id, parameters])).toEqual([
    ['a', { hour: 5 }],
    ['b', { keep: 7 }],
  ]);
  expect(kinds).toContain('yours node/a/does');
  expect(told).toContain('of no known release');
});

test('after an upgrade there is nothing to upgrade', () => {
  const mine = flow({ nodes: [node('a', 'Every night', { hour: 4 }), work], wires: [['Every night', 'Work']] });
  const next = flow({ nodes: [schedule, node('b', 'Work', { keep: 14 }), node('c', 'Report', {})] });
  const { content } = plan(mine, next, [shipped, next]);
  const after = flowFrom('n8n', { ...content, id: 'selfhostBackup' });
  const again = plan(after, next, [shipped, next]);
  expect(again.kinds).toEqual(['yours node/a/does']);
  expect(again.told).toMatch(/stays as you have it\n[^]*\n1 flows, nothing to upgrade\.\n$/);
});
