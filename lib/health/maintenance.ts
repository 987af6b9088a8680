import { localTime } from './local-time';
import type { Fields } from './fields';

/** A time in which trouble is meant: from one moment to another, or every week. */
export type Window =
  | { readonly kind: 'once'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'weekly';
      readonly zone: string;
      /** 0 is Sunday. Empty: every day. */
      readonly days: readonly number[];
      /** Minutes since midnight. From after to goes past midnight, into the next day. */
      readonly from: number;
      readonly to: number;
    };

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export function inMaintenance(windows: readonly Window[], now: number): boolean {
  return windows.some((window) => {
    if (window.kind === 'once') return now >= window.from && now < window.to;
    const { day, minute } = localTime(window.zone, now);
    const on = (one: number) => window.days.length === 0 || window.days.includes(one);
    if (window.from <= window.to) return on(day) && minute >= window.from && minute < window.to;
    return (on(day) && minute >= window.from) || (on((day + 6) % 7) && minute < window.to);
  });
}

/** `2026-01-31T02:00Z to 2026-01-31T04:00Z`, `Sun 02:00-04:00`, `Mon,Tue 23:30-00:30`, `02:00-02:15`. */
export function parseWindows(fields: Fields, name: string, zone: string): readonly Window[] {
  return (fields.texts(name) ?? []).map((text) => {
    const once = /^(\S+)\s+to\s+(\S+)$/.exec(text.trim());
    if (once !== null) {
      const [from, to] = [Date.parse(once[1] ?? ''), Date.parse(once[2] ?? '')];
      if (from < to) return { kind: 'once', from, to };
      throw fields.refuse(name, `has "${text}", which is not a span from one moment to a later one`);
    }
    const weekly = /^(?:([a-z]{3}(?:,[a-z]{3})*)\s+)?(\d\d):(\d\d)-(\d\d):(\d\d)$/i.exec(text.trim());
    const days = (weekly?.[1] ?? '')
      .toLowerCase()
      .split(',')
      .filter((day) => day !== '');
    const [fromHour, fromMinute, toHour, toMinute] = (weekly ?? []).slice(2).map(Number);
    const from = (fromHour ?? NaN) * 60 + (fromMinute ?? NaN);
    const to = (toHour ?? NaN) * 60 + (toMinute ?? NaN);
    if (days.every((day) => DAYS.includes(day)) && from <= 1440 && to <= 1440 && from !== to) {
      return { kind: 'weekly', zone, days: days.map((day) => DAYS.indexOf(day)), from, to };
    }
    throw fields.refuse(name, `has "${text}"; write Sun 02:00-04:00, or two moments with "to" between them`);
  });
}
