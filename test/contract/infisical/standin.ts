import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contract, contractOf } from '../../../lab/standins/contract';
import { type InfisicalStandIn, type InfisicalStandInSettings, startInfisical } from '../../../lab/standins/infisical';
import { realSurroundings } from '../../../lib/http/settings';
import { type InfisicalApi, infisicalApi } from '../../../lib/infisical/api';
import { forgetSessions } from '../../../lib/infisical/session';

function description(name: string): unknown {
  return JSON.parse(readFileSync(join(__dirname, '../../contracts', `${name}.json`), 'utf8'));
}

export const contract: Contract = contractOf(description('infisical'), description('infisical-more'));

/** Of the logins beside Universal Auth, which have a test file of their own. */
export const loginContract: Contract = contractOf(description('infisical-logins'));

const describing = (url: string) => (/\/auth\/(?!universal)[a-z]+-auth\//.test(url) ? loginContract : contract);

const open: (() => unknown)[] = [];

/** A stand-in of which every request and answer is held to the description. */
export async function infisical(settings: InfisicalStandInSettings = {}): Promise<InfisicalStandIn> {
  const standIn = await startInfisical({
    ...settings,
    onExchange: (request, answer) => {
      if (answer === undefined) describing(request.url).checkRequest(request);
      else describing(request.url).check(request, answer);
    },
  });
  open.push(standIn.close);
  return standIn;
}

/** A clock that jumps over every deliberate wait, and is moved by hand. */
export function newClock() {
  let ahead = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.now() + ahead,
    pass: (seconds: number) => void (ahead += seconds * 1000),
    wait: (milliseconds: number) => {
      waits.push(milliseconds);
      ahead += milliseconds;
      return Promise.resolve();
    },
  };
}

export type Clock = ReturnType<typeof newClock>;

export function clientOf(
  standIn: InfisicalStandIn,
  identity: { readonly clientId: string; readonly clientSecret: string } = standIn.addIdentity(),
  clock: Clock = newClock(),
): InfisicalApi {
  const { clientId, clientSecret } = identity;
  const api = infisicalApi(
    { siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } },
    { ...realSurroundings, environment: {}, now: clock.now, wait: clock.wait },
  );
  open.push(api.close);
  return api;
}

/** For afterEach: closes everything, and fails the test that broke the contract. */
export async function closeAndKeepContract(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
  forgetSessions();
  const violations = [contract, loginContract].flatMap(({ violations: some }) => [...some]);
  for (const one of [contract, loginContract]) one.forget();
  expect(violations).toEqual([]);
}
