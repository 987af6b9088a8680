import { actionNode, resource } from '../declaration';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import {
  artifactOperations,
  runnerOperations,
  runOperations,
  secretOperations,
  variableOperations,
} from './actions/actions.operations';
import {
  branchOperations,
  branchProtectionOperations,
  commitOperations,
  listStatusesOperation,
  tagOperations,
  tagProtectionOperations,
} from './actions/code.operations';
import {
  getStatusOperation,
  setStatusOperation,
  waitForStatusOperation,
} from './actions/commitStatus/commitStatus.operations';
import { readFileOperation, writeFilesOperation } from './actions/file/file.operations';
import { listPackagesOperation } from './actions/package/package.operations';
import { retentionOperation } from './actions/package/retain.operation';
import { probeRegistryOperation } from './actions/registry/probe.operation';
import { downloadFileOperation, listFilesOperation } from './actions/file/more.operations';
import {
  commentOperations,
  issueOperations,
  labelOperations,
  milestoneOperations,
  pullRequestOperations,
  reviewOperations,
} from './actions/issue.operations';
import {
  morePackageOperations,
  notificationOperations,
  organizationOperations,
  serverOperations,
  sshKeyOperations,
  teamOperations,
  userOperations,
} from './actions/people.operations';
import { assetOperations, releaseOperations } from './actions/release.operations';
import {
  collaboratorOperations,
  deployKeyOperations,
  moreRepositoryOperations,
  pushMirrorOperations,
} from './actions/repository.operations';
import {
  deleteRepositoryOperation,
  ensureRepositoryOperation,
  getRepositoryOperation,
  searchRepositoriesOperation,
} from './actions/repository/repository.operations';
import { webhookOperations } from './actions/webhook.operations';
import { forgejoContext } from './context';
import { forgejoCredentialTest } from './methods/forgejoCredentialTest';
import type { ForgejoContext } from './operation';

/** Where passwords, tokens and secrets are given. */
const withSecrets = ['pushMirror', 'repository', 'secret', 'user', 'webhook'];

export const Forgejo = actionNode<ForgejoContext>({
  name: 'forgejo',
  displayName: 'Forgejo',
  description: 'Repositories, files, pull requests, releases, workflow runs and packages on a Forgejo or Gitea server',
  icon: { light: 'file:forgejo.svg', dark: 'file:forgejo.dark.svg' },
  credentials: [
    { name: 'selfhostForgejo', required: true, testedBy: 'forgejoCredentialTest' },
    ...secretCredentials({ resource: withSecrets }),
    ...controlCredentials,
  ],
  resources: [
    resource({ name: 'artifact', label: 'Artifact', operations: artifactOperations }),
    resource({ name: 'branch', label: 'Branch', operations: branchOperations }),
    resource({ name: 'branchProtection', label: 'Branch Protection', operations: branchProtectionOperations }),
    resource({ name: 'collaborator', label: 'Collaborator', operations: collaboratorOperations }),
    resource({ name: 'comment', label: 'Comment', operations: commentOperations }),
    resource({ name: 'commit', label: 'Commit', operations: commitOperations }),
    resource({
      name: 'commitStatus',
      label: 'Commit Status',
      operations: [setStatusOperation, getStatusOperation, listStatusesOperation, waitForStatusOperation],
    }),
    resource({ name: 'deployKey', label: 'Deploy Key', operations: deployKeyOperations }),
    resource({
      name: 'file',
      label: 'File',
      operations: [readFileOperation, listFilesOperation, writeFilesOperation, downloadFileOperation],
    }),
    resource({ name: 'issue', label: 'Issue', operations: issueOperations }),
    resource({ name: 'label', label: 'Label', operations: labelOperations }),
    resource({ name: 'milestone', label: 'Milestone', operations: milestoneOperations }),
    resource({ name: 'notification', label: 'Notification', operations: notificationOperations }),
    resource({ name: 'organization', label: 'Organization', operations: organizationOperations }),
    resource({
      name: 'package',
      label: 'Package',
      operations: [listPackagesOperation, retentionOperation, ...morePackageOperations],
    }),
    resource({ name: 'pullRequest', label: 'Pull Request', operations: pullRequestOperations }),
    resource({ name: 'pushMirror', label: 'Push Mirror', operations: pushMirrorOperations }),
    resource({ name: 'registry', label: 'Registry', operations: [probeRegistryOperation] }),
    resource({ name: 'release', label: 'Release', operations: releaseOperations }),
    resource({ name: 'releaseAsset', label: 'Release Asset', operations: assetOperations }),
    resource({
      name: 'repository',
      label: 'Repository',
      operations: [
        getRepositoryOperation,
        searchRepositoriesOperation,
        ensureRepositoryOperation,
        deleteRepositoryOperation,
        ...moreRepositoryOperations,
      ],
    }),
    resource({ name: 'review', label: 'Review', operations: reviewOperations }),
    resource({ name: 'runner', label: 'Runner', operations: runnerOperations }),
    resource({ name: 'secret', label: 'Secret', operations: secretOperations }),
    resource({ name: 'server', label: 'Server', operations: serverOperations }),
    resource({ name: 'sshKey', label: 'SSH Key', operations: sshKeyOperations }),
    resource({ name: 'tag', label: 'Tag', operations: tagOperations }),
    resource({ name: 'tagProtection', label: 'Tag Protection', operations: tagProtectionOperations }),
    resource({ name: 'team', label: 'Team', operations: teamOperations }),
    resource({ name: 'user', label: 'User', operations: userOperations }),
    resource({ name: 'variable', label: 'Variable', operations: variableOperations }),
    resource({ name: 'webhook', label: 'Webhook', operations: webhookOperations }),
    resource({ name: 'run', label: 'Workflow Run', operations: runOperations }),
  ],
  methods: {
    credentialTest: {
      forgejoCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: forgejoContext,
});
