import { isFailure } from '../../../../../lib/failure';
import type { Host } from '../../../../../lib/host/host';
import { isoTime, readFacts } from '../../../../../lib/host/files/facts';
import { programFailed, recognised, type Attempt } from '../../../../../lib/host/files/failures';
import { endOfFields, fieldsOf } from '../../../../../lib/host/files/fields';
import { checkMode } from '../../../../../lib/host/files/mode';
import { checkNamedPath, checkPath } from '../../../../../lib/host/files/path';

const target = { name: 'bruno', aliases: [], address: '192.0.2.7', port: 22, pins: [] };
const host: Host = {
  identity: {
    user: 'ada',
    login: { method: 'agent', socket: '/none' },
    sudo: { mode: 'none' },
    hosts: [target],
    pinsFromWorkflow: false,
    readOnly: false,
  },
  target,
};
const attempt: Attempt = { host, path: '/a: b', done: 'read' };

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isFailure(error)) return error.code;
  }
  return 'nothing thrown';
}

describe('paths', () => {
  it('are absolute or begin at home, and lose only their trailing slashes', () => {
    const cases = {
      '/': '/',
      '//': '/',
      '/a/': '/a',
      '/a b//': '/a b',
      '~': '~/',
      '~/': '~/',
      '~/x/': '~/x',
      '/-rf': '/-rf',
    };
    expect(Object.fromEntries(Object.keys(cases).map((path) => [path, checkPath(host, path)]))).toEqual(cases);
  });

  it.each(['', 'a', './a', '-rf', '~root/x', '/a\0b'])('are refused when they are %j', (path) => {
    expect(codeOf(() => checkPath(host, path))).toBe('file_path_unusable');
  });

  it.each(['/', '~', '/a/..', '/a/.'])('must name something to be written: %s does not', (path) => {
    expect(codeOf(() => checkNamedPath(host, path))).toBe('file_path_unusable');
  });
});

describe('modes', () => {
  it('are compared as stat prints them', () => {
    expect(['0644', '644', '4755', '0000', undefined].map((mode) => checkMode(host, '/a', mode))).toEqual([
      '644',
      '644',
      '4755',
      '0',
      '',
    ]);
  });

  it.each(['rw', '8', '0888', 'u+x', '00644', '-1'])('are refused when they are %s', (mode) => {
    expect(codeOf(() => checkMode(host, '/a', mode))).toBe('file_mode_unusable');
  });
});

describe('fields', () => {
  it('are cut at NUL only, and what follows stays bytes', () => {
    const data = Buffer.from('one\0\0two\nlines\0rest\0\xff', 'latin1');
    const fields = fieldsOf(data);
    expect([fields.text(), fields.text(), fields.text(), fields.rest()]).toEqual([
      'one',
      '',
      'two\nlines',
      Buffer.from('rest\0\xff', 'latin1'),
    ]);
    expect(endOfFields(data, 3)).toBe(15);
    expect(endOfFields(data, 5)).toBeUndefined();
  });

  it('that break off are an error and not an answer', () => {
    expect(() => fieldsOf(Buffer.from('half')).text()).toThrow('ended within a field');
  });
});

describe('facts', () => {
  it('are read as the host prints them', () => {
    const data = Buffer.from('regular empty file\x000\x00640\0UNKNOWN\0adm\x0054321\x004\x001700000000.123456789\0');
    expect(readFacts(fieldsOf(data))).toEqual({
      type: 'file',
      size: 0,
      mode: '0640',
      owner: '54321',
      group: 'adm',
      modifiedAt: '2023-11-14T22:13:20.123Z',
    });
    expect(readFacts(fieldsOf(Buffer.alloc(8)))).toBeUndefined();
  });

  it('have times with and without a fraction', () => {
    expect([isoTime('0'), isoTime('1.5'), isoTime('1.0009')]).toEqual([
      '1970-01-01T00:00:00.000Z',
      '1970-01-01T00:00:01.500Z',
      '1970-01-01T00:00:01.000Z',
    ]);
  });
});

describe('what a program of the host says', () => {
  it.each([
    ["stat: cannot statx '/Permission denied': No such file or directory", 'file_missing'],
    ['bash: /dev/fd/3: line 9: /a\nNo space left on device: Permission denied\n', 'file_forbidden'],
    ['cat: write error: No space left on device', 'file_disk_full'],
    ['cat: write error: Disk quota exceeded', 'file_disk_full'],
    ["mkdir: cannot create directory '/x': Read-only file system", 'file_system_read_only'],
    ["chown: changing ownership of '/dev/fd/4': Operation not permitted", 'file_forbidden'],
    ["mv: cannot move 'a' to 'b': Device or resource busy", 'file_busy'],
    ["head: error reading 'standard input': Input/output error", 'file_disk_broken'],
    ['/dev/fd/3: line 3: /x: File name too long', 'file_name_too_long'],
    ["stat: unrecognized option '--printf=%F'", 'host_tools_missing'],
    ['/dev/fd/3: line 40: flock: command not found', 'host_tools_missing'],
    ['', 'file_failed'],
  ])('%j is %s', (said, code) => {
    expect(programFailed(attempt, 'x', said).code).toBe(code);
  });

  it('is told with file, host, reason and way out', () => {
    const failure = programFailed(attempt, 'x', 'x: Permission denied');
    expect([failure.message, failure.nextStep]).toEqual([
      '"/a: b" on host bruno (192.0.2.7:22) could not be read: ada may not do that',
      'Give ada the permission, or choose a sudo mode in the Host credential.',
    ]);
    expect(recognised({ ...attempt, runAs: 'root' }, 'not_writable').nextStep).toBe(
      'Even root may not: look at mount options, attributes and security modules.',
    );
  });
});
