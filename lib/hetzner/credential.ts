import { Failure } from '../failure';
import { isObject } from '../json';
import { defaultCloudUrl, defaultStorageUrl, type HetznerSettings } from './api';

export interface HetznerCredential extends HetznerSettings {
  /** Everything that could change something is refused. */
  readonly readOnly: boolean;
}

/** The fields of the credential, as n8n hands them over. */
export function parseHetznerCredential(data: unknown): HetznerCredential {
  const fields = isObject(data) ? data : {};
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name].trim() : '');
  const token = text('apiToken');
  if (token === '') {
    throw new Failure({
      code: 'credential_incomplete',
      subject: 'the Hetzner credential',
      message: 'The Hetzner credential has no API token',
      nextStep: 'Make a token in the Hetzner Console, under Security and API Tokens of the project, and paste it.',
    });
  }
  return {
    token,
    cloudUrl: text('cloudUrl') || defaultCloudUrl,
    storageUrl: text('storageUrl') || defaultStorageUrl,
    readOnly: fields['readOnly'] === true,
  };
}
