import type { IDisplayOptions, INodeProperties, NodeParameterValue } from 'n8n-workflow';
import { alphabetical } from './alphabetical';
import { labelOf, titleCase } from './field';
import type { Field, Fields } from './field';
import { number } from './fields/number';
import { optional } from './fields/optional';
import { text } from './fields/text';
import { toggle } from './fields/toggle';
import type { Operation } from './operation';
import type { Resource } from './resource';

export const mostInParallel = 50;

/** Without the option: reads go five at a time, everything else one after the other. */
export function parallelByDefault(operation: Operation<never>): number {
  return operation.effect === 'reads' ? 5 : 1;
}

export const dryRunField: Field<boolean> = toggle({
  description: 'Whether to only say what would be done, and change nothing',
});

const approvalTokenField = text({
  description: 'Needed when an AI agent calls this: the single-use token that a person gave for exactly this plan',
});

export const runOptionsField = optional(
  {
    itemsInParallel: number({
      default: 5,
      min: 1,
      max: mostInParallel,
      integer: true,
      description:
        'How many items are worked on at the same time. Without this option: 5 for operations that only read, and one after the other for those that change something.',
    }),
  },
  { label: 'Run Options' },
);

/** The declared fields and those that come for free. */
export function fieldsOf(operation: Operation<never>): Fields {
  const fields: Record<string, Field<unknown>> = { ...operation.input };
  const add = (name: string, field: Field<unknown>) => {
    if (name in fields) throw new Error(`${operation.resource}.${operation.name}: the field name ${name} is taken`);
    fields[name] = field;
  };
  if (operation.dryRun) add('dryRun', dryRunField);
  if (operation.needsApproval) add('approvalToken', approvalTokenField);
  for (const reserved of ['resource', 'operation', 'runOptions']) {
    if (reserved in fields)
      throw new Error(`${operation.resource}.${operation.name}: ${reserved} is a reserved field name`);
  }
  return fields;
}

/** The form of a whole node. */
export function propertiesOf(resources: readonly Resource<never>[]): INodeProperties[] {
  return [
    resourceProperty(resources),
    ...resources.map(operationProperty),
    ...inputProperties(resources),
    { displayName: labelOf('runOptions', runOptionsField), name: 'runOptions', ...runOptionsField.form },
  ];
}

function resourceProperty(resources: readonly Resource<never>[]): INodeProperties {
  const options = resources.map(({ name, label, description }) => ({
    name: label,
    value: name,
    ...(description !== undefined && { description }),
  }));
  return {
    displayName: 'Resource',
    name: 'resource',
    type: 'options',
    noDataExpression: true,
    options: options.sort((a, b) => alphabetical(a.name, b.name)),
    default: resources[0]?.name ?? '',
  };
}

function operationProperty({ name, operations }: Resource<never>): INodeProperties {
  const options = operations.map((operation) => ({
    name: operation.label ?? titleCase(operation.name),
    value: operation.name,
    description: operation.description,
    action: operation.action,
  }));
  return {
    displayName: 'Operation',
    name: 'operation',
    type: 'options',
    noDataExpression: true,
    displayOptions: { show: { resource: [name] } },
    options: options.sort((a, b) => alphabetical(a.name, b.name)),
    default: operations[0]?.name ?? '',
  };
}

/** One form field, and the operations that use it in exactly this form. */
interface SharedProperty {
  readonly property: INodeProperties;
  readonly condition: Readonly<Record<string, NodeParameterValue[]>>;
  /** Operations by resource. */
  readonly users: Map<string, Set<string>>;
}

/**
 * Fields of the same name and form become one property that lists the operations using it: n8n resolves a node of
 * hundreds of operations several times faster that way, and a value survives changing the operation.
 */
function inputProperties(resources: readonly Resource<never>[]): INodeProperties[] {
  const known = new Map<string, SharedProperty>();
  const forms: SharedProperty[][] = [];
  for (const { name: resource, operations } of resources) {
    for (const operation of operations) {
      const form = Object.entries(fieldsOf(operation)).map(([name, field]) => {
        const facts = rendered(name, field);
        const key = JSON.stringify(facts);
        const shared = known.get(key) ?? { ...facts, users: new Map<string, Set<string>>() };
        known.set(key, shared);
        shared.users.set(resource, (shared.users.get(resource) ?? new Set()).add(operation.name));
        return shared;
      });
      if (form.length > 0) forms.push(form);
    }
  }
  return inOrder([...known.values()], forms).flatMap((shared) => placed(shared, resources));
}

/** One order in which every form keeps the order it was declared in, as far as the forms do not contradict each other. */
function inOrder<One>(all: readonly One[], forms: readonly (readonly One[])[]): readonly One[] {
  const before = new Map(all.map((one) => [one, new Set<One>()]));
  for (const form of forms) {
    form.reduce((previous, one) => {
      before.get(one)?.add(previous);
      return one;
    });
  }
  const left = new Set(all);
  const ordered: One[] = [];
  while (left.size > 0) {
    const isNext = (one: One) => [...(before.get(one) ?? [])].every((other) => !left.has(other));
    // Where two forms contradict each other, the one that was declared first has its way.
    const [first] = left;
    const next = [...left].find(isNext) ?? first;
    if (next === undefined) break;
    left.delete(next);
    ordered.push(next);
  }
  return ordered;
}

function rendered(name: string, field: Field<unknown>): Pick<SharedProperty, 'property' | 'condition'> {
  const { condition } = field;
  return {
    property: { displayName: labelOf(name, field), name, ...field.form },
    condition: condition === undefined ? {} : { [condition.field]: [...condition.values] },
  };
}

/**
 * n8n shows a property for every combination of the listed resources and operations. So resources are put together
 * only while no existing operation is in the product that does not use the field; mostly that is one property.
 */
function placed(
  { property, condition, users }: SharedProperty,
  resources: readonly Resource<never>[],
): INodeProperties[] {
  const groups: { resources: string[]; operations: Set<string> }[] = [];
  const existing = new Map(
    resources.map(({ name, operations }) => [name, operations.map((operation) => operation.name)]),
  );
  const isExact = (names: readonly string[], operations: ReadonlySet<string>) =>
    names.every((name) =>
      (existing.get(name) ?? []).every(
        (operation) => !operations.has(operation) || users.get(name)?.has(operation) === true,
      ),
    );
  for (const [resource, operations] of users) {
    const fitting = groups.find((group) =>
      isExact([...group.resources, resource], new Set([...group.operations, ...operations])),
    );
    if (fitting === undefined) {
      groups.push({ resources: [resource], operations: new Set(operations) });
    } else {
      fitting.resources.push(resource);
      for (const operation of operations) fitting.operations.add(operation);
    }
  }
  return groups.map((group) => {
    const show: NonNullable<IDisplayOptions['show']> = {
      ...(group.resources.length < resources.length && { resource: group.resources }),
      ...(!usesAll(group, existing) && { operation: [...group.operations] }),
      ...condition,
    };
    return Object.keys(show).length === 0 ? { ...property } : { ...property, displayOptions: { show } };
  });
}

function usesAll(group: { resources: string[]; operations: Set<string> }, existing: Map<string, string[]>): boolean {
  return group.resources.every((name) =>
    (existing.get(name) ?? []).every((operation) => group.operations.has(operation)),
  );
}
