import { resourceOf } from '../resource';
import { anything, field, integer, labels, list, nullable, text, toggle } from '../shape';

export const zones = resourceOf({
  label: 'DNS zone',
  one: 'zone',
  many: 'zones',
  shape: {
    id: field('id', integer),
    name: field('name', text),
    mode: field('mode', text, 'primary or secondary'),
    status: field('status', text),
    ttl: field('ttl', integer),
    recordCount: field('record_count', integer),
    nameservers: field('authoritative_nameservers.assigned', list(text)),
    delegatedNameservers: field('authoritative_nameservers.delegated', list(text)),
    delegation: field('authoritative_nameservers.delegation_status', nullable(text)),
    primaryNameservers: field('primary_nameservers', list(anything), 'Of a secondary zone'),
    registrar: field('registrar', nullable(text)),
    deleteProtected: field('protection.delete', toggle),
    createdAt: field('created', text),
    labels: field('labels', labels),
  },
  commands: {
    change_primary_nameservers: 'change_primary_nameservers',
    change_protection: 'change_protection',
    change_ttl: 'change_ttl',
    import_zonefile: 'import_zonefile',
  },
});

export const recordSets = resourceOf({
  label: 'record set',
  one: 'rrset',
  many: 'rrsets',
  collection: '/zones/{zone}/rrsets',
  member: '/zones/{zone}/rrsets/{name}/{type}',
  perPage: 100,
  shape: {
    id: field('id', text),
    zoneId: field('zone', integer),
    name: field('name', text, 'Below the zone; @ is the zone itself'),
    type: field('type', text),
    ttl: field('ttl', nullable(integer), 'Null: that of the zone'),
    records: field('records', list(anything)),
    changeProtected: field('protection.change', toggle),
    labels: field('labels', labels),
  },
  commands: {
    change_protection: 'change_rrset_protection',
    change_ttl: 'change_rrset_ttl',
    set_records: 'set_rrset_records',
    add_records: 'add_rrset_records',
    remove_records: 'remove_rrset_records',
    update_records: 'update_rrset_records',
  },
});
