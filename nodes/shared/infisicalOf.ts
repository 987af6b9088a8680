import type { IExecuteFunctions } from 'n8n-workflow';
import { type InfisicalApi, infisicalApi } from '../../lib/infisical/api';
import { parseInfisicalCredential } from '../../lib/infisical/credential';
import { keySecretOf } from '../../lib/infisical/login';
import { boxKey } from '../../lib/secrets/box';

/** An execution or a trigger, as far as credentials go. */
export type SecretsAsker = Pick<IExecuteFunctions, 'getNode'> &
  Partial<Pick<IExecuteFunctions, 'onExecutionFinish' | 'logger'>> & {
    getCredentials(type: string, itemIndex?: number): Promise<Readonly<Record<string, unknown>>>;
  };

export interface InfisicalOfNode {
  readonly api: InfisicalApi;
  readonly readOnly: boolean;
  readonly boxKey: (purpose: string) => Buffer;
}

/** Items of one execution share connections. Gone with the execution. */
const shared = new WeakMap<object, Map<string, InfisicalOfNode>>();

/** The API behind the Infisical credential of the node; undefined when it has none. */
export async function infisicalOf(execute: SecretsAsker, itemIndex: number): Promise<InfisicalOfNode | undefined> {
  if (execute.getNode().credentials?.['selfhostInfisical'] === undefined) return undefined;
  const { readOnly, ...settings } = parseInfisicalCredential(
    await execute.getCredentials('selfhostInfisical', itemIndex),
  );
  const ofExecution = shared.get(execute) ?? new Map<string, InfisicalOfNode>();
  shared.set(execute, ofExecution);
  const key = JSON.stringify([settings, readOnly]);
  const { login } = settings;
  const known = ofExecution.get(key) ?? {
    api: infisicalApi(settings),
    readOnly,
    boxKey: (purpose: string) => boxKey(keySecretOf(login), purpose),
  };
  ofExecution.set(key, known);
  return known;
}
