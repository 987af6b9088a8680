import type { Base } from '../../lib/forgejo/kind';
import { parseRepositoryName } from '../../lib/forgejo/repository-name';
import { choice, when } from '../declaration';
import type { Fields } from '../declaration';
import { organizationField, repositoryField } from './fields';

export type Values = Readonly<Record<string, unknown>>;

/** Below what a thing stands, and with which fields that is chosen. */
export interface Where {
  readonly fields: Fields;
  readonly baseOf: (input: Values) => Base;
}

export function repositoryBase(repository: string): Base {
  return { path: '/repos/{owner}/{repo}', at: { ...parseRepositoryName(repository) } };
}

export const inRepository: Where = {
  fields: { repository: repositoryField },
  baseOf: (input) => repositoryBase(input['repository'] as string),
};

export const onServer: Where = { fields: {}, baseOf: () => ({ path: '', at: {} }) };

export const asAdmin: Where = { fields: {}, baseOf: () => ({ path: '/admin', at: {} }) };

const scopes = {
  repository: 'Repository',
  organization: 'Organization',
  user: { label: 'Own User', description: 'All repositories of the user whose token it is' },
  system: { label: 'Whole Server', description: 'For admins' },
} as const;

/** Hooks, secrets, variables and runners exist for a repository, an organization, oneself or the whole server. */
export function inScope(...allowed: readonly (keyof typeof scopes)[]): Where {
  const options = Object.fromEntries(allowed.map((scope) => [scope, scopes[scope]]));
  return {
    fields: {
      scope: choice({ label: 'Of', options, default: 'repository' }),
      repository: when('scope', ['repository'], repositoryField),
      organization: when('scope', ['organization'], organizationField),
    },
    baseOf: (input) => {
      switch (input['scope'] as keyof typeof scopes) {
        case 'organization':
          return { path: '/orgs/{org}', at: { org: input['organization'] as string } };
        case 'user':
          return { path: '/user', at: {} };
        case 'system':
          return { path: '/admin', at: {} };
        case 'repository':
          return repositoryBase(input['repository'] as string);
      }
    },
  };
}
