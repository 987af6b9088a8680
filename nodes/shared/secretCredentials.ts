import type { INodeCredentialDescription } from 'n8n-workflow';

type Where = Readonly<Record<string, readonly string[]>>;

/** What secret references are resolved with, for nodes that take them; see secretSources. Shown where they are taken. */
export function secretCredentials(where?: Where): readonly INodeCredentialDescription[] {
  const show = Object.fromEntries(Object.entries(where ?? {}).map(([field, values]) => [field, [...values]]));
  const shown = where === undefined ? {} : { displayOptions: { show } };
  return [
    {
      ...{ name: 'selfhostSecrets', displayName: 'Named Secrets', required: false, testedBy: 'secretsCredentialTest' },
      ...shown,
    },
    {
      ...{ name: 'selfhostInfisical', displayName: 'Infisical', required: false, testedBy: 'infisicalCredentialTest' },
      ...shown,
    },
  ];
}
