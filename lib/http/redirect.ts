import type { Headers } from './settings';

export const mostRedirects = 5;

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** What may be told to a stranger: nothing that says who we are. */
const harmless = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
  'range',
  'if-range',
  'if-none-match',
  'if-modified-since',
]);

export function headersForStrangers(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => harmless.has(name.toLowerCase())));
}

export type Hop = { readonly url: URL } | { readonly refused: string };

export function nextHop(from: URL, location: string | undefined): Hop {
  if (location === undefined || !URL.canParse(location, from.href)) return { refused: 'without saying where to' };
  const url = new URL(location, from);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { refused: `to an address of the kind ${url.protocol}` };
  if (from.protocol === 'https:' && url.protocol === 'http:')
    return { refused: `from https to unprotected http (${url.host})` };
  // The client library would send these as a login of ours.
  url.username = '';
  url.password = '';
  return { url };
}

/** Without the query, where tokens are. */
export function shownAddress(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
