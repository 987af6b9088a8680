import { isObject, type JsonObject } from '../../../lib/json';

/** What is no text counts as none. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What is written down of lengths and counts and stands in no type; undefined: nothing is wrong. */
export function blockMistake(blocks: readonly JsonObject[]): string | undefined {
  if (blocks.length > 50) return 'no more than 50 items allowed [json-pointer:/blocks]';
  const ids = new Set<string>();
  for (const [index, block] of blocks.entries()) {
    const at = `[json-pointer:/blocks/${index}`;
    if (block['type'] === 'section') {
      const mistake = textMistake(block['text'], 3000);
      if (mistake !== undefined) return `${mistake} ${at}/text/text]`;
    }
    if (block['type'] !== 'actions') continue;
    const elements = block['elements'] as readonly JsonObject[];
    if (elements.length === 0 || elements.length > 25) return `between 1 and 25 items allowed ${at}/elements]`;
    for (const { text, value, url, action_id: id } of elements) {
      const mistake = textMistake(text, 75);
      if (mistake !== undefined) return `${mistake} ${at}/elements/text]`;
      if (textOf(value).length > 2000) return `must be less than 2001 characters ${at}/elements/value]`;
      if (textOf(url).length > 3000) return `must be less than 3001 characters ${at}/elements/url]`;
      if (textOf(id).length > 255) return `must be less than 256 characters ${at}/elements/action_id]`;
      if (textOf(id) !== '' && ids.has(textOf(id)))
        return `\`action_id\` "${textOf(id)}" already exists ${at}/elements]`;
      ids.add(textOf(id));
    }
  }
  return undefined;
}

function textMistake(text: unknown, most: number): string | undefined {
  const length = isObject(text) ? textOf(text['text']).length : 0;
  if (length === 0) return 'must be more than 0 characters';
  return length > most ? `must be less than ${most + 1} characters` : undefined;
}
