import { parseIdentity } from '../../../../lib/host/identity';
import { selectHost, withWorkflowPins } from '../../../../lib/host/select';

const FINGERPRINT = `SHA256:${'A'.repeat(43)}`;
const OTHER = `SHA256:${'B'.repeat(43)}`;
const fields = {
  user: 'deploy',
  login: 'password',
  password: 'pw',
  hosts: `bruno=188.34.198.57 ${FINGERPRINT}\neva=144.217.76.53:2222 ${FINGERPRINT}`,
};

describe('parseIdentity', () => {
  it('reads every field', () => {
    expect(
      parseIdentity({
        ...fields,
        login: 'key',
        privateKey: 'KEY',
        passphrase: 'open',
        sudo: 'password',
        sudoPassword: 'root please',
        jumpHost: 'eva',
        defaultHost: 'bruno',
        pinsFromWorkflow: true,
        readOnly: true,
      }),
    ).toEqual({
      user: 'deploy',
      login: { method: 'key', privateKey: 'KEY\n', passphrase: 'open' },
      sudo: { mode: 'password', password: 'root please' },
      hosts: [
        { name: 'bruno', aliases: [], address: '188.34.198.57', port: 22, pins: [{ fingerprint: FINGERPRINT }] },
        { name: 'eva', aliases: [], address: '144.217.76.53', port: 2222, pins: [{ fingerprint: FINGERPRINT }] },
      ],
      jumpHost: 'eva',
      defaultHost: 'bruno',
      pinsFromWorkflow: true,
      readOnly: true,
    });
  });

  it('restores the lines of a key that was pasted into a one-line field', () => {
    const flat = '-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXk abc= -----END OPENSSH PRIVATE KEY-----';
    const { login } = parseIdentity({ ...fields, login: 'key', privateKey: flat });
    expect(login).toEqual({
      method: 'key',
      privateKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nabc=\n-----END OPENSSH PRIVATE KEY-----\n',
      passphrase: undefined,
    });
  });

  it('keeps the headers of a flattened PEM key apart from its data', () => {
    const flat =
      '-----BEGIN RSA PRIVATE KEY----- Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,00FF abcd efgh -----END RSA PRIVATE KEY-----';
    const { login } = parseIdentity({ ...fields, login: 'key', privateKey: flat });
    expect(login).toMatchObject({
      privateKey:
        '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\nabcd\nefgh\n-----END RSA PRIVATE KEY-----\n',
    });
  });

  it.each([
    ['user', { user: ' ' }, 'User of the Host credential is empty'],
    ['key', { login: 'key' }, 'Private Key of the Host credential is empty'],
    ['password', { password: '' }, 'Password of the Host credential is empty'],
    ['agent', { login: 'agent' }, 'Agent Socket of the Host credential is empty'],
    ['sudo password', { sudo: 'password' }, 'Sudo Password of the Host credential is empty'],
    ['login', { login: 'magic' }, 'Log In With of the Host credential is "magic"'],
    ['jump host', { jumpHost: 'nobody' }, 'Jump Host of the Host credential names "nobody"'],
    ['default host', { defaultHost: 'nobody' }, 'Default Host of the Host credential names "nobody"'],
  ])('says what is wrong with the %s', (_, change, message) => {
    expect(() => parseIdentity({ ...fields, ...change })).toThrow(message);
  });
});

describe('selectHost', () => {
  const identity = parseIdentity({ ...fields, hosts: `${fields.hosts}\nweb,10.0.0.9 ssh-ed25519 ${FINGERPRINT}` });

  it.each([
    ['bruno', 'bruno'],
    ['188.34.198.57', 'bruno'],
    ['144.217.76.53:2222', 'eva'],
    [' eva ', 'eva'],
    ['web', 'web'],
    ['10.0.0.9', 'web'],
  ])('finds %j', (wanted, name) => {
    expect(selectHost(identity, wanted).target.name).toBe(name);
  });

  it('takes the default host, or the only one, when none is named', () => {
    expect(selectHost({ ...identity, defaultHost: 'eva' }, '').target.name).toBe('eva');
    expect(selectHost({ ...identity, hosts: identity.hosts.slice(0, 1) }, '').target.name).toBe('bruno');
    expect(() => selectHost(identity, '')).toThrow(
      expect.objectContaining({ code: 'host_missing', nextStep: expect.stringContaining('bruno, eva, web') }),
    );
  });

  it('lets an unpinned address through without pins, so that its refusal can tell the fingerprint', () => {
    expect(selectHost(identity, '203.0.113.9:2200').target).toEqual({
      name: '203.0.113.9:2200',
      aliases: [],
      address: '203.0.113.9',
      port: 2200,
      pins: [],
    });
  });

  it('refuses what cannot be a host', () => {
    expect(() => selectHost(identity, '-oProxyCommand=id')).toThrow(expect.objectContaining({ code: 'host_unknown' }));
  });
});

describe('withWorkflowPins', () => {
  const identity = parseIdentity(fields);

  it('refuses host keys from a workflow unless the credential allows them', () => {
    expect(() => withWorkflowPins(identity, `dev=46.224.125.1 ${OTHER}`)).toThrow(
      expect.objectContaining({ code: 'workflow_pins_refused' }),
    );
    expect(withWorkflowPins(identity, '')).toBe(identity);
  });

  it('adds hosts but never replaces what the credential pins, by name or by address', () => {
    const allowed = { ...identity, pinsFromWorkflow: true };
    const pins = `dev=46.224.125.1 ${OTHER}\nbruno=10.0.0.66 ${OTHER}\nevil=188.34.198.57 ${OTHER}`;
    expect(withWorkflowPins(allowed, pins).hosts.map(({ name, address }) => [name, address])).toEqual([
      ['bruno', '188.34.198.57'],
      ['eva', '144.217.76.53'],
      ['dev', '46.224.125.1'],
    ]);
  });
});
