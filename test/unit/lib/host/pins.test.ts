import { fingerprintOf, keyTypeOf, parseAddress, parsePins } from '../../../../lib/host/pins';

const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ';
const FINGERPRINT = 'SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ';

describe('fingerprintOf', () => {
  it('prints what ssh-keygen prints', () => {
    const blob = Buffer.from(KEY, 'base64');
    expect(fingerprintOf(blob)).toBe('SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE');
    expect(keyTypeOf(blob)).toBe('ssh-ed25519');
  });

  it('finds no type in what is not a key', () => {
    expect(keyTypeOf(Buffer.alloc(2))).toBeUndefined();
    expect(keyTypeOf(Buffer.from([0, 0, 9, 9, 1]))).toBeUndefined();
  });
});

describe('parseAddress', () => {
  it.each([
    ['188.34.198.57', { address: '188.34.198.57', port: 22 }],
    ['bruno.example:2222', { address: 'bruno.example', port: 2222 }],
    ['[2001:db8::1]:22', { address: '2001:db8::1', port: 22 }],
    ['2001:db8::1', { address: '2001:db8::1', port: 22 }],
  ])('reads %s', (text, place) => {
    expect(parseAddress(text)).toEqual(place);
  });

  it.each(['', 'a b', 'host:0', 'host:65536', '-oProxyCommand=x', '$(id)', 'a\nb', 'x'.repeat(300)])(
    'refuses %j',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

describe('parsePins', () => {
  it('reads names with fingerprints, known_hosts lines, comments and blank lines', () => {
    const text = [
      '# production',
      `bruno=188.34.198.57:2222 ${FINGERPRINT}`,
      '',
      `eva.example,144.217.76.53 ssh-ed25519 ${KEY} root@eva`,
      `[10.0.0.1]:2200 ssh-ed25519 ${KEY}`,
      `six=[2001:db8::1]:22 ssh-ed25519 ${FINGERPRINT}=`,
    ].join('\r\n');
    const key = { keyType: 'ssh-ed25519', fingerprint: fingerprintOf(Buffer.from(KEY, 'base64')) };
    expect(parsePins(text)).toEqual([
      { name: 'bruno', aliases: [], address: '188.34.198.57', port: 2222, pins: [{ fingerprint: FINGERPRINT }] },
      { name: 'eva.example', aliases: [], address: '144.217.76.53', port: 22, pins: [key] },
      { name: '10.0.0.1:2200', aliases: [], address: '10.0.0.1', port: 2200, pins: [key] },
      {
        name: 'six',
        aliases: [],
        address: '2001:db8::1',
        port: 22,
        pins: [{ keyType: 'ssh-ed25519', fingerprint: FINGERPRINT }],
      },
    ]);
  });

  it('gathers several keys of one host', () => {
    const other = `SHA256:${'A'.repeat(43)}`;
    const [host, ...rest] = parsePins(`bruno=10.0.0.1 ${FINGERPRINT}\nbruno=10.0.0.1 ssh-rsa ${other}`);
    expect(rest).toEqual([]);
    expect(host?.pins).toEqual([{ fingerprint: FINGERPRINT }, { keyType: 'ssh-rsa', fingerprint: other }]);
  });

  it.each([
    ['a hashed line', `|1|c2FsdA==|aGFzaA== ssh-ed25519 ${KEY}`, 'hashed known_hosts line'],
    [
      'a certificate authority',
      `@cert-authority *.example ssh-ed25519 ${KEY}`,
      '@cert-authority lines are not supported',
    ],
    ['no key', 'bruno=10.0.0.1', 'after the address comes'],
    ['an MD5 fingerprint', 'bruno=10.0.0.1 MD5:00:11', 'after the address comes'],
    ['half a key', `bruno=10.0.0.1 ssh-ed25519 ${KEY.slice(0, 12)}`, 'not a whole ssh-ed25519 key'],
    ['a key of another type', `bruno=10.0.0.1 ssh-rsa ${KEY}`, 'not a whole ssh-rsa key'],
    ['a wildcard', `*.example ssh-ed25519 ${KEY}`, '"*.example" is not an address'],
    ['an empty name', `=10.0.0.1 ${FINGERPRINT}`, 'the name before = is empty'],
  ])('refuses %s and says in which line', (_, line, why) => {
    expect(() => parsePins(`# one\n${line}`)).toThrow(
      expect.objectContaining({ code: 'host_list_invalid', message: expect.stringContaining(`Line 2`) }),
    );
    expect(() => parsePins(line)).toThrow(why);
  });

  it('refuses one name with two addresses', () => {
    expect(() => parsePins(`bruno=10.0.0.1 ${FINGERPRINT}\nbruno=10.0.0.2 ${FINGERPRINT}`)).toThrow(
      'bruno is already listed with another address (10.0.0.1:22)',
    );
  });
});
