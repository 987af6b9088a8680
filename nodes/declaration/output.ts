import type { IBinaryData, IDataObject, INodeExecutionData } from 'n8n-workflow';

/** A result that carries files beside its JSON. */
export interface WithBinary<Value> {
  readonly [binaryMark]: true;
  readonly json: Value;
  readonly binary: Readonly<Record<string, IBinaryData>>;
}

const binaryMark = Symbol('with binary');

export function withBinary<Value>(json: Value, binary: Readonly<Record<string, IBinaryData>>): WithBinary<Value> {
  return { [binaryMark]: true, json, binary };
}

export type Result<Value> = Value | WithBinary<Value>;

/** What `run` may give back: one result, a list of them, or a stream of them. One item in, any number out. */
export type Results<Value> = Result<Value> | readonly Result<Value>[] | AsyncIterable<Result<Value>>;

/** n8n's items, each one paired with the item it came from. */
export async function itemsOf(results: Results<unknown>, itemIndex: number): Promise<INodeExecutionData[]> {
  if (Array.isArray(results)) return results.map((result: unknown) => itemOf(result, itemIndex));
  if (!isAsyncIterable(results)) return [itemOf(results, itemIndex)];
  const items: INodeExecutionData[] = [];
  for await (const result of results) items.push(itemOf(result, itemIndex));
  return items;
}

function itemOf(result: unknown, itemIndex: number): INodeExecutionData {
  const pairedItem = { item: itemIndex };
  if (isWithBinary(result)) return { json: jsonOf(result.json), binary: { ...result.binary }, pairedItem };
  return { json: jsonOf(result), pairedItem };
}

// A truthy `error` at the top would make n8n's "Retry On Fail" run every item again, and its error output would take
// the item for a failed one. No schema has it; a result that has it anyway is a bug that must not go unseen.
function jsonOf(value: unknown): IDataObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('An operation must give objects');
  }
  const json = value as IDataObject;
  if (json['error']) throw new TypeError('An operation that succeeded must not put out a field "error"');
  return json;
}

function isWithBinary(result: unknown): result is WithBinary<unknown> {
  return typeof result === 'object' && result !== null && binaryMark in result;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
