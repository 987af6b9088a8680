import { Failure } from '../failure';
import { SealedText } from '../secrets/sealed';
import { read } from './answer';

/** A secret with its value sealed: it can be passed on and printed without showing it. */
export interface Secret {
  readonly key: string;
  readonly value: SealedText;
  /** The identity may see that it is there, and not what it is. */
  readonly hidden: boolean;
  readonly id: string;
  readonly version: number;
  readonly environment: string;
  /** The folder it is in. */
  readonly path: string;
  /** It is not of the place that was asked, but comes through an import. */
  readonly imported: boolean;
  readonly comment: string;
  readonly tags: readonly string[];
  /** ISO 8601; imported secrets do not say. */
  readonly updatedAt: string | undefined;
}

export interface Origin {
  readonly path: string;
  readonly environment: string;
  readonly imported: boolean;
}

export function parseSecret(body: unknown, origin: Origin): Secret {
  const secret = read(body, 'a secret');
  return {
    key: secret.text('secretKey'),
    value: new SealedText(secret.text('secretValue')),
    hidden: secret.flag('secretValueHidden'),
    id: secret.text('id'),
    version: secret.number('version'),
    environment: secret.textOr('environment', origin.environment),
    path: secret.textOr('secretPath', origin.path),
    imported: origin.imported,
    comment: secret.textOr('secretComment', ''),
    tags: secret.list('tags').map((tag) => read(tag, 'a tag').text('slug')),
    updatedAt: secret.textOr('updatedAt', undefined),
  };
}

/** The value, for where it is used. What the server hides is never taken for the value. */
export function reveal(secret: Secret): string {
  if (!secret.hidden) return secret.value.reveal();
  throw new Failure({
    code: 'secret_hidden',
    subject: `secret ${secret.key}`,
    message: `Infisical hides the value of ${secret.key} in ${secret.environment}:${secret.path} from this login`,
    nextStep: 'Give the machine identity the right to read secret values there.',
  });
}
