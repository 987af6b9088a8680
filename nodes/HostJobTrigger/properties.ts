import type { INodeProperties } from 'n8n-workflow';

export const hostJobTriggerProperties: INodeProperties[] = [
  {
    displayName: 'Hosts',
    name: 'hosts',
    type: 'string',
    default: '',
    placeholder: 'bruno, eva',
    description: 'Names of pinned hosts, separated by commas. Empty: all hosts of the credential.',
  },
  {
    displayName: 'Job Name',
    name: 'jobName',
    type: 'string',
    default: '',
    placeholder: 'scatter-backup',
    description:
      'Only jobs that were started with this name; with * at its end, names that begin like this. Empty: every job.',
  },
  {
    displayName: 'Outcome',
    name: 'outcome',
    type: 'options',
    options: [
      { name: 'All', value: 'all', description: 'Also cancelled and lost jobs' },
      { name: 'Failed', value: 'failed', description: 'Everything but success: failed, cancelled, lost' },
      { name: 'Succeeded', value: 'succeeded', description: 'Ended by itself with exit code 0' },
    ],
    default: 'all',
  },
  {
    displayName: 'Options',
    name: 'options',
    type: 'collection',
    placeholder: 'Add Option',
    default: {},
    options: [
      {
        displayName: 'Earlier Jobs Too',
        name: 'earlier',
        type: 'boolean',
        default: false,
        description: 'Whether jobs that ended before this trigger was first active start the workflow, too',
      },
      {
        displayName: 'Interval (Seconds)',
        name: 'intervalSeconds',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 3600 },
        default: 5,
        description: 'How often each host is asked',
      },
    ],
  },
];
