import { Failure } from './failure';
import type { Json } from './json';

/** Half of a character, which UTF-8 cannot carry. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

/** Deeper than any document of ours; what goes further down is a cycle. */
const DEEPEST = 200;

/**
 * One text for one value, as RFC 8785 asks: fields sorted by their UTF-16 units, numbers as ECMAScript prints them, no
 * white space. What JSON cannot say (undefined, NaN, dates, lone surrogates) is refused instead of changed in silence,
 * because hashes and comparisons are made over this text.
 */
export function canonicalJson(value: Json): string {
  return render(value, '', 0);
}

function render(value: unknown, path: string, depth: number): string {
  if (depth > DEEPEST) throw notJson(path, 'it is nested too deeply, or holds itself');
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'number':
      if (!Number.isFinite(value)) throw notJson(path, `${value} is not a JSON number`);
      return JSON.stringify(value);
    case 'string':
      return renderText(value, path);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) {
        // Array.from visits holes too, which are undefined and refused.
        return `[${Array.from<unknown>(value)
          .map((item, index) => render(item, `${path}/${index}`, depth + 1))
          .join(',')}]`;
      }
      if (!isPlain(value)) throw notJson(path, 'it is neither a plain object nor a list');
      return `{${Object.keys(value)
        .sort()
        .map((name) => {
          const place = `${path}/${escapePointer(name)}`;
          return `${renderText(name, place)}:${render((value as Record<string, unknown>)[name], place, depth + 1)}`;
        })
        .join(',')}}`;
    default:
      throw notJson(path, `${typeof value} is not a JSON type`);
  }
}

function renderText(text: string, path: string): string {
  if (LONE_SURROGATE.test(text)) throw notJson(path, 'its text holds half a character (a lone surrogate)');
  return JSON.stringify(text);
}

/** Objects of another JavaScript realm (n8n's sandboxes) are plain too: their prototype is the end of its chain. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** One step of a JSON Pointer (RFC 6901). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function notJson(path: string, why: string): Failure {
  const subject = path === '' ? 'the value' : `the field ${path.slice(0, 200).replace(/\p{Surrogate}/gu, '\ufffd')}`;
  return new Failure({
    code: 'not_json',
    subject,
    message: `JSON has no way to write ${subject}: ${why}`,
    nextStep: 'Leave the field out, or give it text, a number, true, false, null, a list or an object.',
  });
}
