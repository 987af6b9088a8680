import { fieldsOf } from '../../../../lib/health/fields';
import { inMaintenance, parseWindows } from '../../../../lib/health/maintenance';
import { addRound, gather } from '../../../../lib/health/history';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';

const parse = (written: unknown) => parseTargets(written, USUAL_DEFAULTS);
const photos = { name: 'photos', kind: 'http', url: 'https://photos.kua.cl/' };

test('what is not said has its usual value', () => {
  const [target] = parse(photos);
  expect(target).toMatchObject({
    name: 'photos',
    kind: 'http',
    from: ['n8n'],
    severity: 'critical',
    labels: {},
    intervalMs: 30_000,
    deadlineMs: 10_000,
    rules: { wrong: 3, of: 5, ok: 2, startPeriodMs: 0 },
    maintenance: [],
    secrets: {},
  });
});

test.each([
  ['nonsense', 'target 1 cannot be watched: it is not an object'],
  [{ kind: 'http' }, 'target 1 cannot be watched: its name is missing'],
  [{ ...photos, kind: 'gopher' }, /its kind is not one of backup, backups, container, dns, /],
  [{ ...photos, statusses: [200] }, /its statusses is not known here; known are /],
  [{ ...photos, json: { path: 'a', is: 1 } }, /target photos: json cannot be watched: its is is not known here/],
  [{ ...photos, url: 'ftp://photos' }, /its url is not an http or https address/],
  [{ ...photos, url: 'https://me:secret@photos/' }, /its url is not an http or https address without a login in it/],
  [{ ...photos, statuses: [2000] }, /its statuses are not like 200 or 2xx/],
  [{ ...photos, matches: '(' }, /its matches is not a regular expression/],
  [{ ...photos, severity: 'loud' }, /its severity is not one of critical, warning, info, security/],
  [{ ...photos, from: ['n8n', 'n8n'] }, /its from names one place twice/],
  [{ ...photos, quorum: 2 }, /its quorum is not a number from 1 to 1/],
  [{ ...photos, wrong: 2.5 }, /its wrong is not a whole number/],
  [{ ...photos, maintenance: 'sometimes' }, /its maintenance has "sometimes"; write Sun 02:00-04:00/],
  [{ name: 'disk', kind: 'machine' }, /its from is missing: the host on which it is looked at/],
  [{ name: 'disk', kind: 'machine', from: 'n8n' }, /its from must be a host, not n8n/],
  [{ name: 'a', kind: 'dns', domain: 'kua.cl', server: '1.1.1.1', from: 'bruno' }, /its from can only be n8n/],
  [{ name: 'db', kind: 'postgres', host: 'a', user: 'b', writable: true, maxLagSeconds: 1 }, /is for a standby/],
  [[photos, photos], 'target photos cannot be watched: there are two of this name'],
])('%j is refused, and why', (written, message) => {
  expect(() => parse(written)).toThrow(message);
});

test('what is looked at on a host is a thing of that host, unless it is said otherwise', () => {
  const disk = { name: 'disks of bruno', kind: 'machine', from: 'bruno' };
  expect(parse(disk)[0]?.labels).toEqual({ host: 'bruno' });
  expect(parse({ ...disk, labels: { host: 'eva', team: 1 } })[0]?.labels).toEqual({ host: 'eva', team: '1' });
});

test.each([
  [3, 30, 10_000],
  [3, 6, 4_000],
  [2, 6, 3_000],
  [1, 30, 1_000],
])('with %i rounds of %i s a look that hangs ends after %i ms', (wrong, intervalSeconds, deadlineMs) => {
  expect(parse({ ...photos, wrong, intervalSeconds })[0]?.deadlineMs).toBe(deadlineMs);
});

const windows = (written: unknown, zone = 'UTC') =>
  parseWindows(fieldsOf({ maintenance: written }, 'it'), 'maintenance', zone);

test.each([
  ['Sun 02:00-04:00', '2026-02-01T02:00:00Z', true],
  ['Sun 02:00-04:00', '2026-02-01T04:00:00Z', false],
  ['Sun 02:00-04:00', '2026-02-02T03:00:00Z', false],
  ['Sat,Sun 23:00-01:00', '2026-02-02T00:30:00Z', true],
  ['Sat,Sun 23:00-01:00', '2026-02-01T00:30:00Z', true],
  ['Sat,Sun 23:00-01:00', '2026-01-31T00:30:00Z', false],
  ['02:00-02:15', '2026-02-04T02:14:59Z', true],
  ['2026-01-31T02:00Z to 2026-01-31T04:00Z', '2026-01-31T03:59:59Z', true],
  ['2026-01-31T02:00Z to 2026-01-31T04:00Z', '2026-01-31T04:00:00Z', false],
])('%s: at %s maintenance is %s', (written, time, expected) => {
  expect(inMaintenance(windows(written), Date.parse(time))).toBe(expected);
});

test('a window is of the clocks of its zone', () => {
  // Santiago is three hours behind UTC in January.
  expect(inMaintenance(windows('Sun 23:00-23:30', 'America/Santiago'), Date.parse('2026-02-02T02:10:00Z'))).toBe(true);
});

const DAY = 86_400_000;
const MIDNIGHT = Date.parse('2026-02-01T00:00:00Z');
const ok = [{ vantage: 'n8n', finding: { outcome: 'ok', says: '', latencyMs: 12.4 } }] as const;

test('the history counts time that was wrong by the day, and leaves out what nobody saw', () => {
  const gathering = gather(undefined);
  const standing = (status: 'ok' | 'wrong') => ({ status, rounds: [], begunAt: 0 });
  const round = (at: number, status: 'ok' | 'wrong') => addRound(gathering, standing(status), ok, 60_000, at);
  round(MIDNIGHT - 120_000, 'wrong');
  round(MIDNIGHT - 60_000, 'wrong');
  round(MIDNIGHT + 60_000, 'ok');
  round(MIDNIGHT + 120_000, 'ok');
  // Nobody looked for three days.
  round(MIDNIGHT + 3 * DAY, 'ok');
  round(MIDNIGHT + 3 * DAY + 60_000, 'ok');
  expect(gathering.history).toEqual({
    day: MIDNIGHT / DAY + 3,
    days: [120_000, 60_000, null, null, 0],
    latencies: [12, 12],
  });
});
