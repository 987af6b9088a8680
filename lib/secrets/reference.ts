import { Failure } from '../failure';

/** How a secret travels through a workflow: by its place, never by its value. */
export type SecretReference =
  /** `credential:NAME`, a name in the Named Secrets credential of the node. */
  | { readonly source: 'credential'; readonly name: string }
  /** `infisical:PROJECT/ENVIRONMENT/FOLDER/KEY`, with any number of folders. */
  | {
      readonly source: 'infisical';
      /** Its slug or id. */
      readonly project: string;
      readonly environment: string;
      /** `/` or `/immich/web` */
      readonly path: string;
      readonly name: string;
    }
  /** `lease:ID/NAME`: of a login that this execution has leased. */
  | { readonly source: 'lease'; readonly lease: string; readonly name: string };

export function parseReference(text: string): SecretReference {
  const credential = /^credential:([A-Za-z0-9_][A-Za-z0-9_.-]*)$/.exec(text.trim());
  if (credential?.[1] !== undefined) return { source: 'credential', name: credential[1] };
  const infisical = /^infisical:([A-Za-z0-9_-]+)\/([A-Za-z0-9_-]+)((?:\/[A-Za-z0-9_-]+)*)\/([^/:\s]+)$/.exec(
    text.trim(),
  );
  if (infisical !== null) {
    const [, project = '', environment = '', folders = '', name = ''] = infisical;
    return { source: 'infisical', project, environment, path: folders === '' ? '/' : folders, name };
  }
  const lease = /^lease:([A-Za-z0-9_-]+)\/([A-Za-z0-9_]+)$/.exec(text.trim());
  if (lease?.[1] !== undefined && lease[2] !== undefined) return { source: 'lease', lease: lease[1], name: lease[2] };
  // Whatever stands there may be the secret itself, so it is not repeated.
  throw new Failure({
    code: 'secret_reference_invalid',
    subject: 'secret reference',
    message: 'A secret reference cannot be read',
    nextStep:
      'Write credential:NAME, with NAME as in the Named Secrets credential, or infisical:PROJECT/ENVIRONMENT/FOLDER/KEY. Never put the secret itself there.',
  });
}
