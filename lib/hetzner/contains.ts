import { isObject } from '../json';

/** Whether everything that is wanted stands there too, however much else there is. Lists must be the same. */
export function contains(present: unknown, wanted: unknown): boolean {
  if (!isObject(wanted)) return JSON.stringify(present ?? null) === JSON.stringify(wanted ?? null);
  return isObject(present) && Object.entries(wanted).every(([name, value]) => contains(present[name], value));
}
