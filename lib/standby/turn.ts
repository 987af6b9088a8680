import { claim, readClaim, type Claim } from '../host/claims/claims';
import { describeHost } from '../host/host';
import { refuseWhenHeld } from '../host/hold';
import { Failure } from '../failure';
import type { Task } from '../task';
import { claimOf, describeService, hostAt, type Place, type Service } from './service';

/**
 * Whose turn it is to run a service. A turn is a claim on the standby's host, so of any number of n8n that see the home
 * go down exactly one gets it, and every step after that carries its number: what an earlier turn still wants is refused
 * on the host itself. Nobody has ever claimed anything: turn 0, at home.
 */
export interface Turn {
  readonly number: number;
  readonly at: Place;
  /** Where its data come from. Whoever goes on with it after a crash has to know; null: a person moves it by hand. */
  readonly how: 'carry' | 'restore' | null;
  /** Who took it: the name of an n8n or of a person. The same one may take it up again after a crash. */
  readonly by: string;
  readonly since: Date | null;
}

export interface TakenTurn extends Turn {
  /** False: it was theirs already. */
  readonly changed: boolean;
}

export async function readTurn(service: Service, task: Task): Promise<Turn> {
  const newest = await readClaim(service.standby, claimOf(service), task);
  return newest === undefined ? { number: 0, at: 'home', how: null, by: '', since: null } : turnOf(service, newest);
}

export interface TurnWish {
  readonly to: Place;
  readonly by: string;
  /** `carry`: both hosts are well, and its data come along. `restore`: the other one is gone, and they come from a backup. */
  readonly how: 'carry' | 'restore';
  /** Take it although somebody else has it and is not done: a person knows that they are gone. */
  readonly takeOver?: boolean;
  /** Nobody has pressed a button for this: a hold on the standby's host stops it. */
  readonly automatic: boolean;
}

/**
 * Takes the turn for a host. Who has it already goes on with it; when somebody else has it, that is refused: they are at
 * work, or the work is done. A hold on the standby's host stops everybody.
 */
export async function takeTurn(service: Service, wish: TurnWish, task: Task): Promise<TakenTurn> {
  const { to, by, how, takeOver = false, automatic } = wish;
  if (!/^[^\s=]{1,100}$/.test(by)) throw unnamed(service, by);
  if (automatic) await refuseWhenHeld(service.standby, task);
  const now = await readTurn(service, task);
  if (now.at === to) {
    // At home nobody has to have claimed it.
    if (now.by === by || now.number === 0) return { ...now, changed: false };
    if (!takeOver) throw taken(service, now);
  }
  const owner = `to=${to} by=${by} how=${how}`;
  const outcome = await claim(service.standby, claimOf(service), { owner, expectedEpoch: now.number }, task);
  if (outcome.won) return { ...turnOf(service, outcome.claim), changed: outcome.changed };
  throw taken(service, turnOf(service, outcome.newest));
}

function turnOf(service: Service, { owner, epoch, claimedAt }: Claim): Turn {
  const [, at, by = '', how] = /^to=(home|standby) by=(\S+)(?: how=(carry|restore))?$/.exec(owner) ?? [];
  if (at !== 'home' && at !== 'standby') {
    throw new Failure({
      code: 'turn_unreadable',
      subject: describeService(service),
      message: `Turn ${epoch} of ${describeService(service)} on ${describeHost(service.standby)} is not one of ours: ${owner.slice(0, 100)}`,
      nextStep: 'Was it made by a newer version of this pack? Update first. Nothing was changed.',
    });
  }
  return { number: epoch, at, how: how === 'carry' || how === 'restore' ? how : null, by, since: claimedAt };
}

function taken(service: Service, turn: Turn): Failure {
  const where = hostAt(service, turn.at).target.name;
  return new Failure({
    code: 'turn_taken',
    subject: describeService(service),
    message: `${turn.by === '' ? 'Somebody' : turn.by} has turn ${turn.number} of ${describeService(service)}, at ${where}${turn.since === null ? '' : `, since ${turn.since.toISOString()}`}`,
    nextStep: `Leave it to them. Only when ${turn.by === '' ? 'they are' : `${turn.by} is`} gone for good, take it over by hand.`,
    details: { number: turn.number, at: where, by: turn.by, since: turn.since?.toISOString() ?? null },
  });
}

function unnamed(service: Service, by: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: describeService(service),
    message: `"${by.slice(0, 40)}" is no name to take a turn by`,
    nextStep: 'Give each n8n a short name without spaces, like n8n-bruno, and always the same.',
  });
}
