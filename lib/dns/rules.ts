import { isPublicAddress } from './address';
import { relativeName } from './name';
import { isClaimName, looksMarked, writeComment } from './ownership';
import type { Capabilities } from './provider';
import { AUTO_TTL, describeRecord, groupBySet, setKey, type DesiredRecord, type RecordFields } from './record';
import { typeOf, writeRdata } from './value';

/*
 * What is known to be refused or to break the zone is found before anything is sent, and all of it at once. A rule
 * returns sentences; none means that it is kept.
 */

const PROXIABLE = ['A', 'AAAA', 'CNAME'];

export interface Setting {
  readonly zone: string;
  readonly provider: string;
  readonly capabilities: Capabilities;
  readonly owner: string;
}

/** What can be said about the desired records alone. */
export function brokenRules(desired: readonly DesiredRecord[], setting: Setting): string[] {
  return [...desired.flatMap((record) => brokenByOne(record, setting)), ...duplicates(desired)];
}

function brokenByOne(record: DesiredRecord, { zone, provider, capabilities, owner }: Setting): string[] {
  const { name, value, ttl, proxied = false, comment = '' } = record;
  const subject = describeRecord(record);
  const problems: string[] = [];
  const refuse = (what: string) => problems.push(`${subject} ${what}`);
  const apex = relativeName(name, zone) === '@';

  if (!capabilities.types.includes(value.type)) refuse(`is of a type that ${provider} does not keep`);
  if (isClaimName(name)) refuse('has a name that is kept for the marks of ownership');
  if (ttl !== undefined && !ttlFits(ttl, capabilities.ttl)) {
    const { least, most, auto } = capabilities.ttl;
    refuse(`has a TTL of ${ttl} s; ${provider} takes ${least} to ${most}${auto ? ', or 1 for automatic' : ''}`);
  }
  if (proxied && !capabilities.proxied) refuse(`is to be proxied, which ${provider} does not do`);
  if (proxied && !PROXIABLE.includes(value.type))
    refuse('is to be proxied, which only A, AAAA and CNAME records can be');
  if (proxied && (value.type === 'A' || value.type === 'AAAA') && !isPublicAddress(value.data.address)) {
    refuse(`is to be proxied, but ${value.data.address} cannot be reached over the Internet`);
  }
  if (looksMarked(comment)) refuse('has a comment that looks like a mark of ownership');
  if (!capabilities.comments && comment !== '') refuse(`has a comment, which ${provider} cannot keep`);
  if (capabilities.comments && comment !== '') {
    const { longest } = capabilities.comments;
    const length = writeComment(owner, comment).length;
    if (length > longest) refuse(`has a comment of ${length} characters with our mark; ${provider} takes ${longest}`);
  }
  if ((record.tags ?? []).length > 0 && !capabilities.tags) refuse(`has tags, which ${provider} does not keep`);
  if (Object.keys(record.settings ?? {}).length > 0 && !capabilities.settings) {
    refuse(`has settings, which ${provider} does not keep`);
  }
  if (apex && value.type === 'CNAME' && !capabilities.flattensApex) {
    refuse(`stands at the apex, where ${provider} can have no CNAME`);
  }
  if (apex && value.type === 'DS') refuse('stands at the apex; a DS belongs into the parent zone');
  if (value.type === 'TXT') {
    const bytes = Buffer.byteLength(value.data.text);
    if (bytes > capabilities.longestText)
      refuse(`has a text of ${bytes} bytes; ${provider} takes ${capabilities.longestText}`);
  }
  if (value.type === 'SRV' && !/^(?:\*\.)?_[^.]+\._[^.]+\./u.test(`${name}.`)) {
    refuse('has a name that is not of the form _service._protocol.name');
  }
  if (value.type === 'TLSA' && !/^(?:\*|_[0-9]{1,5})\._[^.]+\./u.test(`${name}.`)) {
    refuse('has a name that is not of the form _port._protocol.name');
  }
  if (value.type === 'CNAME' && value.data.target === name) refuse('points at itself');
  return problems;
}

export function ttlFits(ttl: number, { least, most, auto }: Capabilities['ttl']): boolean {
  return (auto && ttl === AUTO_TTL) || (ttl >= least && ttl <= most);
}

function duplicates(records: readonly DesiredRecord[]): string[] {
  const seen = new Set<string>();
  return records.flatMap((record) => {
    const key = `${setKey(record)} ${writeRdata(record.value)}`;
    if (seen.has(key)) return [`${describeRecord(record)} is wanted twice with the same content`];
    seen.add(key);
    return [];
  });
}

/** Types that may stand beside a CNAME: the signatures of DNSSEC. */
const BESIDE_CNAME = ['CNAME', 'RRSIG', 'NSEC'];

/**
 * What can be said about the zone as it would be. Only names that would change are looked at, and what was broken before
 * is not held against the change.
 */
export function brokenZone(
  before: readonly RecordFields[],
  after: readonly RecordFields[],
  changedNames: ReadonlySet<string>,
  setting: Setting,
): string[] {
  const known = new Set(brokenNames(before, changedNames, setting));
  return brokenNames(after, changedNames, setting).filter((problem) => !known.has(problem));
}

function brokenNames(zone: readonly RecordFields[], names: ReadonlySet<string>, setting: Setting): string[] {
  const changed = zone.filter(({ name }) => names.has(name));
  const problems: string[] = [];
  for (const name of names) {
    const records = changed.filter((record) => record.name === name);
    const types = records.map(({ value }) => typeOf(value));
    const aliases = types.filter((type) => type === 'CNAME').length;
    if (aliases > 1) problems.push(`the name ${name} would have ${aliases} CNAME records; it can have one`);
    const apex = name === setting.zone && setting.capabilities.flattensApex;
    const beside = types.filter((type) => !BESIDE_CNAME.includes(type) && (!apex || type === 'A' || type === 'AAAA'));
    if (aliases > 0 && beside.length > 0) {
      const others = [...new Set(beside)].sort().join(', ');
      problems.push(`the name ${name} would have a CNAME record beside ${others}; a CNAME stands alone`);
    }
    const spf = records.filter(({ value }) => value.type === 'TXT' && /^v=spf1(?: |$)/iu.test(value.data.text)).length;
    if (spf > 1)
      problems.push(`the name ${name} would have ${spf} SPF records (v=spf1); mail servers refuse more than one`);
  }
  if (setting.capabilities.ttl.each === 'set') problems.push(...mixedTtls(changed));
  return problems;
}

function mixedTtls(records: readonly RecordFields[]): string[] {
  return [...groupBySet(records)].flatMap(([set, group]) => {
    const ttls = new Set(group.map(({ ttl }) => ttl));
    if (ttls.size < 2) return [];
    return [`the records ${set} would have the TTLs ${[...ttls].join(' and ')}; here they can only have one together`];
  });
}
