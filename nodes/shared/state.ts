import type { INodeCredentialDescription } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import { parseStateCredential } from '../../lib/state/credential';
import { fileState } from '../../lib/state/files';
import { postgresState } from '../../lib/state/postgres';
import type { StateStore } from '../../lib/state/store';
import type { Task } from '../../lib/task';
import { choice, text, when } from '../declaration';
import type { SecretsAsker } from './infisicalOf';

/** Where what must outlive an execution is kept; every operation that needs it has these fields. */
export const stateFields = {
  keepIn: choice({
    label: 'Keep State In',
    options: {
      postgres: { label: 'PostgreSQL', description: 'A table in a database, for example in that of n8n' },
      host: { label: 'Files on a Host', description: 'Below /var/lib/selfhost/state; best on the machine of n8n' },
    },
    default: 'postgres',
    description: 'It must be reachable when other things are not',
  }),
  stateHost: when(
    'keepIn',
    ['host'],
    text({
      label: 'State Host',
      placeholder: 'bruno',
      description: 'Pinned in the Host credential. Empty: its default.',
    }),
  ),
};

/** Beside `stateFields`: the credentials they need. */
export const stateCredentials: readonly INodeCredentialDescription[] = [
  {
    name: 'selfhostState',
    displayName: 'State (PostgreSQL)',
    required: true,
    testedBy: 'stateCredentialTest',
    displayOptions: { show: { keepIn: ['postgres'] } },
  },
];

export interface StateWanted {
  readonly keepIn: string;
  readonly stateHost: string;
}

export interface OpenedState {
  readonly store: StateStore;
  /** The credential it is reached with may change nothing. */
  readonly readOnly: boolean;
}

export async function openStateOf(
  asker: SecretsAsker,
  itemIndex: number,
  { keepIn, stateHost }: StateWanted,
  task: Task,
): Promise<OpenedState> {
  const name = keepIn === 'host' ? 'selfhostHost' : 'selfhostState';
  if (asker.getNode().credentials?.[name] === undefined) throw missingCredential(keepIn);
  const credential = await asker.getCredentials(name, itemIndex);
  if (keepIn !== 'host') return { store: postgresState(parseStateCredential(credential), task), readOnly: false };
  const identity = parseIdentity(credential);
  return { store: fileState(selectHost(identity, stateHost), {}, task), readOnly: identity.readOnly };
}

function missingCredential(keepIn: string): Failure {
  const name = keepIn === 'host' ? 'Host (SSH)' : 'State (PostgreSQL)';
  return new Failure({
    code: 'state_credential_missing',
    subject: `${name} credential`,
    message: `The node has no ${name} credential, and its state is kept there`,
    nextStep: 'Choose one in the node, or keep the state elsewhere.',
  });
}
