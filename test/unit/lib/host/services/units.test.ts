import { parseJournal } from '../../../../../lib/host/services/journal';
import { parseSpan, parseTimers, servicesOf } from '../../../../../lib/host/services/list';
import { parseProperties, unitOf } from '../../../../../lib/host/services/unit';
import { parseUnitName } from '../../../../../lib/host/services/unit-name';

describe('unit names', () => {
  test.each([
    ['nginx', 'nginx.service'],
    [' nginx.service ', 'nginx.service'],
    ['logrotate.timer', 'logrotate.timer'],
    ['rclone@photos', 'rclone@photos.service'],
    ['home-ana\\x2dmaria.mount', 'home-ana\\x2dmaria.mount'],
    ['-.mount', '-.mount'],
    ['php8.3-fpm', 'php8.3-fpm.service'],
    ['--help', '--help.service'],
  ])('%j is %s', (given, unit) => {
    expect(parseUnitName(given)).toBe(unit);
  });

  test.each(['', ' ', 'a b', 'st*', '[a]', 'a/b', 'a\nb', '$(id)', "a'b", 'ä', '@.service', 'a'.repeat(260)])(
    '%j is refused',
    (given) => {
      expect(() => parseUnitName(given)).toThrow(expect.objectContaining({ code: 'unit_name_invalid' }));
    },
  );
});

/** Printed by systemd 252 with TZ=UTC. */
const shown = `MainPID=33
Result=success
NRestarts=0
ExecMainStatus=0
MemoryCurrent=[not set]
Id=ssh.service
Description=OpenBSD Secure Shell server
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestamp=Fri 2026-11-20 17:31:40 UTC

MainPID=0
Result=success
NRestarts=0
ExecMainStatus=0
MemoryCurrent=18446744073709551615
Id=nope.service
Description=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
StateChangeTimestamp=
`;

const ssh = {
  unit: 'ssh.service',
  description: 'OpenBSD Secure Shell server',
  load: 'loaded',
  active: 'active',
  sub: 'running',
  enabled: 'enabled',
  since: '2026-11-20T17:31:40.000Z',
  mainPid: 33,
  memoryBytes: null,
  restarts: 0,
  result: 'success',
  exitStatus: 0,
};

test('a unit is read as systemctl shows it, and what it does not know is null', () => {
  expect(parseProperties(shown).map(unitOf)).toEqual([
    ssh,
    {
      ...ssh,
      unit: 'nope.service',
      description: 'nope.service',
      load: 'not-found',
      active: 'inactive',
      sub: 'dead',
      enabled: null,
      since: null,
      mainPid: null,
    },
  ]);
});

test('services that are not loaded come from their files; templates, aliases and ghosts do not', () => {
  const files = `backup.service disabled enabled
getty@.service enabled enabled
sshd.service alias -
cups.service masked enabled
ssh.service enabled enabled
`;
  expect(servicesOf(shown, files).map(({ unit, load, active, enabled }) => ({ unit, load, active, enabled }))).toEqual([
    { unit: 'backup.service', load: 'loaded', active: 'inactive', enabled: 'disabled' },
    { unit: 'cups.service', load: 'masked', active: 'inactive', enabled: 'masked' },
    { unit: 'ssh.service', load: 'loaded', active: 'active', enabled: 'enabled' },
  ]);
});

test('timers fire by the calendar or so long after the boot', () => {
  const timers = `Unit=logrotate.service
NextElapseUSecRealtime=Sat 2026-11-21 00:00:00 UTC
NextElapseUSecMonotonic=0
LastTriggerUSec=Fri 2026-11-20 00:00:03 UTC
Id=logrotate.timer
Description=Daily rotation of log files
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Unit=systemd-tmpfiles-clean.service
NextElapseUSecRealtime=
NextElapseUSecMonotonic=51min 19.369598s
LastTriggerUSec=
Id=systemd-tmpfiles-clean.timer
Description=Daily Cleanup of Temporary Directories
LoadState=loaded
ActiveState=active
UnitFileState=static
`;
  expect(parseTimers(timers, Date.parse('2026-11-20T12:00:00Z'))).toEqual([
    {
      unit: 'logrotate.timer',
      activates: 'logrotate.service',
      description: 'Daily rotation of log files',
      active: 'active',
      enabled: 'enabled',
      next: '2026-11-21T00:00:00.000Z',
      last: '2026-11-20T00:00:03.000Z',
    },
    {
      unit: 'systemd-tmpfiles-clean.timer',
      activates: 'systemd-tmpfiles-clean.service',
      description: 'Daily Cleanup of Temporary Directories',
      active: 'active',
      enabled: 'static',
      next: '2026-11-20T12:51:19.000Z',
      last: null,
    },
  ]);
});

test.each([
  ['0', undefined],
  ['infinity', undefined],
  ['', undefined],
  ['1d 2h 3min 4.5s', 93_784_500],
  ['1w 1month', 3_234_600_000],
  ['2 days', 172_800_000],
  ['1 fortnight', undefined],
])('the time span %j is %j ms', (text, milliseconds) => {
  expect(parseSpan(text)).toBe(milliseconds);
});

test('journal lines are read from JSON, bytes as text, and anything else is passed over', () => {
  const lines = [
    '{"__REALTIME_TIMESTAMP":"1795195901000000","MESSAGE":"the port is taken","PRIORITY":"3"}',
    '{"__REALTIME_TIMESTAMP":"1795195901500000","MESSAGE":[228,246],"_PID":"1"}',
    '{"__REALTIME_TIMESTAMP":"1795195902000000","MESSAGE":null}',
    '{"half',
    '-- No entries --',
  ].join('\n');
  expect(parseJournal(lines)).toEqual([
    { time: '2026-11-20T17:31:41.000Z', message: 'the port is taken', priority: 3 },
    { time: '2026-11-20T17:31:41.500Z', message: '\ufffd\ufffd', priority: null },
    { time: '2026-11-20T17:31:42.000Z', message: '', priority: null },
  ]);
});
