import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { checkInventory } from '../../../../lib/inventory/check';
import { schema } from '../../../../nodes/declaration';
import { assertMatches } from '../../../../nodes/declaration/schema';
import { inventoryOutput } from '../../../../nodes/Host/actions/inventory/schema';

const file = join(__dirname, '../../../../workflows/inventory.json');
const { nodes } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly nodes: readonly { readonly name: string; readonly parameters: { readonly jsonOutput?: string } }[];
};
const shipped = JSON.parse(nodes.find(({ name }) => name === 'Estate')?.parameters.jsonOutput ?? '') as {
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  readonly git: object;
};
const pinned = shipped.hosts.map(({ name, address }) => ({ name, aliases: [], address, port: 22, pins: [] }));

const order = { type: 'cx32', image: 'docker-ce', location: 'fsn1', sshKeys: ['n8n'], notInDrills: [] };
const [first, ...others] = shipped.hosts;
const everything = {
  ...shipped,
  hosts: [{ ...first, server: 'bruno', powerOff: true, recovery: order }, ...others],
  git: { ...shipped.git, mirror: { url: 'https://git.example', user: 'n8n', token: 'credential:MIRROR' } },
};

test.each([
  ['the shipped inventory', shipped],
  ['one with what is left out there', everything],
])('what is read of %s is what the node says that it puts out', (_, inventory) => {
  const { warnings: _warnings, ...read } = checkInventory(inventory, pinned);
  assertMatches(schema.object(inventoryOutput), read);
});
