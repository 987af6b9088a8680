import type { ICredentialType, INodeType } from 'n8n-workflow';
import path from 'node:path';
import type { NodeDeclaration } from '../../../nodes/declaration';
import { credentials, nodes, root } from '../../../packaging/sources';

export interface NodeClass {
  new (): INodeType;
  /** Absent for nodes written by hand. */
  readonly declaration?: NodeDeclaration<never>;
}

/** Every node of the package, with the class that n8n would load. */
export function allNodes(): readonly { className: string; Node: NodeClass | undefined }[] {
  return nodes().map(({ className, file }) => ({
    className,
    Node: jest.requireActual<Record<string, NodeClass>>(path.join(root, file))[className],
  }));
}

export function allCredentials(): readonly {
  className: string;
  Credential: (new () => ICredentialType) | undefined;
}[] {
  return credentials().map(({ className, file }) => ({
    className,
    Credential: jest.requireActual<Record<string, new () => ICredentialType>>(path.join(root, file))[className],
  }));
}
