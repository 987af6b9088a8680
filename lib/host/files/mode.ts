import { Failure } from '../../failure';
import type { Host } from '../host';
import { describeFile } from './path';

/** An octal mode as stat prints it, without leading zeros; empty when none is wanted. */
export function checkMode(host: Host, path: string, mode: string | undefined): string {
  if (mode === undefined || mode === '') return '';
  if (/^[0-7]{3,4}$/.test(mode)) return Number.parseInt(mode, 8).toString(8);
  const subject = describeFile(host, path);
  throw new Failure({
    code: 'file_mode_unusable',
    subject,
    message: `The mode ${JSON.stringify(mode)} for ${subject} is not an octal mode`,
    nextStep: 'Write three or four digits from 0 to 7, such as 0644 or 0600.',
  });
}
