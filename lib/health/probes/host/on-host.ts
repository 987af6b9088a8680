import { messageOf } from '../../../failure';
import type { Host } from '../../../host/host';
import type { Task } from '../../../task';
import type { Fields } from '../../fields';
import type { Kind } from '../../kind';
import { Wrong } from '../probe';

/** What a command on a host tells. Only `Wrong` is news of the target; any other failure means that nobody looked. */
export function onHost(prepare: (fields: Fields) => (host: Host, task: Task) => Promise<string>): Kind {
  return {
    from: 'host',
    prepare: (fields) => {
      const ask = prepare(fields);
      return {
        secrets: {},
        look: async ({ name, host }, _, task) => {
          if (host === undefined) return { outcome: 'unknown', says: 'it can only be looked at from a host' };
          const begun = performance.now();
          try {
            return { outcome: 'ok', says: await ask(host, task), latencyMs: performance.now() - begun };
          } catch (error) {
            if (error instanceof Wrong) return { outcome: 'wrong', says: error.message };
            return { outcome: 'unknown', says: `not looked at from ${name}: ${messageOf(error)}` };
          }
        },
      };
    },
  };
}
