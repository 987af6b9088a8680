import { Failure } from '../failure';

/** A time of day as minutes since midnight. */
export type TimeOfDay = number;

export interface Hours {
  /** IANA name, as in `America/Santiago`. */
  readonly zone: string;
  /** When people are awake. From after to goes past midnight. */
  readonly from: TimeOfDay;
  readonly to: TimeOfDay;
  /** When the daily digest goes out. */
  readonly digest: TimeOfDay;
}

const DAY = 24 * 60;
const MINUTE_MS = 60_000;

export function parseTimeOfDay(text: string): TimeOfDay {
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(text.trim()) ?? [];
  const value = Number(hours) * 60 + Number(minutes);
  if (Number.isInteger(value) && Number(minutes) < 60 && value <= DAY) return value;
  throw notHours(text, 'it is not a time of day', 'Write it like 08:30.');
}

export function checkZone(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    throw notHours(zone, 'it is not a time zone', 'Give a name like America/Santiago or UTC.');
  }
}

export function awake({ zone, from, to }: Hours, now: number): boolean {
  const minute = minuteOfDay(zone, now);
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}

/**
 * The last time at or before now that the clock of the zone showed the time of the digest. On the day on which the
 * clock jumps over that time, it is the moment of the jump.
 */
export function latestDigest({ zone, digest }: Hours, now: number): number {
  const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const back = (minuteOfDay(zone, minute) - digest + DAY) % DAY;
  const guess = minute - back * MINUTE_MS;
  // A change of the clock within that time moves it, by whatever the clock was moved.
  const off = ((minuteOfDay(zone, guess) - digest + DAY + DAY / 2) % DAY) - DAY / 2;
  const moved = guess - off * MINUTE_MS;
  return moved <= now ? moved : moved - DAY * MINUTE_MS;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function minuteOfDay(zone: string, time: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    formats.set(zone, format);
  }
  const parts = format.formatToParts(time);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return part('hour') * 60 + part('minute');
}

function notHours(text: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'alert_hours_invalid',
    subject: `"${text.slice(0, 60)}"`,
    message: `"${text.slice(0, 60)}" cannot be used: ${why}`,
    nextStep,
  });
}
