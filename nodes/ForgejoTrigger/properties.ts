import type { INodeProperties } from 'n8n-workflow';
import { EVENT_TYPES } from '../../lib/forgejo/webhook/event-types';
import { alphabetical } from '../declaration/alphabetical';
import { placeProperties } from '../shared/triggerFields';

const globs =
  'Separated by commas. * is anything but a slash, ** anything, ! in front excludes; the last that fits decides.';

export const forgejoTriggerProperties: INodeProperties[] = [
  {
    displayName: 'Scope',
    name: 'scope',
    type: 'options',
    options: [
      { name: 'Organization', value: 'organization', description: 'All repositories of one organization' },
      { name: 'Repository', value: 'repository' },
      { name: 'Whole Server', value: 'system', description: 'All repositories; needs a token of an admin' },
    ],
    default: 'repository',
  },
  {
    displayName: 'Repository',
    name: 'repository',
    type: 'string',
    default: '',
    required: true,
    placeholder: 'kua/infrastructure',
    description: 'Owner and name',
    displayOptions: { show: { scope: ['repository'] } },
  },
  {
    displayName: 'Organization',
    name: 'organization',
    type: 'string',
    default: '',
    required: true,
    placeholder: 'kua',
    displayOptions: { show: { scope: ['organization'] } },
  },
  {
    displayName: 'Events',
    name: 'events',
    type: 'multiOptions',
    options: Object.entries(EVENT_TYPES)
      .map(([value, { label }]) => ({ name: label, value }))
      .sort((one, other) => alphabetical(one.name, other.name)),
    default: ['push'],
    required: true,
    description: 'What starts the workflow',
  },
  {
    displayName: 'Filters',
    name: 'filters',
    type: 'collection',
    placeholder: 'Add Filter',
    default: {},
    options: [
      {
        displayName: 'Actions',
        name: 'actions',
        type: 'string',
        default: '',
        placeholder: 'opened, closed',
        description: `Of issues, pull requests, releases, packages and the like. ${globs}`,
      },
      {
        displayName: 'Actors',
        name: 'actors',
        type: 'string',
        default: '',
        placeholder: 'daniel, !*-bot',
        description: `Logins of those who did it. ${globs}`,
      },
      {
        displayName: 'Branches',
        name: 'branches',
        type: 'string',
        default: '',
        placeholder: 'main, release/**',
        description: `Without Tags, tags do not start the workflow then. ${globs}`,
      },
      {
        displayName: 'Paths',
        name: 'paths',
        type: 'string',
        default: '',
        placeholder: 'deploy/**, !**/*.md',
        description: `Of pushes: at least one changed file has to fit. ${globs}`,
      },
      {
        displayName: 'Repositories',
        name: 'repositories',
        type: 'string',
        default: '',
        placeholder: 'kua/*, !kua/archive',
        description: `For hooks of an organization or the whole server. ${globs}`,
      },
      {
        displayName: 'Tags',
        name: 'tags',
        type: 'string',
        default: '',
        placeholder: 'v*',
        description: `Without Branches, branches do not start the workflow then. ${globs}`,
      },
    ],
  },
  ...placeProperties({
    label: 'Remember Deliveries In',
    others: [
      {
        name: 'This Process',
        value: 'process',
        description: 'Forgotten when n8n restarts, and not known to other webhook processors',
      },
    ],
    usual: 'process',
    description: 'A delivery that comes again starts the workflow once, as far as this memory reaches',
  }),
  {
    displayName: 'Options',
    name: 'options',
    type: 'collection',
    placeholder: 'Add Option',
    default: {},
    options: [
      {
        displayName: 'Largest Body (KiB)',
        name: 'largestBodyKib',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 16_384 },
        default: 4096,
        description: 'Larger deliveries are refused before they are read',
      },
      {
        displayName: 'Rotate Secret After (Days)',
        name: 'rotateAfterDays',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 3650 },
        default: 90,
        description: 'An older secret is replaced the next time the workflow is published or n8n starts',
      },
    ],
  },
];
