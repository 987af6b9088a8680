import { canonicalJson } from '../canonical-json';
import { isObject, type JsonObject } from '../json';
import type { RecordFields } from './record';

/*
 * What zone files have no place for stands in the comment behind a record. The usual form is the one that Cloudflare's
 * own export and import use: the comment, then `cf_tags=` with the tags and the proxy switch among them. What does not
 * fit that form (settings, line breaks, odd tags) is written whole as `selfhost=` and canonical JSON.
 */

export type Annotation = Pick<RecordFields, 'comment' | 'proxied' | 'settings' | 'tags'>;

const PROXIED = 'cf-proxied:true';
const NOT_PROXIED = 'cf-proxied:false';
const WHOLE = 'selfhost=';

export function writeAnnotation({ comment, proxied, settings, tags }: Annotation): string {
  const annotation = { comment, proxied, settings, tags };
  const listed = [...(proxied ? [PROXIED] : []), ...tags];
  const plain = [comment, ...(listed.length === 0 ? [] : [`cf_tags=${listed.join(',')}`])].filter(
    (part) => part !== '',
  );
  const text = plain.join(' ');
  if (!/[\r\n]/u.test(text) && canonicalJson({ ...readAnnotation(text) }) === canonicalJson(annotation)) return text;
  return `${WHOLE}${canonicalJson(annotation)}`;
}

export function readAnnotation(text: string): Annotation {
  const trimmed = text.trim();
  return readWhole(trimmed) ?? readPlain(trimmed);
}

function readPlain(text: string): Annotation {
  const [, comment = '', list = ''] = /^(.*?)(?:(?:^|\s)cf_tags=(\S*))?$/su.exec(text) ?? [];
  const listed = list.split(',').filter((tag) => tag !== '');
  return {
    comment,
    proxied: listed.includes(PROXIED),
    settings: {},
    tags: listed.filter((tag) => tag !== PROXIED && tag !== NOT_PROXIED).sort(),
  };
}

function readWhole(text: string): Annotation | undefined {
  if (!text.startsWith(WHOLE)) return undefined;
  try {
    const read: unknown = JSON.parse(text.slice(WHOLE.length));
    if (!isObject(read) || typeof read.comment !== 'string' || !isObject(read.settings)) return undefined;
    if (!Array.isArray(read.tags) || typeof read.proxied !== 'boolean') return undefined;
    return {
      comment: read.comment,
      proxied: read.proxied,
      settings: read.settings as JsonObject,
      tags: read.tags.filter((tag): tag is string => typeof tag === 'string'),
    };
  } catch {
    return undefined;
  }
}
