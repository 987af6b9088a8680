import type { Answer, Miss } from './answer';
import type { ClockFacts } from './facts';

/** When the host was asked for its time and when the answer came, by the clock of this process. */
export interface RoundTrip {
  readonly askedAt: number;
  readonly answeredAt: number;
}

export function readClock(answer: Answer, miss: Miss, trip: RoundTrip | undefined): ClockFacts | null {
  // Some clocks tell seconds only (`1795195326.`, `1795195326.%N`).
  const match = /^(\d+)(?:\.(\d+)?)?/.exec(answer.value('clock') ?? '');
  if (match === null || trip === undefined) {
    miss('its time could not be asked (it needs bash 5 or date)', 'date');
    return null;
  }
  const [, seconds = '', fraction] = match;
  const grainMs = fraction === undefined ? 1000 : 1;
  const there = Number(`${seconds}.${fraction ?? '5'}`) * 1000;
  const halfTrip = (trip.answeredAt - trip.askedAt) / 2;
  return {
    offsetMs: Math.round(there - (trip.askedAt + halfTrip)),
    errorMs: Math.ceil(halfTrip + (fraction === undefined ? grainMs / 2 : grainMs)),
    ...synchronisation(answer, miss),
  };
}

function synchronisation(answer: Answer, miss: Miss): Pick<ClockFacts, 'synchronised' | 'source'> {
  const chrony = answer.told('chronyc');
  if (chrony.state === 'told' && chrony.exitCode === 0) {
    const leap = /^Leap status\s*:\s*(.+)$/m.exec(chrony.text)?.[1]?.trim();
    if (leap !== undefined) return { synchronised: leap === 'Not synchronised' ? 'no' : 'yes', source: 'chronyc' };
  }
  const systemd = answer.told('timedatectl');
  const said = systemd.state === 'told' ? /^NTPSynchronized=(yes|no)$/m.exec(systemd.text)?.[1] : undefined;
  if (said !== undefined) return { synchronised: said === 'yes' ? 'yes' : 'no', source: 'timedatectl' };
  miss('neither timedatectl nor chronyc tells whether its clock is synchronised', 'timedatectl');
  return { synchronised: 'unknown', source: null };
}
