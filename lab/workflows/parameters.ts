import {
  type INode,
  type INodeParameters,
  type INodeProperties,
  type INodePropertyCollection,
  type INodeTypeDescription,
  NodeHelpers,
} from 'n8n-workflow';
import { isObject, type Json } from '../../lib/json';
import type { FlowNode } from '../../lib/flows/flow';

/** What is wrong with the parameters of a node, by the description of its type. */
export function parameterMistakes(node: FlowNode, description: INodeTypeDescription): readonly string[] {
  const like = {
    ...node,
    position: [...node.position],
    credentials: undefined,
    parameters: node.parameters as unknown as INodeParameters,
  } as unknown as INode;
  const all = NodeHelpers.getNodeParameters(description.properties, like.parameters, true, false, like, description);
  const used = NodeHelpers.getNodeParameters(description.properties, like.parameters, false, false, like, description);
  const issues = NodeHelpers.getNodeParametersIssues(
    description.properties,
    { ...like, parameters: all ?? {} },
    description,
  );
  return [
    ...lost(node.parameters, all ?? used ?? {}, []),
    ...(issues === null ? [] : NodeHelpers.nodeIssuesToString(issues, like)),
    ...noChoices(description.properties, node.parameters, []),
  ];
}

/** Values that no drop-down offers. n8n looks at those of the first level only. */
function noChoices(properties: readonly INodeProperties[], given: unknown, path: readonly string[]): readonly string[] {
  if (Array.isArray(given)) return given.flatMap((one: unknown) => noChoices(properties, one, path));
  if (!isObject(given)) return [];
  return Object.entries(given).flatMap(([name, value]) => {
    // One name may stand for several fields, of which other choices decide.
    const candidates = properties.filter((property) => property.name === name);
    const place = [...path, name];
    if (typeof value === 'string') {
      const isOffered = candidates.length === 0 || candidates.some((one) => offers(one, value) !== false);
      return isOffered ? [] : [`parameter ${place.join('.')} does not know the choice "${value}"`];
    }
    const inside = candidates.flatMap(({ options = [] }) => options);
    const fields = inside.filter((one): one is INodeProperties => 'name' in one && 'type' in one);
    const groups = inside.filter((one): one is INodePropertyCollection => 'values' in one);
    return [
      ...noChoices(fields, value, place),
      ...groups.flatMap((group) =>
        isObject(value) ? noChoices(group.values, value[group.name], [...place, group.name]) : [],
      ),
    ];
  });
}

/** Undefined where it cannot be told. */
function offers({ type, options = [], typeOptions }: INodeProperties, value: string): boolean | undefined {
  if (type !== 'options' || typeOptions?.loadOptionsMethod !== undefined || value.startsWith('=')) return undefined;
  return options.some((one) => 'value' in one && one.value === value);
}

/** What was given and is not there once n8n has gone through the description: unknown, or hidden by another choice. */
function lost(given: Json, kept: unknown, path: readonly string[]): readonly string[] {
  if (!isObject(given)) return [];
  return Object.entries(given).flatMap(([name, value]) => {
    const place = [...path, name];
    if (!isObject(kept) || !(name in kept)) return [`parameter ${place.join('.')} does not exist for these settings`];
    // A list of pairs can hold expressions, and cannot be one.
    if (typeof value === 'string' && isObject(kept[name])) {
      return [`parameter ${place.join('.')} is no expression: n8n drops it without a word`];
    }
    return lost(value, kept[name], place);
  });
}
