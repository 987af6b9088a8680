import { Failure } from '../failure';
import { isObject } from '../json';
import { type CloudflareSettings, standardBaseUrl } from './api';

export interface CloudflareCredential extends CloudflareSettings {
  readonly baseUrl: string;
  /** Everything that could change something is refused. */
  readonly readOnly: boolean;
}

/** The fields of the credential, as n8n hands them over. */
export function parseCloudflareCredential(data: unknown): CloudflareCredential {
  const fields = isObject(data) ? data : {};
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name].trim() : '');
  const token = text('apiToken');
  if (token === '') {
    throw new Failure({
      code: 'credential_incomplete',
      subject: 'the Cloudflare credential',
      message: 'The Cloudflare credential has no API token',
      nextStep: 'Make a token with Zone: Read and DNS: Edit under My Profile, API Tokens, and paste it.',
    });
  }
  return { token, baseUrl: text('baseUrl') || standardBaseUrl, readOnly: fields['readOnly'] === true };
}
