import type { INodeProperties } from 'n8n-workflow';
import { Failure } from '../../lib/failure';

/** Which field of which item is being read: what an error about it has to name. */
export interface Place {
  readonly label: string;
  /** Counted from 0, as n8n counts items in its own messages. */
  readonly itemIndex: number;
}

/** What the form shows, without the name and label, which the place of the field decides. */
export type FormField = Omit<INodeProperties, 'name' | 'displayName' | 'displayOptions'>;

/** One input of an operation: how the form shows it, and how what comes out of the form becomes a typed value. */
export interface Field<Value> {
  readonly label?: string;
  readonly form: FormField;
  /** For the docs page: `whole number from 1 to 65535`. */
  readonly kind: string;
  /** The border: everything an expression can produce comes in here, only a valid value comes out. */
  readonly read: (raw: unknown, place: Place) => Value;
  /** Names of list-search methods that the form needs, see pick.ts. */
  readonly searches?: readonly Search[];
  /** The field is only there while another one has one of these values, see when.ts. */
  readonly condition?: Condition;
}

export interface Condition {
  readonly field: string;
  readonly values: readonly (string | number | boolean)[];
}

/** One page of choices, asked for by the form while the user types. Errors are translated like those of operations. */
export interface Search {
  /** Name of the method in n8n. API once released. */
  readonly name: string;
  readonly find: (asker: SearchAsker, filter: string, page: string | undefined) => Promise<SearchPage>;
}

export type SearchAsker = import('n8n-workflow').ILoadOptionsFunctions;

export interface SearchPage {
  readonly results: readonly { readonly name: string; readonly value: string; readonly url?: string }[];
  /** Handed back to ask for the next page. */
  readonly next?: string;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValueOf<F> = F extends Field<infer Value> ? Value : never;
export type ValuesOf<F extends Fields> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

/** What every field may say about itself. */
export interface FieldFacts {
  /** Default: made from the field's name, `maxOutputBytes` becomes `Max Output Bytes`. */
  readonly label?: string;
  readonly description?: string;
  readonly hint?: string;
}

/** The part of a form field that comes straight from its facts. */
export function shown({ description, hint }: FieldFacts): Pick<FormField, 'description' | 'hint'> {
  return { ...(description !== undefined && { description }), ...(hint !== undefined && { hint }) };
}

export function labelOf(name: string, field: Field<unknown>): string {
  return field.label ?? titleCase(name);
}

const acronyms: Readonly<Record<string, string>> = {
  id: 'ID',
  ip: 'IP',
  url: 'URL',
  dns: 'DNS',
  ssh: 'SSH',
  api: 'API',
  json: 'JSON',
  ttl: 'TTL',
  cpu: 'CPU',
};
const smallWords = new Set(['a', 'an', 'and', 'as', 'at', 'by', 'for', 'from', 'in', 'of', 'on', 'or', 'the', 'to']);

/** `reloadIfChanged` becomes `Reload If Changed`, `hostId` becomes `Host ID`. */
export function titleCase(camelCase: string): string {
  return camelCase
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[\s_-]+/)
    .map((word, position) => {
      const lower = word.toLowerCase();
      if (acronyms[lower] !== undefined) return acronyms[lower];
      if (position > 0 && smallWords.has(lower)) return lower;
      return lower.charAt(0).toUpperCase() + lower.slice(1);
    })
    .join(' ');
}

/** `mustBe` finishes the sentence "Port of item 3 must be …". `found` is left out where it could be a secret. */
export function invalid({ label, itemIndex }: Place, mustBe: string, found?: unknown): Failure {
  const subject = `${label} of item ${itemIndex}`;
  const instead = found === undefined ? '' : `, not ${quoted(found)}`;
  return new Failure({
    code: 'invalid_parameter',
    subject,
    message: `${subject} must be ${mustBe}${instead}`,
    nextStep: `Correct the field ${label}, or the expression that fills it.`,
  });
}

export function missing({ label, itemIndex }: Place): Failure {
  const subject = `${label} of item ${itemIndex}`;
  return new Failure({
    code: 'missing_parameter',
    subject,
    message: `${subject} is empty`,
    nextStep: `Fill in the field ${label}, or correct the expression that should fill it.`,
  });
}

const longestQuote = 60;

function quoted(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (value === '') return 'empty';
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return `a ${typeof value}`;
  const text = String(value);
  return `'${text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text}'`;
}

/** What an empty form field, a missing property and a null of an expression have in common. */
export function isAbsent(raw: unknown): raw is undefined | null | '' {
  return raw === undefined || raw === null || raw === '';
}
