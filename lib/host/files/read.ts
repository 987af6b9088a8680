import { Failure } from '../../failure';
import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, attemptOf, type FileSettings, type Question } from './ask';
import { readFacts, type FileFacts } from './facts';
import { recognised } from './failures';
import { checkPath, describeFile } from './path';
import { READ, toldOfChange } from './reading';

export interface ReadOptions extends FileSettings {
  /** A larger file is refused, not cut. Default 10 MiB. */
  readonly maxBytes?: number;
}

export interface FileContent extends Omit<FileFacts, 'type'> {
  readonly content: Buffer;
}

const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;
const ATTEMPTS = 3;

/** Reads a whole file. Links are followed. A file that is written to at that moment is read again. */
export async function readFile(host: Host, path: string, options: ReadOptions, task: Task): Promise<FileContent> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const question: Question = {
    ...options,
    host,
    path: checkPath(host, path),
    done: 'read',
    script: READ,
    arguments: [String(maxBytes)],
  };
  for (let attempt = 1; ; attempt += 1) {
    const { fields, stderr } = await ask(question, task);
    const facts = readFacts(fields);
    if (facts === undefined) throw recognised(attemptOf(question), 'missing');
    const content = Buffer.from(fields.rest());
    if (facts.size > maxBytes || content.length > maxBytes) throw tooLarge(host, path, facts.size, maxBytes);
    // Files that the kernel makes up (/proc, /sys) say that they have no size, or a whole page.
    const madeUp = facts.size === 0 || path.startsWith('/sys/') || path.startsWith('/proc/');
    if (madeUp || (content.length === facts.size && !toldOfChange(stderr))) {
      const { type: _, ...known } = facts;
      return { content, ...known, size: content.length };
    }
    if (attempt === ATTEMPTS) throw recognised(attemptOf(question), 'changing');
  }
}

function tooLarge(host: Host, path: string, size: number, maxBytes: number): Failure {
  const subject = describeFile(host, path);
  return new Failure({
    code: 'file_too_large',
    subject,
    message: `${subject} has ${Math.max(size, maxBytes + 1)} bytes or more; at most ${maxBytes} were asked for`,
    nextStep: 'Raise the limit, or download it, which keeps nothing in memory.',
    details: { size, maxBytes },
  });
}
