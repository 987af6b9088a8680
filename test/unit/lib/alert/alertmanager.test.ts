import { readAlertmanager } from '../../../../lib/alert/alertmanager';
import { NOON } from './estate';

const alert = (changes: object = {}) => ({
  status: 'firing',
  labels: { alertname: 'DiskFull', instance: 'web-1:9100', severity: 'critical' },
  annotations: { summary: 'Disk almost full' },
  startsAt: '2026-01-31T08:00:00.123456789Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'http://prometheus:9090/graph?g0.expr=x',
  fingerprint: 'a1b2c3d4e5f60718',
  ...changes,
});

const delivery = (alerts: readonly object[], more: object = {}) => ({
  receiver: 'n8n',
  status: 'firing',
  alerts,
  groupLabels: { alertname: 'DiskFull' },
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://alertmanager:9093',
  version: '4',
  groupKey: '{}:{alertname="DiskFull"}',
  truncatedAlerts: 0,
  ...more,
});

const expected = {
  target: 'DiskFull on web-1:9100',
  labels: { alertname: 'DiskFull', instance: 'web-1:9100', severity: 'critical', host: 'web-1' },
  severity: 'critical',
  status: 'wrong',
  evidence: 'Disk almost full',
  problem: 'fires',
  time: NOON,
  startedAt: Date.parse('2026-01-31T08:00:00.123Z'),
};

test.each([
  ['0.26 to 0.32', {}],
  ['0.33', { notification_reason: 'first notification' }],
  ['0.34', { notification_reason: 'new alerts added', routeLabels: { team: 'home' } }],
  ['0.34 without labels of the route', { routeLabels: null }],
])('a delivery of Alertmanager %s becomes reports', (_, more) => {
  expect(readAlertmanager(delivery([alert()], more), NOON)).toEqual({ reports: [expected], truncated: 0 });
});

test('a host that is down becomes the cause of what else is wrong there', () => {
  const labels = { alertname: 'InstanceDown', instance: '[2001:db8::1]:9100' };
  expect(readAlertmanager(delivery([alert({ labels })]), NOON).reports[0]).toMatchObject({
    target: '2001:db8::1',
    labels: { kind: 'host', host: '2001:db8::1' },
    severity: 'warning',
    problem: 'is unreachable',
  });
});

test('what fires again with its old beginning after it was resolved is believed', () => {
  const [ended] = readAlertmanager(
    delivery([alert({ status: 'resolved', endsAt: '2026-01-31T09:00:00Z' })]),
    NOON,
  ).reports;
  const [again] = readAlertmanager(delivery([alert()]), NOON + 1).reports;
  expect(ended?.status).toBe('ok');
  expect(again?.time).toBeGreaterThan(ended?.time ?? Infinity);
});

test('alerts that were left out are counted', () => {
  expect(readAlertmanager(delivery([alert()], { truncatedAlerts: 12 }), NOON).truncated).toBe(12);
});

test.each([
  ['a list', []],
  ['another version', delivery([], { version: '5' })],
  ['no version', { alerts: [] }],
  ['no alerts', delivery([], { alerts: undefined })],
  ['an alert without status', delivery([alert({ status: undefined })])],
  ['labels that are no text', delivery([alert({ labels: { a: {} } })])],
])('%s is refused', (_, body) => {
  expect(() => readAlertmanager(body, NOON)).toThrow(expect.objectContaining({ code: 'alertmanager_payload_invalid' }));
});
