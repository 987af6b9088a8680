import { Failure } from '../failure';
import { isObject } from '../json';
import { parseReport, type Report, type Severity } from './report';

/** A delivery of Alertmanager's webhook, version 4 of its payload (Alertmanager 0.26 to 0.34, and older). */
export interface Delivery {
  readonly reports: readonly Report[];
  /** How many alerts Alertmanager left out, because its max_alerts is set. */
  readonly truncated: number;
}

export interface AlertmanagerReading {
  /** Alerts that mean that a whole host is down; what else is wrong there follows from it. */
  readonly hostDownAlerts: readonly string[];
}

export const USUAL_READING: AlertmanagerReading = {
  hostDownAlerts: ['HostDown', 'InstanceDown', 'NodeDown', 'TargetDown'],
};

const SEVERITY_WORDS: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  emergency: 'critical',
  error: 'critical',
  page: 'critical',
  high: 'critical',
  warning: 'warning',
  medium: 'warning',
  info: 'info',
  low: 'info',
  none: 'info',
  security: 'security',
};

/**
 * Reads a delivery. Its reports carry the time of arrival, not that of the alerts: after a gap Prometheus fires again
 * with the old beginning, which is before the end that Alertmanager reported meanwhile.
 */
export function readAlertmanager(
  body: unknown,
  now: number,
  { hostDownAlerts }: AlertmanagerReading = USUAL_READING,
): Delivery {
  if (!isObject(body)) throw notADelivery('it is not an object');
  const { version, alerts, truncatedAlerts = 0 } = body;
  if (version !== '4') throw notADelivery('its version is not "4"');
  if (!Array.isArray(alerts)) throw notADelivery('it has no list of alerts');
  if (typeof truncatedAlerts !== 'number') throw notADelivery('its truncatedAlerts is not a number');
  return {
    reports: alerts.map((alert, index) => readAlert(alert, index, now, hostDownAlerts)),
    truncated: truncatedAlerts,
  };
}

function readAlert(alert: unknown, index: number, now: number, hostDownAlerts: readonly string[]): Report {
  if (!isObject(alert)) throw notADelivery(`alert ${index} is not an object`);
  const { status } = alert;
  if (status !== 'firing' && status !== 'resolved') throw notADelivery(`alert ${index} neither fires nor is resolved`);
  const labels = textsOf(alert['labels'], `the labels of alert ${index}`);
  const annotations = textsOf(alert['annotations'] ?? {}, `the annotations of alert ${index}`);
  const { alertname = 'An alert', instance, job } = labels;
  const host = labels['host'] ?? (instance === undefined ? undefined : hostOf(instance));
  const hostDown = host !== undefined && hostDownAlerts.includes(alertname);
  const place = instance ?? host ?? job;
  const started = Date.parse(String(alert['startsAt']));
  return {
    ...parseReport(
      {
        target: hostDown ? host : place === undefined ? alertname : `${alertname} on ${place}`,
        labels: { ...labels, ...(host !== undefined && { host }), ...(hostDown && { kind: 'host' }) },
        severity: SEVERITY_WORDS[(labels['severity'] ?? '').toLowerCase()] ?? 'warning',
        status: status === 'firing' ? 'wrong' : 'ok',
        evidence: annotations['summary'] ?? annotations['description'] ?? annotations['message'] ?? '',
        problem: hostDown ? 'is unreachable' : 'fires',
        time: now,
      },
      now,
    ),
    ...(Number.isFinite(started) && { startedAt: Math.min(started, now) }),
  };
}

/** `web-1:9100`, `[::1]:9100`, `https://git.kua.cl/`: the host in it. */
function hostOf(instance: string): string {
  const bare = instance.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/[/?#].*$/, '');
  const bracketed = /^\[([^\]]+)\]/.exec(bare)?.[1];
  return bracketed ?? bare.replace(/^([^:]+):\d+$/, '$1');
}

function textsOf(input: unknown, what: string): Readonly<Record<string, string>> {
  if (!isObject(input)) throw notADelivery(`${what} are not an object`);
  const entries = Object.entries(input).map(([name, value]) => {
    if (typeof value !== 'string') throw notADelivery(`${what} are not all text`);
    return [name, value] as const;
  });
  return Object.fromEntries(entries);
}

function notADelivery(why: string): Failure {
  return new Failure({
    code: 'alertmanager_payload_invalid',
    subject: 'a webhook of Alertmanager',
    message: `What arrived is not a webhook of Alertmanager: ${why}`,
    nextStep:
      'Give the body of a webhook_configs delivery as it is, without a payload template, and without changing it on its way.',
  });
}
