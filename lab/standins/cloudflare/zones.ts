import { isObject } from '../../../lib/json';
import { jsonOf, type Route } from '../http';
import { allowed, reaches, tokenOf, zoneOf } from './access';
import { done, page, refuse } from './envelope';
import type { State, Token, Zone } from './state';

export function zoneRoutes(state: State): readonly Route[] {
  return [
    {
      method: 'GET',
      template: '/zones',
      handle: (asked) => {
        const token = allowed(state, asked, 'zone:read');
        const name = asked.query.get('name');
        const zones = [...state.zones.values()].filter(
          (zone) => reaches(token, zone) && (name ?? zone.name) === zone.name,
        );
        return page(
          zones.map((zone) => shownZone(zone, token)),
          asked.query,
          { standard: 20, largest: Math.min(50, state.largestPage) },
        );
      },
    },
    {
      method: 'GET',
      template: '/zones/{zone}',
      handle: (asked) => done(shownZone(zoneOf(state, asked, 'zone:read'), tokenOf(state, asked))),
    },
    {
      method: 'GET',
      template: '/zones/{zone}/settings/{setting}',
      handle: (asked) => {
        const zone = zoneOf(state, asked, 'zone_settings:read');
        return done(shownSetting(zone, asked.params['setting'] ?? ''));
      },
    },
    {
      method: 'PATCH',
      template: '/zones/{zone}/settings/{setting}',
      handle: (asked) => {
        const zone = zoneOf(state, asked, 'zone_settings:edit');
        const setting = asked.params['setting'] ?? '';
        const body = jsonOf(asked);
        shownSetting(zone, setting);
        if (!isObject(body) || body['value'] === undefined)
          refuse(400, 1007, `Invalid value for zone setting ${setting}`);
        if (typeof body['value'] !== typeof zone.settings.get(setting)) {
          refuse(400, 1007, `Invalid value for zone setting ${setting}`);
        }
        zone.settings.set(setting, body['value']);
        return done(shownSetting(zone, setting));
      },
    },
    {
      method: 'POST',
      template: '/zones/{zone}/purge_cache',
      handle: (asked) => {
        const zone = zoneOf(state, asked, 'cache_purge:edit');
        const body = jsonOf(asked);
        const known = ['purge_everything', 'files', 'tags', 'hosts', 'prefixes'];
        if (!isObject(body) || Object.keys(body).filter((name) => known.includes(name)).length !== 1) {
          refuse(400, 1012, 'Request must contain one of "purge_everything", "files", "tags", "hosts" or "prefixes"');
        }
        zone.purges.push(body);
        return done({ id: zone.id });
      },
    },
    {
      method: 'GET',
      template: '/zones/{zone}/dnssec',
      handle: (asked) => done(shownDnssec(zoneOf(state, asked, 'dns_records:read'))),
    },
    {
      method: 'PATCH',
      template: '/zones/{zone}/dnssec',
      handle: (asked) => {
        const zone = zoneOf(state, asked, 'dns_records:edit');
        const body = jsonOf(asked);
        const status = isObject(body) ? body['status'] : undefined;
        // The parent zone has to follow, so neither happens at once.
        if (status === 'active' && zone.dnssec !== 'active') zone.dnssec = 'pending';
        if (status === 'disabled' && zone.dnssec === 'active') zone.dnssec = 'pending-disabled';
        else if (status === 'disabled') zone.dnssec = 'disabled';
        return done(shownDnssec(zone));
      },
    },
  ];
}

function shownZone(zone: Zone, { permissions }: Token): unknown {
  return {
    id: zone.id,
    name: zone.name,
    status: 'active',
    paused: false,
    type: 'full',
    development_mode: 0,
    name_servers: zone.nameServers,
    original_name_servers: null,
    original_registrar: null,
    original_dnshost: null,
    modified_on: zone.created,
    created_on: zone.created,
    activated_on: zone.created,
    meta: { step: 4, custom_certificate_quota: 0, page_rule_quota: 3, phishing_detected: false },
    owner: { type: 'user' },
    account: { id: zone.accountId, name: 'Kua' },
    permissions: permissions.map((permission) => `#${permission}`),
    plan: { id: `plan-${zone.plan}`, name: planNames[zone.plan], legacy_id: zone.plan, price: 0, currency: 'USD' },
  };
}

const planNames = {
  free: 'Free Website',
  pro: 'Pro Website',
  business: 'Business Website',
  enterprise: 'Enterprise Website',
};

function shownSetting(zone: Zone, setting: string): unknown {
  if (!zone.settings.has(setting)) refuse(404, 1006, `Undefined zone setting: ${setting}`);
  return { id: setting, value: zone.settings.get(setting), editable: true, modified_on: zone.created };
}

function shownDnssec({ name, dnssec, created }: Zone): unknown {
  if (dnssec === 'disabled') return { status: dnssec };
  const digest = '48E939042E82C22542CB377B580DFDC52A361CEFDC72E7F9107E2B6BD9306A45';
  return {
    status: dnssec,
    flags: 257,
    algorithm: '13',
    key_type: 'ECDSAP256SHA256',
    digest_type: '2',
    digest_algorithm: 'SHA256',
    digest,
    ds: `${name}. 3600 IN DS 2371 13 2 ${digest}`,
    key_tag: 2371,
    public_key: 'oXiGYrSTO+LSCJ3mohc8EP+CzF9KxBj8/ydXJ22pKuZP3VAC3/Md/k7xZfz470CoRyZJ6gV6vml07IC3d8xqhA==',
    modified_on: created,
  };
}
