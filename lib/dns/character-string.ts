/*
 * The <character-string> of zone files: bytes, in quotes, with \" \\ and \DDD. Text outside ASCII is UTF-8 and is
 * written as \DDD, so that every program reads the same bytes.
 */

const LONGEST = 255;

/** Text as one or more quoted strings of at most 255 bytes each. */
export function writeText(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length === 0) return '""';
  const strings: string[] = [];
  for (let start = 0; start < bytes.length; start += LONGEST) {
    strings.push(writeString(bytes.subarray(start, start + LONGEST)));
  }
  return strings.join(' ');
}

function writeString(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
    else text += String.fromCharCode(byte);
  }
  return `${text}"`;
}

/** The bytes of one token, quoted or not. Undefined when an escape is broken. */
export function readString(token: string): Buffer | undefined {
  const inside = token.startsWith('"') ? token.slice(1, -1) : token;
  const parts: Buffer[] = [];
  const piece = /([^\\]+)|\\([0-9]{3})|\\([^0-9])/guy;
  let end = 0;
  for (const [whole, plain, code, character] of inside.matchAll(piece)) {
    end += whole.length;
    if (code !== undefined) {
      if (Number(code) > 255) return undefined;
      parts.push(Buffer.from([Number(code)]));
    } else {
      parts.push(Buffer.from(plain ?? character ?? '', 'utf8'));
    }
  }
  return end === inside.length ? Buffer.concat(parts) : undefined;
}

/** Several tokens as the one text they are. Undefined when the bytes are no UTF-8, which our text cannot hold. */
export function readText(tokens: readonly string[]): string | undefined {
  const parts = tokens.map(readString);
  if (parts.some((part) => part === undefined)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts as Buffer[]));
  } catch {
    return undefined;
  }
}
