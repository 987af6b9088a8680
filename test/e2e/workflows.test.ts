import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from '../../lab/folders';
import { installN8n } from '../../lab/n8n/install';
import { checkFlows, type FlowFile } from '../../lab/workflows/check';
import { type NodeTypes, readNodeTypes } from '../../lab/workflows/node-types';
import { sharedN8n } from './harness';

const folder = join(repository, 'workflows');
const shipped: readonly FlowFile[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));

let types: NodeTypes;
beforeAll(async () => {
  const { modules } = await installN8n();
  types = readNodeTypes({
    'n8n-nodes-base': join(modules, 'n8n-nodes-base'),
    'n8n-nodes-selfhost': join(sharedN8n().folder, '.n8n', 'nodes', 'node_modules', 'n8n-nodes-selfhost'),
  });
});

test('every shipped flow holds what the check asks for', () => {
  expect(shipped.length).toBeGreaterThan(0);
  expect(checkFlows(shipped, types)).toEqual([]);
});

/** What the check says when one text of a shipped flow is another. */
function complaints(file: string, from: string | RegExp, to: string): readonly string[] {
  const changed = shipped.map((flow) => {
    if (flow.file !== file) return flow;
    const text = flow.text.replace(from, to);
    if (text === flow.text) throw new Error(`${file} has no ${String(from)}`);
    return { file, text };
  });
  return checkFlows(changed, types).map(({ node, message }) => (node === undefined ? message : `${node}: ${message}`));
}

test.each([
  [
    'a node that does not exist',
    'n8n-nodes-base.splitOut',
    'n8n-nodes-base.splitUp',
    'Each: no node n8n-nodes-base.splitUp exists',
  ],
  [
    'a version that does not exist',
    '"typeVersion": 2.1',
    '"typeVersion": 99',
    'E-mail: n8n-nodes-base.emailSend has no version 99; it has 1, 2, 2.1',
  ],
  [
    'an unknown parameter',
    '"fieldToSplitOut"',
    '"fieldToSplit"',
    'Each: parameter fieldToSplit does not exist for these settings',
  ],
  [
    'a choice that is none',
    '"parse_mode": "HTML"',
    '"parse_mode": "XML"',
    'Telegram: parameter additionalFields.parse_mode does not know the choice "XML"',
  ],
  ['an expression that cannot be parsed', '{{ $json.sender }}', '{{ $json.sender. }}', /cannot be parsed/],
  ['an expression with an unknown name', '{{ $json.sender }}', '{{ json.sender }}', /"json" is unknown to expressions/],
  [
    'a node that is read before it runs',
    "$('Said').first().json.title",
    "$('Slack').first().json.title",
    /"Slack" does not run before it/,
  ],
  [
    'a connection into nothing',
    '"node": "Each"',
    '"node": "Every"',
    'To whom: it leads to "Every", which is not there',
  ],
  ['a node without a way to it', '"node": "Each"', '"node": "By"', 'Each: nothing leads to it'],
  [
    'an output that does not exist',
    '"mode": "rules"',
    '"mode": "expression", "numberOutputs": 1',
    /By: it has no output/,
  ],
  ['a token', 'Notify can reach you.', 'xoxb-1234567890-abcdefghij', /holds a token of Slack/],
  ['a private key', 'Notify can reach you.', '-----BEGIN OPENSSH PRIVATE KEY-----', /holds a private key/],
  [
    'an address outside of the inventory',
    'Notify can reach you.',
    'at 203.0.113.9',
    /holds the address 203\.0\.113\.9/,
  ],
  [
    'a machine outside of the inventory',
    'Notify can reach you.',
    'https://n8n.kua.cl/x',
    /holds the name n8n\.kua\.cl/,
  ],
  [
    'a credential of one n8n',
    /"telegramApi": \{\s*"id": ""/,
    '"telegramApi": { "id": "abc"',
    'Telegram: it names the credential of one n8n',
  ],
  ['no time-out', '"executionTimeout": 300', '"executionTimeout": 0', 'it has no time-out'],
  ['errors that go nowhere', '"errorWorkflow": "selfhostOnError"', '"errorWorkflow": ""', 'its errors go nowhere'],
  [
    'a flow that is not shipped',
    '"value": "selfhostInventory"',
    '"value": "selfhostInventories"',
    'Inventory: it calls the flow selfhostInventories, which is not shipped',
  ],
  ['two nodes on one spot', /"position": \[2240, -40\]/, '"position": [2420, -40]', 'To whom: it lies on "Each"'],
  ['an id that changes', '"id": "selfhostNotify"', '"id": "aB3dE5"', /is not "selfhost…"/],
] as const)('the check finds %s', (_, from, to, expected) => {
  const found = complaints('notify.json', from, to);
  expect(found).toEqual(
    expect.arrayContaining([typeof expected === 'string' ? expected : expect.stringMatching(expected)]),
  );
});

test.each([
  ['too little room', '"historySize": 100000', '"historySize": 10000', /too little room/],
  ['no way on', /("historySize"[^]*?"onError": )"\w+"/, '$1"stopWorkflow"', /nobody is told any more/],
])('the check finds a memory of what was told that has %s', (_, from, to, expected) => {
  expect(complaints('on-error.json', from, to)).toEqual([expect.stringMatching(expected)]);
});

test('a file that is no flow is named', () => {
  expect(checkFlows([{ file: 'a.json', text: '{' }], types)).toEqual([{ file: 'a.json', message: 'it is no JSON' }]);
  expect(checkFlows([{ file: 'a.json', text: '{"id":"x"}' }], types)).toEqual([
    { file: 'a.json', message: 'it has no name' },
  ]);
});
