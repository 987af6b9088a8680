import { isObject } from '../../json';
import type { Entry } from './entry';

export function renderJson(entries: readonly Entry[]): string {
  // Entries and not an object literal: __proto__ is a name like any other.
  const lines = entries.map(({ key, value }) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return lines.length === 0 ? '{}\n' : `{\n${lines.join(',\n')}\n}\n`;
}

export function readJson(text: string): Map<string, string> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isObject(parsed)) return undefined;
    const entries = Object.entries(parsed);
    return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')
      ? new Map(entries)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Every JSON string is a YAML string, once what YAML does not let stand in a file is escaped too. */
export function renderYaml(entries: readonly Entry[]): string {
  return entries.length === 0 ? '{}\n' : entries.map(({ key, value }) => `${scalar(key)}: ${scalar(value)}\n`).join('');
}

function scalar(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Only what `renderYaml` writes. */
export function readYaml(text: string): Map<string, string> | undefined {
  if (text === '{}\n') return new Map();
  const found = new Map<string, string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const match = /^("(?:[^"\\]|\\.)*"): ("(?:[^"\\]|\\.)*")$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return undefined;
    try {
      found.set(JSON.parse(match[1]) as string, JSON.parse(match[2]) as string);
    } catch {
      return undefined;
    }
  }
  return found;
}
