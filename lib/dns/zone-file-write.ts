import { writeAnnotation } from './annotation';
import { inOrder, type RecordFields } from './record';
import { typeOf, writeRdata } from './value';

/**
 * A zone as a BIND zone file: every name in full, one record a line, sorted, so that the same zone is the same file byte
 * for byte. The SOA is left out: providers make their own.
 */
export function writeZoneFile(zone: string, records: readonly RecordFields[]): string {
  const lines = inOrder(records).map((record) => {
    const fields = [`${record.name}.`, String(record.ttl), 'IN', typeOf(record.value), writeRdata(record.value)];
    const annotation = writeAnnotation(record);
    return `${fields.join('\t')}${annotation === '' ? '' : ` ; ${annotation}`}\n`;
  });
  return `$ORIGIN ${zone}.\n${lines.join('')}`;
}
