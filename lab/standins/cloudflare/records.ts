import { isObject } from '../../../lib/json';
import { readMultipart } from '../contract/multipart';
import { type Asked, jsonOf, type Reply, type Route } from '../http';
import { zoneOf } from './access';
import { batch, change, create, existing, remove, transaction } from './batch';
import { done, page, refuse, Refusal } from './envelope';
import { select } from './filter';
import { recordFrom, shown } from './record';
import type { State, Zone } from './state';
import { readZoneFile, zoneFile } from './zone-file';

export function recordRoutes(state: State): readonly Route[] {
  const at = '/zones/{zone}/dns_records';
  const route = (
    method: string,
    template: string,
    permission: 'read' | 'edit',
    handle: (zone: Zone, asked: Asked) => Reply,
  ): Route => ({
    method,
    template: `${at}${template}`,
    handle: (asked) => handle(zoneOf(state, asked, `dns_records:${permission}`), asked),
  });
  const one = (asked: Asked) => asked.params['record'] ?? '';
  return [
    route('GET', '', 'read', (zone, { query }) => {
      const records = select(zone.records.values(), query).map((record) => shown(zone, record));
      return page(records, query, { standard: 100, largest: state.largestPage });
    }),
    route('POST', '', 'edit', (zone, asked) =>
      done(
        shown(
          zone,
          transaction(zone, (draft) => create(state, zone, draft, jsonOf(asked))),
        ),
      ),
    ),
    route('POST', '/batch', 'edit', (zone, asked) => done(batch(state, zone, jsonOf(asked)))),
    route('GET', '/export', 'read', (zone) => ({ status: 200, text: zoneFile(zone) })),
    route('POST', '/import', 'edit', (zone, asked) => importFile(state, zone, asked)),
    route('POST', '/scan/trigger', 'edit', (zone) => {
      zone.scanned = state.scanFinds.map((found) => recordFrom(state, zone, found));
      return { status: 200, json: { success: true, errors: [], messages: [] } };
    }),
    route('GET', '/scan/review', 'read', (zone) => done(zone.scanned.map((record) => shown(zone, record)))),
    route('POST', '/scan/review', 'edit', (zone, asked) => review(state, zone, jsonOf(asked))),
    route('GET', '/{record}', 'read', (zone, asked) => done(shown(zone, existing(zone.records, one(asked))))),
    route('PUT', '/{record}', 'edit', (zone, asked) =>
      done(
        shown(
          zone,
          transaction(zone, (draft) => change(state, zone, draft, one(asked), jsonOf(asked), 'replace')),
        ),
      ),
    ),
    route('PATCH', '/{record}', 'edit', (zone, asked) =>
      done(
        shown(
          zone,
          transaction(zone, (draft) => change(state, zone, draft, one(asked), jsonOf(asked), 'merge')),
        ),
      ),
    ),
    route('DELETE', '/{record}', 'edit', (zone, asked) =>
      done({ id: transaction(zone, (draft) => remove(draft, one(asked))).id }),
    ),
  ];
}

/** What is there already is passed over, as often as a file is imported. */
function importFile(state: State, zone: Zone, { headers, body }: Asked): Reply {
  const form = readMultipart(headers['content-type'] ?? '', body);
  const file = form?.['file'];
  if (typeof file !== 'string') refuse(400, 9207, 'A file is required.');
  const parsed = readZoneFile(zone, file);
  const proxied = form?.['proxied'] === 'true';
  const added = transaction(
    zone,
    (draft) =>
      parsed.filter((record) => {
        try {
          const switchable = ['A', 'AAAA', 'CNAME'].includes(String(record['type']));
          create(state, zone, draft, proxied && switchable ? { ...record, proxied } : record);
          return true;
        } catch (error) {
          if (error instanceof Refusal && error.errors[0]?.code === state.identical) return false;
          throw error;
        }
      }).length,
  );
  return done({ recs_added: added, total_records_parsed: parsed.length });
}

function review(state: State, zone: Zone, body: unknown): Reply {
  if (!isObject(body)) refuse(400, 9207, 'Request body is invalid.');
  const list = (name: string) => (Array.isArray(body[name]) ? (body[name] as unknown[]) : []);
  const rejected = list('rejects').map((reject) => (isObject(reject) ? String(reject['id']) : ''));
  const accepted = transaction(zone, (draft) => list('accepts').map((one) => create(state, zone, draft, one)));
  const names = new Set(accepted.map(({ name, type }) => `${name} ${type}`));
  zone.scanned = zone.scanned.filter(({ id, name, type }) => !rejected.includes(id) && !names.has(`${name} ${type}`));
  return done({ accepts: accepted.map((record) => shown(zone, record)), rejects: rejected });
}
