import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Failure } from '../failure';
import { SealedText } from './sealed';

/** A key that only who has the credential can make. `purpose` keeps the keys of different uses apart. */
export function boxKey(credential: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', credential, '', `selfhost ${purpose}`, 32));
}

/** AES-256-GCM. What stands in `about` is not hidden, and opening fails when it is another: a box cannot be swapped. */
export function lockBox(key: Buffer, text: SealedText, about: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
  const locked = Buffer.concat([cipher.update(text.reveal(), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), locked]).toString('base64');
}

export function openBox(key: Buffer, box: string, about: string): SealedText {
  try {
    const bytes = Buffer.from(box, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      .setAAD(Buffer.from(about))
      .setAuthTag(bytes.subarray(12, 28));
    return new SealedText(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8'));
  } catch {
    throw new Failure({
      code: 'box_not_opened',
      subject: about,
      message: `What was kept encrypted of ${about} cannot be opened with this credential, or was changed`,
      nextStep: 'Use the credential with which it was written.',
    });
  }
}
