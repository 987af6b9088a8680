import { parseIdentity } from '../../lib/host/identity';
import type { RunAs } from '../../lib/host/command';
import { refuseWhenHeld } from '../../lib/host/hold';
import { selectHost, withWorkflowPins } from '../../lib/host/select';
import { isObject } from '../../lib/json';
import type { ContextQuestion } from '../declaration';
import { secretSourcesOf } from '../shared/secretSources';
import type { HostContext } from './operation';

/** Ending things and the hold itself are what one needs while automatic changes are on hold. */
const ALLOWED_ON_HOLD = ['hold set', 'hold lift', 'job cancel'];

/** Their form hides the credentials for secrets, and n8n refuses to give one that is hidden, also when it is chosen. */
const WITHOUT_SECRETS = ['facts', 'file', 'hold', 'hostKey', 'service', 'volume', 'network', 'system'];

export async function hostContext(question: ContextQuestion): Promise<HostContext & { readOnly: boolean }> {
  const { execute, itemIndex, input, operation, task } = question;
  const options = isObject(input['options']) ? input['options'] : {};
  const identity = withWorkflowPins(
    parseIdentity(await execute.getCredentials('selfhostHost', itemIndex)),
    textOf(options['hostKeys']),
  );
  // Some operations name no host, and must not fail for want of one.
  const host = () => selectHost(identity, textOf(input['host']));
  const dryRun = input['dryRun'] === true;
  const changes = operation.effect !== 'reads' && !dryRun && !identity.readOnly;
  const byHand = execute.getMode() === 'manual';
  const exempt =
    byHand || options['ignoreHold'] === true || ALLOWED_ON_HOLD.includes(`${operation.resource} ${operation.name}`);
  if (changes && !exempt) await refuseWhenHeld(host(), task);
  return {
    identity,
    get host() {
      return host();
    },
    runAs: runAsOf(textOf(options['runAs'])),
    secrets: WITHOUT_SECRETS.includes(operation.resource) ? {} : await secretSourcesOf(execute, itemIndex),
    workflow: { id: execute.getWorkflow().id ?? '', execution: execute.getExecutionId() },
    readOnly: identity.readOnly,
  };
}

function runAsOf(user: string): RunAs | undefined {
  if (user === '') return undefined;
  return user === 'root' ? 'root' : { user };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
