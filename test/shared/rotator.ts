import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lib/host/host';
import { closeSessions } from '../../lib/host/sessions';
import { type InfisicalApi, infisicalApi } from '../../lib/infisical/api';
import type { Place } from '../../lib/infisical/place';
import type { TakingOwner } from '../../lib/rotation/owner';
import { commandOwner } from '../../lib/rotation/owners/command';
import { rotate } from '../../lib/rotation/rotate';
import { boxKey } from '../../lib/secrets/box';
import { fileState } from '../../lib/state/files';
import { quietTask } from './task';

/** A rotation in a process of its own, which kills itself at a given moment. */
export interface DeadlyRotation {
  readonly host: Host;
  readonly siteUrl: string;
  readonly login: { readonly clientId: string; readonly clientSecret: string };
  readonly place: Place;
  readonly key: string;
  readonly program: string;
  readonly file: string;
  readonly fresh: string;
  /** Dies at this moment: before and after each question to Infisical and to the owner is one. */
  readonly dieAt: number;
}

/** `what` is known to the test that chooses a moment by its name. */
export function moments(api: InfisicalApi, owner: TakingOwner, at: (what: string) => void) {
  const around = async <Result>(what: string, work: () => Promise<Result>): Promise<Result> => {
    at(`before ${what}`);
    const result = await work();
    at(`after ${what}`);
    return result;
  };
  return {
    api: {
      ...api,
      ask: <Result>(...question: Parameters<typeof api.ask<Result>>) =>
        around(`${question[0].method} ${question[0].path.replace(/^.*\/secrets/, 'secrets')}`, () =>
          api.ask(...question),
        ),
    },
    owner: {
      ...owner,
      set: (...wish: Parameters<TakingOwner['set']>) => around('set', () => owner.set(...wish)),
      accepts: (...wish: Parameters<TakingOwner['accepts']>) => around('accepts', () => owner.accepts(...wish)),
    },
  };
}

async function main(folder: string): Promise<void> {
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as DeadlyRotation;
  const { host, siteUrl, login, place, key, file } = plan;
  let moment = 0;
  const deadly = moments(
    infisicalApi({ siteUrl, login: { method: 'universal', ...login } }),
    commandOwner({ host, label: 'shop', argv: [plan.program] }),
    () => {
      moment += 1;
      if (moment === plan.dieAt) process.kill(process.pid, 'SIGKILL');
    },
  );
  await rotate(
    {
      ...deadly,
      place,
      key,
      uses: [{ host, file, options: { format: 'shell' }, place, reading: {} }],
      newValue: () => plan.fresh,
      excluded: [],
      host,
      store: fileState(host, {}, quietTask()),
      boxKey: boxKey(login.clientSecret, 'rotation'),
    },
    quietTask(),
  );
  deadly.api.close();
  await closeSessions();
}

if (require.main === module) void main(process.argv[2] ?? '');
