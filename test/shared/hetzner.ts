import { type HetznerStandIn, type HetznerStandInSettings, startHetznerStandIn } from '../../lab/standins/hetzner';
import { createHetznerApi, type HetznerApi } from '../../lib/hetzner/api';
import { realSurroundings } from '../../lib/http/settings';
import { cancelled } from '../../lib/task';

export interface HetznerSetting {
  readonly standIn: HetznerStandIn;
  readonly api: HetznerApi;
  readonly apiWith: (token: string) => HetznerApi;
  /** Every wait, in milliseconds. */
  readonly waits: readonly number[];
}

/** The stand-in, and a client of it whose waits take no time, although its clock goes on by them. */
export async function hetznerSetting(
  settings: HetznerStandInSettings & { readonly realTime?: boolean } = {},
): Promise<HetznerSetting> {
  const standIn = await startHetznerStandIn(settings);
  const waits: number[] = [];
  let ahead = 0;
  const wait = async (milliseconds: number, signal: AbortSignal, subject: string) => {
    waits.push(milliseconds);
    ahead += milliseconds;
    await new Promise(setImmediate);
    if (signal.aborted) throw cancelled(subject);
  };
  const fast = { wait, now: () => Date.now() + ahead };
  const surroundings = { ...realSurroundings, environment: {}, ...(settings.realTime !== true && fast) };
  const apiWith = (token: string) =>
    createHetznerApi({ token, cloudUrl: standIn.cloud.url, storageUrl: standIn.storage.url }, surroundings);
  return { standIn, api: apiWith('good-token'), apiWith, waits };
}
