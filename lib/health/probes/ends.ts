import type { Duplex } from 'node:stream';
import { isObject } from '../../json';
import { atPath } from '../json-path';
import { overStream, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { ask, connectTo, secretHeaders, urlOf } from './http';
import type { Asked } from './http-exchange';
import { judgeEnd, judgeShare } from './items/items';
import { Wrong, type StreamProbe } from './probe';

interface Told extends Address, Asked {
  readonly authority?: string;
  readonly judge: (document: unknown) => string;
}

/** Asks an API for a document and judges what it tells. */
const told: StreamProbe<Told> = {
  kind: 'api',
  talk: async (stream: Duplex, target) => {
    const { status, body } = await ask(stream, target);
    if (status !== 200) throw new Wrong(`it cannot be asked: it answers ${status}`);
    let document: unknown;
    try {
      document = JSON.parse(body);
    } catch {
      throw new Wrong('it cannot be asked: its answer is not JSON');
    }
    return target.judge(document);
  },
};

/**
 * When a domain ends, by RDAP. The address is that of the registry's server with the domain behind it:
 * https://rdap.nic.cl/domain/kua.cl. A whole address, because no list of servers is built in that could grow old.
 */
export const domainKind: Kind = overStream(told, (fields) => {
  const url = urlOf(fields);
  const address = connectTo(fields, url);
  const daysLeft = fields.number('daysLeft', 0, 10_000) ?? 30;
  const authority = fields.text('authority');
  const target: Told = {
    ...address,
    url,
    method: 'GET',
    headers: { accept: 'application/rdap+json' },
    ...(authority !== undefined && { authority }),
    judge: (document) => {
      const events = atPath(document, 'events');
      const all: readonly unknown[] = Array.isArray(events) ? events : [];
      const end = all.find((one) => isObject(one) && one['eventAction'] === 'expiration');
      return judgeEnd(timeAt(end, 'eventDate'), daysLeft);
    },
  };
  return { target: () => target };
});

/** When a token ends, by the word of the API that made it: a time at a path of its answer. */
export const tokenKind: Kind = overStream(told, (fields) => {
  const url = urlOf(fields);
  const address = connectTo(fields, url);
  const path = fields.needText('path');
  const daysLeft = fields.number('daysLeft', 0, 10_000) ?? 30;
  const authority = fields.text('authority');
  return {
    secrets: secretHeaders(fields),
    target: (headers: Secrets) => ({
      ...address,
      url,
      method: 'GET',
      headers,
      ...(authority !== undefined && { authority }),
      judge: (document) => judgeEnd(timeAt(document, path), daysLeft),
    }),
  };
});

/** How full a storage box is, by Hetzner's API. The header authorization is `credential:…` with `Bearer …` in it. */
export const storageBoxKind: Kind = overStream(told, (fields) => {
  const id = fields.needNumber('id', 1, Number.MAX_SAFE_INTEGER);
  const base = fields.text('api') ?? 'https://api.hetzner.com/v1';
  if (!URL.canParse(base)) throw fields.refuse('api', 'is not an address');
  const url = new URL(`${base}/storage_boxes/${id}`);
  const address = connectTo(fields, url);
  const most = fields.number('maxPercent', 0, 100) ?? 85;
  const authority = fields.text('authority');
  return {
    secrets: { token: fields.needText('token') },
    target: ({ token = '' }: Secrets) => ({
      ...address,
      url,
      method: 'GET',
      headers: { authorization: `Bearer ${token}` },
      ...(authority !== undefined && { authority }),
      judge: (document) => {
        const [used, size] = [
          atPath(document, 'storage_box.stats.size'),
          atPath(document, 'storage_box.storage_box_type.size'),
        ];
        if (typeof used !== 'number' || typeof size !== 'number' || size <= 0) {
          throw new Wrong('its answer does not say how full it is');
        }
        return judgeShare(used, size, most);
      },
    }),
  };
});

function timeAt(document: unknown, path: string): number {
  const value = atPath(document, path);
  const time = typeof value === 'string' ? Date.parse(value) : typeof value === 'number' ? value * 1000 : NaN;
  if (Number.isFinite(time)) return time;
  throw new Wrong('its answer does not say when it ends');
}
