import { readAlertmanager, USUAL_READING } from '../../../lib/alert/alertmanager';
import type { AlertEvent } from '../../../lib/alert/reduce';
import { parseReports } from '../../../lib/alert/report';
import { happen, note, readBook } from '../../../lib/alert/store';
import type { StateStore } from '../../../lib/state/store';
import { json, list, number, optional, toggle } from '../../declaration';
import { byField, place, whyField } from '../fields';
import { operation } from '../operation';
import { incidentOutput, messageOutput, shownIncidents, shownMessage } from '../output';

const suppressed = toggle({
  label: 'Include Suppressed',
  description: 'Whether what is not told comes out as well, with the reason',
});

async function told(store: StateStore, estate: string, event: AlertEvent, includeSuppressed = false) {
  const messages = await happen(store, estate, event);
  return messages.filter(({ kind }) => includeSuppressed || kind !== 'suppressed').map(shownMessage);
}

export const incidentOperations = [
  operation({
    resource: 'incident',
    name: 'report',
    action: 'Take a report',
    description: 'Takes what monitors say, and gives the messages that are due because of it: often none',
    effect: 'changes',
    input: {
      ...place,
      report: json({
        label: 'Report',
        required: true,
        default: '={{ $json }}',
        parse: (value) => value,
        description:
          'One or a list, each with target and status (ok or wrong), and optionally labels, severity, evidence, problem, time and waitSeconds (when it shall last for longer than usual before it is told). Those of status unknown are passed over.',
      }),
      options: optional({ suppressed }),
    },
    output: messageOutput,
    run: ({ input, store }) => {
      const reports = parseReports(input.report, Date.now());
      return told(store, input.estate, { kind: 'reports', reports }, input.options.suppressed);
    },
  }),
  operation({
    resource: 'incident',
    name: 'receive',
    label: 'Receive From Alertmanager',
    action: 'Receive a webhook of alerts',
    description: 'Takes a webhook of Prometheus Alertmanager, and gives the messages that are due because of it',
    effect: 'changes',
    input: {
      ...place,
      payload: json({
        label: 'Payload',
        required: true,
        default: '={{ $json.body }}',
        parse: (value) => value,
        description: 'The body of the webhook as it came',
      }),
      options: optional({
        hostDownAlerts: list({
          label: 'Host Down Alerts',
          default: USUAL_READING.hostDownAlerts,
          description: 'Names of alerts that mean that a whole host is down, which mute what else is wrong there',
        }),
        suppressed,
      }),
    },
    output: messageOutput,
    run: ({ input, store }) => {
      const { hostDownAlerts = USUAL_READING.hostDownAlerts } = input.options;
      const { reports } = readAlertmanager(input.payload, Date.now(), { hostDownAlerts });
      return told(store, input.estate, { kind: 'reports', reports }, input.options.suppressed);
    },
  }),
  operation({
    resource: 'incident',
    name: 'tick',
    label: 'Let Time Pass',
    action: 'Let time pass',
    description:
      'Gives the messages that are due by now: what has lasted, is over, was not taken, was put off, or was not confirmed. Run it on a schedule.',
    effect: 'changes',
    input: { ...place, options: optional({ suppressed }) },
    output: messageOutput,
    run: ({ input, store }) => told(store, input.estate, { kind: 'tick' }, input.options.suppressed),
  }),
  operation({
    resource: 'incident',
    name: 'acknowledge',
    action: 'Acknowledge an incident',
    description: 'Somebody takes it: it is neither repeated nor escalated, unless it becomes worse',
    effect: 'changes',
    input: {
      ...place,
      incident: number({ label: 'Incident', default: 1, min: 1, integer: true, description: 'Its number' }),
      by: byField,
      why: whyField,
      options: optional({
        minutes: number({ label: 'For (Minutes)', default: 60, min: 1, description: 'Default: until it is over' }),
      }),
    },
    output: incidentOutput,
    run: async ({ input, store }) => {
      const { incident, by, why, options } = input;
      const until = options.minutes === undefined ? {} : { until: Date.now() + options.minutes * 60_000 };
      const memory = await note(store, input.estate, { kind: 'acknowledge', incident, by, why, ...until });
      return shownIncidents(memory).filter(({ number: one }) => one === incident);
    },
  }),
  operation({
    resource: 'incident',
    name: 'list',
    action: 'List open incidents',
    description: 'Lists what is open now',
    effect: 'reads',
    input: place,
    output: incidentOutput,
    run: async ({ input, store }) => shownIncidents((await readBook(store, input.estate)).memory),
  }),
];
