import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import type { PostgresPair } from '../../lab/postgres-pair';
import type { JsonObject } from '../../lib/json';
import { schema } from '../../nodes/declaration';
import { PostgresReplication } from '../../nodes/PostgresReplication/PostgresReplication.node';
import { fakeExecute, type FakeExecution } from '../unit/nodes/declaration/fakeExecute';
import { credentialsOfPair, describePair } from './pair-description';

export type RunNode = (key: string, parameters?: IDataObject) => Promise<IDataObject>;

const operations = PostgresReplication.declaration.resources.flatMap(({ operations: all }) => all);

/** Runs operations of the node on a pair; what fails is put out as n8n does under "Continue". */
export function nodeOn(
  pair: PostgresPair,
  more: Readonly<Record<string, JsonObject>> = {},
  how: Pick<FakeExecution, 'tool' | 'mode'> = {},
): RunNode {
  const credentials: Readonly<Record<string, JsonObject>> = { ...credentialsOfPair(pair), ...more };
  const chosen = Object.fromEntries(Object.keys(credentials).map((type) => [type, { id: type, name: type }]));
  return async (key, parameters = {}) => {
    const [resource, operation] = key.split(' ');
    const { execute } = fakeExecute({
      ...how,
      parameters: [{ resource, operation, cluster: describePair(pair), ...parameters }],
      continueOnFail: true,
    });
    const node = { ...execute.getNode(), credentials: chosen };
    const whole = Object.assign(execute as object, {
      getNode: () => node,
      getCredentials: (type: string) => Promise.resolve(credentials[type]),
    }) as unknown as IExecuteFunctions;
    const output = await new PostgresReplication().execute.call(whole);
    const json = Array.isArray(output) ? output[0]?.[0]?.json : undefined;
    const declared = operations.find((one) => `${one.resource} ${one.name}` === key);
    if (json === undefined || declared === undefined) throw new Error(`${key} gave nothing`);
    if (json.details !== undefined) return { error: json.error, ...(json.details as IDataObject) };
    schema.assertMatches(declared.output, json);
    return json;
  };
}
