import { existsSync, readFileSync } from 'node:fs';
import { isObject } from '../lib/json';

/** What keeps a Node process alive, a line each, from the report that it writes when it gets a signal. */
export function openHandles(reportFile: string): readonly string[] | undefined {
  if (!existsSync(reportFile)) return undefined;
  let report: unknown;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    // Still being written.
    return undefined;
  }
  const handles: readonly unknown[] = isObject(report) && Array.isArray(report.libuv) ? report.libuv : [];
  return handles
    .filter((handle) => isObject(handle) && handle.is_active === true && handle.is_referenced === true)
    .map((handle) => JSON.stringify(handle));
}
