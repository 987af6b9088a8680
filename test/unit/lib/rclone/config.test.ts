import { isFailure } from '../../../../lib/failure';
import { parseRcloneConfig, remoteInWords, renderRcloneConfig } from '../../../../lib/rclone/config';
import { parseRcloneCredential, vaultOf } from '../../../../lib/rclone/credential';
import { obscure, reveal } from '../../../../lib/rclone/obscured';

const PASSWORD = 'correct horse ünï';
// Made by `rclone obscure`.
const BY_RCLONE = 'lpIonnEkjcS3TQ7h-E1L77yPi1CwEfFZa0Y';

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (isFailure(error)) return error.message;
    throw error;
  }
  return 'nothing was refused';
};

describe('passwords in an rclone configuration', () => {
  test('are obscured so that they come back, never twice the same', () => {
    expect(reveal(obscure(PASSWORD))).toBe(PASSWORD);
    expect(obscure(PASSWORD)).not.toBe(obscure(PASSWORD));
  });

  test('what rclone wrote is read, and what it never wrote is not', () => {
    expect(reveal(BY_RCLONE)).toBe('a password');
    for (const text of ['', 'hunter2', 'has spaces in it', 'ünï', 'c2hvcnQ', 'a-plain-password-of-some-length'])
      expect(reveal(text)).toBeUndefined();
  });
});

describe('an rclone configuration', () => {
  const text = [
    '# from the old server',
    '[eva]',
    'type = sftp',
    'host = 203.0.113.7',
    `pass = ${BY_RCLONE}`,
    '',
    '[one drive]',
    'type=onedrive',
    'token = {"access_token":"a=b","expiry":"2026-01-01T00:00:00Z"}',
    'drive_id =',
  ].join('\r\n');

  test('is read as rclone reads it', () => {
    expect(parseRcloneConfig(text).map(({ name, type, settings }) => [name, type, [...settings]])).toEqual([
      [
        'eva',
        'sftp',
        [
          ['type', 'sftp'],
          ['host', '203.0.113.7'],
          ['pass', BY_RCLONE],
        ],
      ],
      [
        'one drive',
        'onedrive',
        [
          ['type', 'onedrive'],
          ['token', '{"access_token":"a=b","expiry":"2026-01-01T00:00:00Z"}'],
          ['drive_id', ''],
        ],
      ],
    ]);
  });

  test('comes back the same after it was written', () => {
    const remotes = parseRcloneConfig(text);
    expect(parseRcloneConfig(renderRcloneConfig(remotes))).toEqual(remotes);
  });

  test('a remote given in words gets its passwords obscured, and nothing else', () => {
    const { settings } = remoteInWords({ name: 'eva', type: 'sftp', settings: `host = eva\npass = ${PASSWORD}` });
    expect(settings.get('host')).toBe('eva');
    expect(reveal(settings.get('pass') ?? '')).toBe(PASSWORD);
  });

  test.each([
    ['[eva]\nhost = x', 'eva has no type'],
    ['type = sftp', 'line 1 stands before the first section'],
    ['[eva]\ntype = sftp\n[eva]\ntype = local', 'there are two sections eva'],
    ['[eva]\ntype = sftp\ntype = local', 'type of eva is set twice'],
    ['[eva]\ntype = sftp\npass = SECRET-WORD', 'pass of eva is not obscured as rclone writes it'],
    ['[eva]\nSECRET-WORD', 'line 2 is neither [name] nor key = value'],
    ['[-e]\ntype = local', '"-e" is no name of a remote'],
    ['[v]\ntype = crypt\nremote = x:', 'v encrypts, but has no password'],
    ['# comment\nRCLONE_ENCRYPT_V0:\nSECRET-WORD', 'the configuration is encrypted'],
  ])('%j is refused without telling its values', (broken, why) => {
    const message = refusal(() => parseRcloneConfig(broken));
    expect(message).toBe(`The rclone configuration cannot be used: ${why}`);
    expect(message).not.toContain('SECRET-WORD');
  });
});

describe('the Rclone Remotes credential', () => {
  const eva = `[eva]\ntype = local`;

  test('takes pasted sections and remotes given field by field together, and encrypts with its own passwords', () => {
    const credential = parseRcloneCredential({
      place: 'here',
      configuration: eva,
      remotes: { remote: [{ name: 'box', type: 'sftp', settings: `pass = ${PASSWORD}` }] },
      encryptionPassword: ' spaces count ',
      encryptionSalt: 'salt',
      mayDelete: true,
    });
    expect(credential.remotes?.map(({ name, type }) => [name, type])).toEqual([
      ['eva', 'local'],
      ['box', 'sftp'],
      ['selfhost-vault', 'crypt'],
    ]);
    expect(credential.mayDelete).toBe(true);
    const vault = vaultOf(credential);
    expect(vault.crypt).toBe('selfhost-vault');
    const written = vault.rclone.kind === 'text' ? parseRcloneConfig(vault.rclone.text) : [];
    expect(reveal(written[2]?.settings.get('password') ?? '')).toBe(' spaces count ');
    expect(reveal(written[2]?.settings.get('password2') ?? '')).toBe('salt');
  });

  test('takes the only crypt remote of what was pasted, and asks when there are several', () => {
    const crypt = (name: string) => `[${name}]\ntype = crypt\nremote = eva:\npassword = ${BY_RCLONE}`;
    expect(parseRcloneCredential({ configuration: [eva, crypt('one')].join('\n') }).crypt).toBe('one');
    const two = { configuration: [eva, crypt('one'), crypt('two')].join('\n') };
    expect(refusal(() => vaultOf(parseRcloneCredential(two)))).toContain('does not say which passwords');
    expect(parseRcloneCredential({ ...two, vault: 'two' }).crypt).toBe('two');
    expect(refusal(() => parseRcloneCredential({ ...two, vault: 'eva' }))).toContain('is not one of its crypt remotes');
  });

  test('names the file of the host instead', () => {
    expect(
      parseRcloneCredential({ place: 'host', configPath: '/root/rclone.conf', configPassword: 'p w', vault: 'vault' }),
    ).toEqual({
      rclone: { kind: 'file', path: '/root/rclone.conf', password: 'p w' },
      remotes: undefined,
      crypt: 'vault',
      mayDelete: false,
    });
    expect(refusal(() => parseRcloneCredential({ place: 'host', configPath: 'rclone.conf' }))).toContain(
      'not absolute',
    );
  });

  test('is refused when it has nothing, or two of one name', () => {
    expect(refusal(() => parseRcloneCredential({}))).toContain('it has no remote');
    const twice = { configuration: eva, remotes: { remote: [{ name: 'eva', type: 'local', settings: '' }] } };
    expect(refusal(() => parseRcloneCredential(twice))).toContain('two remotes are called eva');
  });
});
