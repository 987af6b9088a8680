import type { INodeProperties } from 'n8n-workflow';
import { SEVERITIES } from '../../lib/alert/report';
import { USUAL_DEFAULTS } from '../../lib/health/target';
import { placeProperties } from '../shared/triggerFields';

const usual = USUAL_DEFAULTS;

export const healthMonitorTriggerProperties: INodeProperties[] = [
  {
    displayName: 'Targets',
    name: 'targets',
    type: 'json',
    default: '[{"name": "photos.kua.cl", "kind": "http", "url": "https://photos.kua.cl/"}]',
    required: true,
    typeOptions: { rows: 8 },
    description: 'A list of targets. It is read when the workflow is activated.',
  },
  {
    displayName: 'Watch',
    name: 'watch',
    type: 'string',
    default: 'watch',
    required: true,
    description: 'Name under which is remembered what was seen. Two active triggers must not share one.',
  },
  ...placeProperties({
    label: 'Keep State In',
    usual: 'postgres',
    description: 'It must be reachable when other things are not',
  }),
  {
    displayName: 'Options',
    name: 'options',
    type: 'collection',
    placeholder: 'Add Option',
    default: {},
    options: [
      {
        displayName: 'Believed Well After (Rounds)',
        name: 'ok',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 100 },
        default: usual.ok,
      },
      {
        displayName: 'Believed Wrong After (Rounds)',
        name: 'wrong',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 100 },
        default: usual.wrong,
        description: 'So many bad rounds of the last ones make it wrong',
      },
      {
        displayName: 'Checks at the Same Time',
        name: 'concurrency',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 5000 },
        default: 200,
      },
      {
        displayName: 'Heartbeat (Seconds)',
        name: 'heartbeatSeconds',
        type: 'number',
        typeOptions: { minValue: 0, maxValue: 86_400 },
        default: 60,
        description: 'How often the second output tells that the watch is alive. 0: never.',
      },
      {
        displayName: 'Interval (Seconds)',
        name: 'intervalSeconds',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 604_800 },
        default: usual.intervalSeconds,
        description: 'Of targets that do not say',
      },
      {
        displayName: 'Of the Last (Rounds)',
        name: 'of',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 100 },
        default: usual.of,
      },
      {
        displayName: 'Severity',
        name: 'severity',
        type: 'options',
        options: SEVERITIES.map((value) => ({ name: value.charAt(0).toUpperCase() + value.slice(1), value })),
        default: usual.severity,
        description: 'Of targets that do not say',
      },
      {
        displayName: 'Start Period (Seconds)',
        name: 'startSeconds',
        type: 'number',
        typeOptions: { minValue: 0, maxValue: 86_400 },
        default: usual.startSeconds,
        description: 'For so long after a target is first watched its bad rounds do not count',
      },
      {
        displayName: 'Time Zone',
        name: 'zone',
        type: 'string',
        default: usual.zone,
        placeholder: 'America/Santiago',
        description: 'Of maintenance windows',
      },
    ],
  },
];
