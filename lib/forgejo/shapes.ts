import { number, reader, type Reader } from '../shape';

/** Readers for what Go leaves out: absent, null and empty are one to the API. */
function lenient<Value>(of: Reader<Value>, absent: Value): Reader<Value> {
  return {
    kind: of.kind,
    read: (value, where) => (value === undefined || value === null ? absent : of.read(value, where)),
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

export const words = lenient(reader({ type: 'string' }, 'text', isText), '');
export const flag = lenient(reader({ type: 'boolean' }, 'true or false', isFlag), false);
export const count = lenient(reader({ type: 'integer' }, 'a whole number', isWhole), 0);
export const amount = lenient(number, 0);

/** A time, or null: Go writes the year 1 for one that never was. */
export const moment: Reader<string | null> = {
  kind: { type: 'nullable', of: { type: 'string' } },
  read: (value, where) => {
    const found = words.read(value, where);
    return found === '' || found.startsWith('0001-') ? null : found;
  },
};
