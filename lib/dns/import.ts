import { zoneName } from './name';
import type { DesiredRecord } from './record';
import { describeRecord } from './record';
import { readComment } from './ownership';
import { readZoneFile } from './zone-file-read';

export interface Imported {
  readonly desired: readonly DesiredRecord[];
  /** Records that stay out, and why. */
  readonly skipped: readonly { readonly record: string; readonly reason: string }[];
}

/** A zone file as desired records: to move a zone from one provider to another, or to keep it in a repository. */
export function desiredFromZoneFile(text: string, zone: string): Imported {
  const name = zoneName(zone);
  const desired: DesiredRecord[] = [];
  const skipped: { record: string; reason: string }[] = [];
  for (const record of readZoneFile(text, name).records) {
    const { value } = record;
    if (value.type === 'other') {
      skipped.push({ record: describeRecord(record), reason: 'its type or its data is unknown' });
    } else if (record.name === name && value.type === 'NS') {
      skipped.push({ record: describeRecord(record), reason: 'each provider has its own name servers' });
    } else {
      const comment = readComment(record.comment).text;
      desired.push({
        name: record.name,
        value,
        ttl: record.ttl,
        ...(record.proxied ? { proxied: true } : {}),
        ...(comment === '' ? {} : { comment }),
        ...(record.tags.length === 0 ? {} : { tags: record.tags }),
        ...(Object.keys(record.settings).length === 0 ? {} : { settings: record.settings }),
      });
    }
  }
  return { desired, skipped };
}
