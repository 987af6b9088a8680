import { compareNames, ownerName, relativeName, targetName, zoneName, zoneOf } from '../../../../lib/dns/name';

const ZONE = 'kua.cl';

it.each([
  ['@', 'kua.cl'],
  ['kua.cl', 'kua.cl'],
  ['KUA.CL.', 'kua.cl'],
  ['www', 'www.kua.cl'],
  [' WWW.kua.cl. ', 'www.kua.cl'],
  ['a.b', 'a.b.kua.cl'],
  ['*', '*.kua.cl'],
  ['*.dev', '*.dev.kua.cl'],
  ['_sip._tcp', '_sip._tcp.kua.cl'],
  ['bücher', 'xn--bcher-kva.kua.cl'],
  ['BÜCHER.kua.cl', 'xn--bcher-kva.kua.cl'],
  ['1.2.3', '1.2.3.kua.cl'],
  ['www.other.dev', 'www.other.dev.kua.cl'],
  ['www.other.com.kua.cl', 'www.other.com.kua.cl'],
])('%s in kua.cl is %s', (typed, name) => {
  expect(ownerName(typed, ZONE)).toBe(name);
});

it.each([
  ['www.example.com', 'is outside the zone kua.cl'],
  ['www.other.cl', 'is outside the zone kua.cl'],
  ['xkua.cl', 'is outside the zone kua.cl'],
  ['www.', 'is outside the zone kua.cl'],
  ['', 'is empty'],
  ['a..b', 'has an empty label'],
  ['a b', 'which no name may have'],
  ['a.*', 'has a * that is not its whole first label'],
  ['a*', 'has a * that is not its whole first label'],
  ['x'.repeat(64), 'more than 63 characters'],
  [Array(5).fill('x'.repeat(60)).join('.'), 'characters long; 253 fit'],
  ['$(reboot)', 'which no name may have'],
])('the name %j is refused: %s', (typed, why) => {
  expect(() => ownerName(typed, ZONE)).toThrow(why);
});

it('takes targets with and without the trailing dot, and no addresses', () => {
  expect(targetName('Mail.Example.com', ZONE)).toBe('mail.example.com');
  expect(targetName('mail.example.com.', ZONE)).toBe('mail.example.com');
  expect(targetName('@', ZONE)).toBe('kua.cl');
  expect(targetName('.', ZONE)).toBe('.');
  for (const address of ['192.0.2.1', '192.0.2.1.', '2001:db8::1']) {
    expect(() => targetName(address, ZONE)).toThrow('is an address, where a name has to stand');
  }
});

it('puts a name before the names below it, and finds the closest zone of a name', () => {
  expect(['b.kua.cl', 'kua.cl', 'a.b.kua.cl', 'a.kua.cl'].sort(compareNames)).toEqual([
    'kua.cl',
    'a.kua.cl',
    'b.kua.cl',
    'a.b.kua.cl',
  ]);
  expect(zoneOf('x.dev.kua.cl', ['kua.cl', 'dev.kua.cl'])).toBe('dev.kua.cl');
  expect(zoneOf('xkua.cl', ['kua.cl'])).toBeUndefined();
  expect(relativeName('kua.cl', ZONE)).toBe('@');
  expect(relativeName('*.dev.kua.cl', ZONE)).toBe('*.dev');
  expect(() => zoneName('.')).toThrow('is no zone of yours');
});
