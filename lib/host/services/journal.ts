import { isObject } from '../../json';

export interface LogLine {
  readonly time: string;
  readonly message: string;
  /** As in syslog: 3 and below are errors. */
  readonly priority: number | null;
}

/** One JSON object a line, as `journalctl -o json` prints it. */
export function parseJournal(output: string): LogLine[] {
  return output.split('\n').flatMap((line): LogLine[] => {
    if (!line.startsWith('{')) return [];
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      return [];
    }
    if (!isObject(entry)) return [];
    const microseconds = Number(entry.__REALTIME_TIMESTAMP);
    if (!Number.isFinite(microseconds)) return [];
    const priority = Number(entry.PRIORITY);
    return [
      {
        time: new Date(microseconds / 1000).toISOString(),
        message: messageOf(entry.MESSAGE),
        priority: entry.PRIORITY === undefined || !Number.isInteger(priority) ? null : priority,
      },
    ];
  });
}

/** What is not plain text comes as a list of bytes. */
function messageOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (!Array.isArray(message)) return '';
  return Buffer.from(message.filter((byte): byte is number => typeof byte === 'number')).toString('utf8');
}
