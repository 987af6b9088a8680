import { Failure, isFailure } from '../../lib/failure';
import { refuseWhenHeld } from '../../lib/host/hold';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost, withWorkflowPins } from '../../lib/host/select';
import { isObject } from '../../lib/json';
import type { Service } from '../../lib/standby/service';
import { UNREACHED } from '../../lib/standby/steps';
import type { ContextQuestion } from '../declaration';
import type { StandbyContext } from './operation';

/** Each step of a failover asks a home that is gone whether it is held; so long is waited for that, each time. */
const HOME_ANSWERS_MS = 3_000;

export async function standbyContext(question: ContextQuestion): Promise<StandbyContext & { readOnly: boolean }> {
  const { execute, itemIndex, input, operation, task } = question;
  const options = isObject(input['options']) ? input['options'] : {};
  const identity = withWorkflowPins(
    parseIdentity(await execute.getCredentials('selfhostHost', itemIndex)),
    textOf(options['hostKeys']),
  );
  const [home, standby] = [textOf(input['home']), textOf(input['standby'])].map((name) => selectHost(identity, name));
  if (home === undefined || standby === undefined) throw new Error('Two hosts were asked for');
  if (home.target === standby.target) throw sameHost(home.target.name);
  const sockets = Object.entries({
    [home.target.name]: textOf(options['homeSocketPath']),
    [standby.target.name]: textOf(options['standbySocketPath']),
  }).filter(([, path]) => path !== '');
  const service: Service = {
    name: textOf(input['service']),
    directory: textOf(input['directory']).replace(/\/+$/, ''),
    // A host that has gone is noticed in seconds.
    home: { ...home, watchful: true },
    standby: { ...standby, watchful: true },
    sockets: Object.fromEntries(sockets),
  };
  const automatic = execute.getMode() !== 'manual' && options['ignoreHold'] !== true;
  if (automatic && operation.effect !== 'reads' && !identity.readOnly) {
    await refuseWhenHeld(service.standby, task);
    // Home may be gone: that is what this is for.
    const over = AbortSignal.timeout(HOME_ANSWERS_MS);
    const soon = { ...task, signal: AbortSignal.any([task.signal, over]) };
    await refuseWhenHeld(service.home, soon).catch((error: unknown) => {
      if (over.aborted && !task.signal.aborted) return;
      if (!isFailure(error) || !UNREACHED.includes(error.code)) throw error;
    });
  }
  return { service, automatic, readOnly: identity.readOnly };
}

function sameHost(name: string): Failure {
  return new Failure({
    code: 'same_host',
    subject: `host ${name}`,
    message: `Home and standby are both ${name}`,
    nextStep: 'Name two different hosts: the standby is where the service goes when its home is gone.',
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}
