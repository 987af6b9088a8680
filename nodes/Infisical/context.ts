import { randomInt } from 'node:crypto';
import { Failure } from '../../lib/failure';
import { refuseWhenHeld } from '../../lib/host/hold';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost, withWorkflowPins } from '../../lib/host/select';
import { folderPath } from '../../lib/infisical/place';
import { findProject, type Project } from '../../lib/infisical/projects';
import { isObject } from '../../lib/json';
import { resolveReference } from '../../lib/secrets/resolve';
import type { ContextQuestion } from '../declaration';
import { infisicalOf } from '../shared/infisicalOf';
import { secretSourcesOf } from '../shared/secretSources';
import { endOfExecution } from './endOfExecution';
import type { InfisicalContext } from './operation';

/** Projects by credential and name, for the items of one execution. */
const projects = new WeakMap<object, Map<string, Promise<Project>>>();

export async function infisicalContext({
  execute,
  itemIndex,
  input,
  operation,
  task,
}: ContextQuestion): Promise<InfisicalContext & { readOnly: boolean }> {
  const infisical = await infisicalOf(execute, itemIndex);
  if (infisical === undefined) throw missingCredential('Infisical', 'infisical_credential_missing');
  const { api, readOnly, boxKey } = infisical;
  const known = projects.get(api) ?? new Map<string, Promise<Project>>();
  projects.set(api, known);
  const projectOf = (wanted: string) => {
    const found = known.get(wanted) ?? findProject(api, wanted, task);
    known.set(wanted, found);
    // A failure is not kept: the next item asks again.
    found.catch(() => known.delete(wanted));
    return found;
  };
  return {
    api,
    boxKey,
    atEnd: () => endOfExecution(execute),
    // Writing a file to a host only reads from Infisical; the Host credential says whether the host may be changed.
    readOnly: readOnly && operation.resource !== 'file',
    projectOf,
    placeOf: async ({ project, environment, path }) => {
      const { id } = await projectOf(project);
      return { projectId: id, environment, path: folderPath(path) };
    },
    secretFrom: async (source) => {
      const length = /^generate:(\d{1,3})$/.exec(source.trim())?.[1];
      if (length !== undefined) return newPassword(Number(length));
      return resolveReference(source, await secretSourcesOf(execute, itemIndex), task);
    },
    hostOf: async (name, hostKeys = '') => {
      if (execute.getNode().credentials?.['selfhostHost'] === undefined) {
        throw missingCredential('Host (SSH)', 'host_credential_missing');
      }
      const identity = parseIdentity(await execute.getCredentials('selfhostHost', itemIndex));
      const host = selectHost(withWorkflowPins(identity, hostKeys), name);
      const changes = operation.effect !== 'reads' && input['dryRun'] !== true;
      if (changes && identity.readOnly) {
        throw new Failure({
          code: 'read_only',
          subject: `host ${host.target.name}`,
          message: 'Refused: it changes a host, and the Host credential is read-only',
          nextStep: 'Use a credential that may make changes, or switch Dry Run on to see what would be done.',
        });
      }
      const options = isObject(input['options']) ? input['options'] : {};
      const exempt = execute.getMode() === 'manual' || options['ignoreHold'] === true;
      if (changes && !exempt) await refuseWhenHeld(host, task);
      return host;
    },
  };
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Letters and digits only: no quoting anywhere can change them. 22 have 130 bits. */
function newPassword(length: number): string {
  if (length < 16) {
    throw new Failure({
      code: 'password_too_short',
      subject: `generate:${length}`,
      message: `A generated value of ${length} characters can be guessed`,
      nextStep: 'Take 16 or more, for example generate:32.',
    });
  }
  return Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

function missingCredential(name: string, code: string): Failure {
  return new Failure({
    code,
    subject: `${name} credential`,
    message: `The node has no ${name} credential, and this operation needs one`,
    nextStep: 'Choose one in the node.',
  });
}
