import { createDecipheriv, randomBytes } from 'node:crypto';
import { isFailure, messageOf } from '../../failure';
import type { Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import type { Inventory, KeyCopy } from '../inventory';
import type { EstateFinding } from './judge';

const FEWEST = 4;

/**
 * Whether all copies of Infisical's key are the same, and the one that opens what Infisical has encrypted. Each host
 * gives a hash that is keyed with a number of this run: worth nothing to whoever reads it later. Only for the canary
 * one copy is read, and kept in memory for as long as that takes.
 */
export async function checkKeyCopies(
  { keyCopies, keyCanary }: Pick<Inventory, 'keyCopies' | 'keyCanary'>,
  hostOf: (name: string) => Host,
  task: Task,
): Promise<readonly EstateFinding[]> {
  if (keyCopies.length === 0) return [];
  const nonce = randomBytes(32).toString('hex');
  const copies = await Promise.all(
    keyCopies.map(async (copy) => {
      try {
        return { copy, print: await readCopy(hostOf(copy.host), copy, { nonce }, task) };
      } catch (error) {
        if (isFailure(error, 'cancelled')) throw error;
        return {
          copy,
          why: isFailure(error, 'command_failed') ? 'it holds no key that can be read' : messageOf(error),
        };
      }
    }),
  );
  const found: EstateFinding[] = [];
  const say = ({ host, path }: KeyCopy, check: string, severity: EstateFinding['severity'], message: string) =>
    found.push({ check, severity, host, file: path, message, howToFix: HOW });
  const whole = copies.flatMap(({ copy, print }) => (print === undefined ? [] : [{ copy, print }]));
  for (const { copy, why } of copies) {
    if (why !== undefined) say(copy, 'key_copy_missing', 'critical', `The key of Infisical in ${copy.name}: ${why}`);
  }
  const [first] = whole;
  if (first === undefined) return found;
  for (const { copy, print } of whole) {
    if (print === first.print) continue;
    say(
      copy,
      'key_copy_differs',
      'critical',
      `The key of Infisical in ${copy.name} is another than in ${first.copy.name}`,
    );
  }
  if (whole.length < FEWEST) {
    const message = `The key of Infisical is in ${whole.length} places, and should be in ${FEWEST}: without it every secret is lost`;
    say(first.copy, 'key_copies_few', 'high', message);
  }
  if (keyCanary === '') return found;
  const key = await readCopy(hostOf(first.copy.host), first.copy, { nonce: '' }, task);
  if (!opens(key, Buffer.from(keyCanary, 'hex'))) {
    say(
      first.copy,
      'key_opens_nothing',
      'critical',
      `The key in ${first.copy.name} does not open what Infisical has encrypted`,
    );
  }
  return found;
}

const HOW = 'Copy ENCRYPTION_KEY of the running Infisical there, in a file that only root may read.';

/** With a nonce its fingerprint, without one the key itself. */
async function readCopy(host: Host, { path }: KeyCopy, { nonce }: { nonce: string }, task: Task): Promise<string> {
  const { stdout } = await runCommand(host, { script: READ, arguments: [path, nonce] }, { maxOutputBytes: 8192 }, task);
  return stdout.trim();
}

/** read.sh PATH NONCE: a file with the key alone, or one that names it, as a .env. Infisical takes ENCRYPTION_KEY first. */
const READ = `
[ -f "$1" ] && [ -r "$1" ] || exit 3
named() { sed -n "s/^[[:space:]]*\\(export[[:space:]]\\+\\)\\?$1=//p" | head -n 1; }
key=$(named ENCRYPTION_KEY < "$1")
[ -n "$key" ] || key=$(named ROOT_ENCRYPTION_KEY < "$1")
[ -n "$key" ] || key=$(head -c 4096 < "$1" | tr -d '\\r\\n')
key=\${key%$'\\r'} key=\${key#[\\"\\']} key=\${key%[\\"\\']}
[ -n "$key" ] || exit 4
if [ -z "$2" ]; then printf '%s' "$key"; exit; fi
printf '%s%s%s' "$2" "$key" "$2" | sha256sum | cut -d ' ' -f 1
`;

const KEY = 32;
const IV = 12;
const TAG = 16;

/**
 * As Infisical keeps its root key in `kms_root_config` (software encryption): AES-256-GCM, the number used once, what
 * was encrypted, its tag. ENCRYPTION_KEY is taken letter by letter, ROOT_ENCRYPTION_KEY as base64.
 */
export function opens(key: string, canary: Buffer): boolean {
  if (canary.length <= IV + TAG) return false;
  return [Buffer.from(key, 'utf8'), Buffer.from(key, 'base64')].some((bytes) => {
    if (bytes.length !== KEY) return false;
    try {
      const opened = createDecipheriv('aes-256-gcm', bytes, canary.subarray(0, IV));
      opened.setAuthTag(canary.subarray(canary.length - TAG));
      opened.update(canary.subarray(IV, canary.length - TAG));
      opened.final();
      return true;
    } catch {
      return false;
    }
  });
}
