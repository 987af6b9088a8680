import type { Host, Sudo } from '../../../../lib/host/host';
import { EXEC_STRING, launchOf } from '../../../../lib/host/launcher';

function hostWith(sudo: Sudo, user = 'deploy'): Host {
  const target = { name: 'bruno', aliases: [], address: '10.0.0.1', port: 22, pins: [] };
  const identity = {
    user,
    login: { method: 'password', password: 'pw' },
    sudo,
    hosts: [target],
    pinsFromWorkflow: false,
    readOnly: false,
  } as const;
  return { identity, target };
}
const plain = hostWith({ mode: 'none' });
const fieldsOf = (host: Host, command: Parameters<typeof launchOf>[1]) => {
  const { mark, header } = launchOf(host, command);
  return header
    .toString()
    .split('\0')
    .map((field) => (field === mark ? 'MARK' : field));
};

describe('the exec string', () => {
  it('is one line with one pair of single quotes, so that any login shell passes it on unread', () => {
    expect(EXEC_STRING.split("'")).toHaveLength(3);
    expect(EXEC_STRING).not.toContain('\n');
    // csh would take it for history, even inside quotes.
    expect(EXEC_STRING).not.toContain('!');
  });
});

describe('launchOf', () => {
  it('puts an argv into NUL-terminated fields', () => {
    expect(fieldsOf(plain, { argv: ['printf', '%s', '$(id)\n'], directory: '/tmp', environment: { A: '1' } })).toEqual([
      '', '', '', 'MARK', 'argv', '', '/tmp', '1', 'A=1', '3', 'printf', '%s', '$(id)\n', '',
    ]); // prettier-ignore
  });

  it('puts a script and its arguments into fields', () => {
    expect(fieldsOf(plain, { script: 'echo "$1"', arguments: ['-n'] })).toEqual([
      '', '', '', 'MARK', 'careful', 'echo "$1"', '', '0', '1', '-n', '',
    ]); // prettier-ignore
    expect(fieldsOf(plain, { script: 'x', strict: false })[4]).toBe('script');
  });

  it('becomes root where the credential has a sudo mode, and somebody else where that is asked', () => {
    const become = (host: Host, runAs?: 'login' | 'root' | { user: string }) =>
      fieldsOf(host, { argv: ['id'], runAs }).slice(0, 3);
    expect(become(hostWith({ mode: 'passwordless' }))).toEqual(['passwordless', 'root', '']);
    expect(become(hostWith({ mode: 'passwordless' }), 'login')).toEqual(['', '', '']);
    expect(become(hostWith({ mode: 'password', password: 'pw' }), { user: 'postgres' })).toEqual([
      'password',
      'postgres',
      'pw',
    ]);
    expect(become(plain)).toEqual(['', '', '']);
    expect(become(plain, { user: 'deploy' })).toEqual(['', '', '']);
    expect(become(hostWith({ mode: 'none' }, 'root'), 'root')).toEqual(['', '', '']);
    expect(become(hostWith({ mode: 'none' }, 'root'), { user: 'postgres' })).toEqual(['passwordless', 'postgres', '']);
    expect(() => become(plain, 'root')).toThrow(expect.objectContaining({ code: 'sudo_not_configured' }));
  });

  it('refuses what no program can be given', () => {
    expect(() => launchOf(plain, { argv: ['a\0b'] })).toThrow(expect.objectContaining({ code: 'command_unusable' }));
    expect(() => launchOf(plain, { argv: [''] })).toThrow('the command is empty');
    expect(() => launchOf(plain, { argv: ['a'], environment: { 'A B': '1' } })).toThrow('"A B" is not a name');
  });
});
