import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isObject } from '../lib/json';
import type { Owner } from './n8n/api';

/** The owner account of the lab's n8n: made once, kept where only this user can read it. */
export function ownerAccount(file: string): Owner & { readonly isNew: boolean } {
  if (existsSync(file)) {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isObject(kept) && typeof kept.email === 'string' && typeof kept.password === 'string') {
      return { email: kept.email, password: kept.password, isNew: false };
    }
  }
  // n8n asks for a capital letter and a digit.
  const owner = { email: 'owner@lab.example.com', password: `Lab1${randomBytes(9).toString('base64url')}` };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(owner, null, 2)}\n`, { mode: 0o600 });
  return { ...owner, isNew: true };
}
