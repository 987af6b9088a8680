import { Readable } from 'node:stream';
import { parseConfig } from '../../../../lib/docker/compose/config';
import { parseProcesses } from '../../../../lib/docker/compose/processes';
import { envFile } from '../../../../lib/docker/compose/env-file';
import { mergeEnv } from '../../../../lib/docker/deploy/env-back';
import { parseHistory } from '../../../../lib/docker/deploy/history';
import { movedData } from '../../../../lib/docker/deploy/moved-data';
import { checkWish, type DeployWish } from '../../../../lib/docker/deploy/wish';
import { parsePublished, readContainer } from '../../../../lib/docker/engine/containers';
import { agree, filtersOf } from '../../../../lib/docker/engine/engine';
import { splitFrames } from '../../../../lib/docker/engine/frames';
import { splitReference } from '../../../../lib/docker/engine/images';
import { jsonLines } from '../../../../lib/docker/engine/json-lines';
import { readDiskUsage, readStats } from '../../../../lib/docker/engine/system';
import type { DockerAccess } from '../../../../lib/docker/engine/access';

const target = { name: 'bruno', aliases: [], address: '203.0.113.7', port: 22, pins: [] };
const access: DockerAccess = {
  socketPath: '/var/run/docker.sock',
  host: {
    target,
    identity: {
      user: 'root',
      login: { method: 'password', password: '' },
      sudo: { mode: 'none' },
      hosts: [target],
      pinsFromWorkflow: false,
      readOnly: false,
    },
  },
};

describe('the version of the API', () => {
  test.each([
    ['1.41', '1.12', '1.41'],
    ['1.52', '1.44', '1.52'],
    ['1.55', '1.44', '1.55'],
    ['1.60', '1.44', '1.55'],
    ['1.40', '', '1.40'],
  ])('of a server with %s, oldest %s, is %s', (server, oldest, agreed) => {
    expect(agree(access, server, oldest)).toBe(agreed);
  });

  test.each([
    ['1.39', '1.12', 'at least 1.40'],
    ['1.70', '1.60', 'this pack knows up to 1.55'],
    ['', '', 'does not tell its API version'],
  ])('of a server with %s, oldest %s, is refused: %s', (server, oldest, why) => {
    expect(() => agree(access, server, oldest)).toThrow(why);
  });
});

describe('the output of a container', () => {
  const frame = (kind: number, text: string) => {
    const header = Buffer.alloc(8);
    header[0] = kind;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const bytes = Buffer.concat([frame(1, 'out 1\n'), frame(2, 'err\n'), frame(1, ''), frame(1, 'out 2\n')]);
  const take = (pieces: readonly Buffer[]) => {
    const said = { stdout: '', stderr: '' };
    const splitter = splitFrames();
    for (const { stream, data } of pieces.flatMap((piece) => splitter.split(Buffer.from(piece))))
      said[stream] += data.toString();
    splitter.end();
    return said;
  };

  test('is taken apart the same, wherever it is cut into pieces', () => {
    for (let size = 1; size <= bytes.length; size += 1) {
      const pieces = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      expect(take(pieces)).toEqual({ stdout: 'out 1\nout 2\n', stderr: 'err\n' });
    }
  });

  test('that breaks off or is not framed is a failure', () => {
    expect(() => take([bytes.subarray(0, bytes.length - 1)])).toThrow('broke off');
    expect(() => take([bytes, Buffer.from([1, 0])])).toThrow('broke off');
    expect(() => take([Buffer.from('no frames at all')])).toThrow('not framed');
  });
});

test('JSON lines are read across pieces that cut characters', async () => {
  const bytes = Buffer.from('{"a":"grün"}\r\n\n{"b":2}');
  const pieces = [...bytes].map((byte) => Buffer.from([byte]));
  const values: unknown[] = [];
  for await (const value of jsonLines(Readable.from(pieces))) values.push(value);
  expect(values).toEqual([{ a: 'grün' }, { b: 2 }]);
});

test('names of images are split as Docker splits them', () => {
  expect(splitReference('redis')).toEqual({ name: 'redis', tag: 'latest' });
  expect(splitReference('redis:7')).toEqual({ name: 'redis', tag: '7' });
  expect(splitReference('git.example.org:5000/me/app')).toEqual({ name: 'git.example.org:5000/me/app', tag: 'latest' });
  expect(splitReference('git.example.org:5000/me/app:2')).toEqual({ name: 'git.example.org:5000/me/app', tag: '2' });
  expect(splitReference('redis:7@sha256:ab')).toEqual({ name: 'redis', tag: 'sha256:ab' });
});

test('published ports are read with and without an address', () => {
  expect(parsePublished('8080:80')).toEqual({ key: '80/tcp', address: '', host: '8080' });
  expect(parsePublished('127.0.0.1:53:53/udp')).toEqual({ key: '53/udp', address: '127.0.0.1', host: '53' });
  expect(parsePublished('[::1]:8080:80')).toEqual({ key: '80/tcp', address: '::1', host: '8080' });
  expect(() => parsePublished('80')).toThrow('does not say which port');
});

test('filters that are empty are left out', () => {
  expect(filtersOf({ name: undefined, label: [] })).toBeUndefined();
  expect(filtersOf({ name: ['web'], label: undefined })).toBe('{"name":["web"]}');
});

test('addresses of a container are read where all API versions have them', () => {
  const body = {
    Id: 'abc',
    Name: '/web',
    State: { Status: 'running', StartedAt: '2026-01-31T02:00:00Z', FinishedAt: '0001-01-01T00:00:00Z' },
    NetworkSettings: { Networks: { proxy: { IPAddress: '172.30.0.2' } } },
  };
  expect(readContainer(body)).toMatchObject({
    name: 'web',
    health: null,
    finishedAt: null,
    networks: [{ name: 'proxy', address: '172.30.0.2' }],
  });
});

test('disk usage is read in the form until API 1.51 and in that from 1.52 on', () => {
  const old = {
    LayersSize: 100,
    Images: [{}, {}],
    Containers: [{ SizeRw: 5 }, {}],
    Volumes: [{ UsageData: { Size: 7 } }, { UsageData: { Size: -1 } }],
    BuildCache: [{ Size: 3 }],
  };
  const wanted = {
    imagesBytes: 100,
    containersBytes: 5,
    volumesBytes: 7,
    buildCacheBytes: 3,
    images: 2,
    containers: 2,
    volumes: 2,
  };
  expect(readDiskUsage(old)).toEqual(wanted);
  const group = (TotalSize: number, TotalCount: number) => ({ TotalSize, TotalCount });
  const now = {
    ImageUsage: group(100, 2),
    ContainerUsage: group(5, 2),
    VolumeUsage: group(7, 2),
    BuildCacheUsage: group(3, 1),
  };
  expect(readDiskUsage(now)).toEqual(wanted);
});

test('the use of CPU is the share of all CPUs, with either form of cgroups', () => {
  const stats = readStats({
    name: '/web',
    cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 2000, online_cpus: 2 },
    precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 1000 },
    memory_stats: { usage: 1000, limit: 5000, stats: { total_inactive_file: 400 } },
    pids_stats: { current: 3 },
    networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
  });
  expect(stats).toEqual({
    name: 'web',
    cpuPercent: 40,
    memoryBytes: 600,
    memoryLimitBytes: 5000,
    processes: 3,
    receivedBytes: 11,
    sentBytes: 22,
  });
});

test('containers of a project are read in both forms of Compose', () => {
  const one = {
    ID: 'a',
    Name: 'shop-web-1',
    Service: 'web',
    Image: 'x',
    State: 'running',
    Health: '',
    ExitCode: 0,
    Status: 'Up',
  };
  const wanted = [
    {
      id: 'a',
      name: 'shop-web-1',
      service: 'web',
      image: 'x',
      state: 'running',
      health: null,
      exitCode: 0,
      status: 'Up',
    },
  ];
  expect(parseProcesses(JSON.stringify([one]))).toEqual(wanted);
  expect(parseProcesses(`${JSON.stringify(one)}\n`)).toEqual(wanted);
  expect(parseProcesses('')).toEqual([]);
  expect(() => parseProcesses('NAME STATE')).toThrow('did not answer with JSON');
});

test('data that would be written somewhere else is found, whatever form the mount has', () => {
  const next = parseConfig({
    name: 'shop',
    volumes: { cache: { name: 'shop_cache' } },
    services: {
      web: {
        image: 'x',
        volumes: [
          { type: 'bind', source: '/srv/new/data', target: '/data' },
          { type: 'bind', source: '/srv/shop/site', target: '/site', read_only: true },
          { type: 'volume', source: 'cache', target: '/cache/' },
        ],
      },
    },
  });
  const running = readContainer({
    Id: 'a',
    Config: { Labels: { 'com.docker.compose.service': 'web' } },
    Mounts: [
      { Type: 'bind', Source: '/srv/shop/data', Destination: '/data', RW: true },
      { Type: 'bind', Source: '/srv/old/site', Destination: '/site', RW: false },
      { Type: 'volume', Name: 'shop_cache', Destination: '/cache', RW: true },
      { Type: 'volume', Name: 'f'.repeat(64), Destination: '/tmp', RW: true },
      { Type: 'volume', Name: 'shop_gone', Destination: '/gone', RW: true },
    ],
  });
  expect(movedData([running], next)).toEqual([
    { service: 'web', target: '/data', from: '/srv/shop/data', to: '/srv/new/data' },
    { service: 'web', target: '/gone', from: 'shop_gone', to: 'nothing' },
  ]);
});

test('a history is read with releases that never were switched to', () => {
  const text = [
    '2',
    'yes',
    'bb',
    'ok\n\n2\nyes',
    '{"at":"t","by":"me"}',
    '',
    'yes',
    '/b',
    '1',
    'no',
    'aa',
    '',
    '',
    '',
    'no',
    '/b',
    '',
  ];
  expect(parseHistory(text.join('\0'))).toMatchObject([
    { release: 2, live: true, outcome: { kind: 'ok', reason: null, live: 2, well: true }, at: 't', hasEnv: true },
    { release: 1, live: false, outcome: { kind: 'unknown', why: 'never switched' }, at: null, hasEnv: false },
  ]);
});

test('a .env keeps what would have a meaning, and refuses names that have none', () => {
  expect(envFile({ A: 'plain $x "y"', B: `it's \\ "$` })).toBe(`A='plain $x "y"'\nB="it's \\\\ \\"\\$"\n`);
  expect(() => envFile({ 'A B': '' })).toThrow('its name may hold');
});

describe('a deploy', () => {
  const wish: DeployWish = {
    stack: 'shop',
    directory: '/srv/shop',
    repository: 'https://git.example.org/me/shop.git',
    commit: 'a'.repeat(40),
  };
  test.each([
    ['a branch instead of a commit', { commit: 'main' }],
    ['a directory that is not absolute', { directory: 'srv/shop' }],
    ['a directory with a way up', { directory: '/srv/../etc' }],
    ['an address with a login', { repository: 'https://me:secret@git.example.org/me/shop.git' }],
    ['an address that is an option', { repository: '--upload-pack=evil' }],
    ['an address that is a command', { repository: 'ext::sh -c evil' }],
    ['a folder outside the repository', { folder: '../other' }],
    ['a name with a slash', { stack: 'shop/../x' }],
    ['a login with a line end', { login: { user: 'me', password: 'x\npassword=y' } }],
  ])('is refused with %s, and the reason holds no secret', (_, change) => {
    let said = 'not refused';
    try {
      checkWish({ ...wish, ...change }, 0);
    } catch (error) {
      said = String(error);
    }
    expect(said).not.toBe('not refused');
    expect(said).not.toContain('secret');
  });

  test('that migrates data wants a dump that is not old and not of the future', () => {
    const now = Date.parse('2026-01-31T02:00:00Z');
    const at = (dumpedAt?: string) => () => checkWish({ ...wish, migratesData: true, dumpedAt }, now);
    expect(at('2026-01-31T01:30:00Z')).not.toThrow();
    expect(at('2026-01-31T00:30:00Z')).toThrow('older than 60 min');
    expect(at('2026-01-31T03:00:00Z')).toThrow();
    expect(at()).toThrow('no dump of it was named');
  });
});

describe('the .env to go back with', () => {
  test('is that of today as it stands, and what only the release knows', () => {
    const then = "PASSWORD='old'\nSAME='x'\nONLY='it''s'\n".replace("'it''s'", '"it\'s"');
    expect(mergeEnv(then, '# by hand\nSAME=x\nPASSWORD=new\nLATER=y')).toEqual({
      keptValues: ['PASSWORD'],
      text: '# by hand\nSAME=x\nPASSWORD=new\nLATER=y\nONLY="it\'s"\n',
    });
    expect(mergeEnv("A='1'\n", '')).toEqual({ keptValues: [], text: "A='1'\n" });
  });

  test('is nothing where one of the two cannot be understood', () => {
    expect(mergeEnv('A=1\n', 'not an env file\n')).toBeUndefined();
    expect(mergeEnv('<<<<\n', 'A=1\n')).toBeUndefined();
  });
});
