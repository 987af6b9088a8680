import { actionNode, resource } from '../declaration';
import {
  getStatusOperation,
  setStatusOperation,
  waitForStatusOperation,
} from './actions/commitStatus/commitStatus.operations';
import { readFileOperation, writeFilesOperation } from './actions/file/file.operations';
import { listPackagesOperation } from './actions/package/package.operations';
import { retentionOperation } from './actions/package/retain.operation';
import { probeRegistryOperation } from './actions/registry/probe.operation';
import {
  deleteRepositoryOperation,
  ensureRepositoryOperation,
  getRepositoryOperation,
  searchRepositoriesOperation,
} from './actions/repository/repository.operations';
import { forgejoContext } from './context';
import { forgejoCredentialTest } from './methods/forgejoCredentialTest';
import type { ForgejoContext } from './operation';

export const Forgejo = actionNode<ForgejoContext>({
  name: 'forgejo',
  displayName: 'Forgejo',
  description: 'Repositories, files, commit statuses and package retention on a Forgejo or Gitea server',
  icon: { light: 'file:forgejo.svg', dark: 'file:forgejo.dark.svg' },
  credentials: [{ name: 'selfhostForgejo', required: true, testedBy: 'forgejoCredentialTest' }],
  resources: [
    resource({
      name: 'commitStatus',
      label: 'Commit Status',
      operations: [setStatusOperation, getStatusOperation, waitForStatusOperation],
    }),
    resource({ name: 'file', label: 'File', operations: [readFileOperation, writeFilesOperation] }),
    resource({ name: 'package', label: 'Package', operations: [listPackagesOperation, retentionOperation] }),
    resource({ name: 'registry', label: 'Registry', operations: [probeRegistryOperation] }),
    resource({
      name: 'repository',
      label: 'Repository',
      operations: [
        getRepositoryOperation,
        searchRepositoriesOperation,
        ensureRepositoryOperation,
        deleteRepositoryOperation,
      ],
    }),
  ],
  methods: { credentialTest: { forgejoCredentialTest } },
  context: forgejoContext,
});
