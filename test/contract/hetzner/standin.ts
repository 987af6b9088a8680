import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Contract, contractOf } from '../../../lab/standins/contract';
import type { HetznerStandInSettings } from '../../../lab/standins/hetzner';

function description(name: string): unknown {
  return JSON.parse(readFileSync(join(__dirname, `../../contracts/${name}.json`), 'utf8'));
}

export interface Contracts {
  readonly cloud: Contract;
  readonly storage: Contract;
  /** For the stand-in: every request and answer is held to the descriptions. */
  readonly listening: Pick<HetznerStandInSettings, 'onCloudExchange' | 'onStorageExchange'>;
  /** What broke a description since the last time. */
  readonly takeViolations: () => readonly string[];
}

export function contracts(): Contracts {
  const cloud = contractOf(description('hetzner-cloud'));
  const storage = contractOf(description('hetzner-storage'));
  const hear =
    (contract: Contract): NonNullable<HetznerStandInSettings['onCloudExchange']> =>
    (request, answer) => {
      if (answer === undefined) contract.checkRequest(request);
      else contract.check(request, answer);
    };
  return {
    cloud,
    storage,
    listening: { onCloudExchange: hear(cloud), onStorageExchange: hear(storage) },
    takeViolations: () => {
      const found = [...cloud.violations, ...storage.violations];
      cloud.forget();
      storage.forget();
      return found;
    },
  };
}
