import type { INodeProperties } from 'n8n-workflow';

import { fieldsOf } from '../../../nodes/declaration/properties';
import { Hetzner } from '../../../nodes/Hetzner/Hetzner.node';

const { properties } = new Hetzner().description;

function shown(resource: string, operation: string): readonly string[] {
  const fits = ({ displayOptions }: INodeProperties, name: string, value: string) =>
    displayOptions?.show?.[name]?.includes(value) ?? true;
  const names = properties.filter((one) => fits(one, 'resource', resource) && fits(one, 'operation', operation));
  return names.map(({ name }) => name).filter((name) => !['resource', 'operation', 'runOptions'].includes(name));
}

test('a node of 180 operations shows the fields of each in the order they were declared in', () => {
  const operations = Hetzner.declaration.resources.flatMap((resource) => resource.operations);
  const declared = operations.map((one) => [`${one.resource}.${one.name}`, Object.keys(fieldsOf(one))]);
  const orders = operations.map((one) => [`${one.resource}.${one.name}`, shown(one.resource, one.name)]);
  expect(operations.length).toBeGreaterThan(170);
  expect(orders).toEqual(declared);
});
