export const VERSIONS = ['1.41', '1.44', '1.52'] as const;
export type Version = (typeof VERSIONS)[number];

export interface CannedAnswer {
  readonly method: string;
  readonly template: string;
  readonly pattern: RegExp;
  readonly status: number;
  /** JSON, or bytes as they are. */
  readonly body: unknown;
  readonly type?: string;
  /** Comes piece by piece, which no description says the form of. */
  readonly isStream?: boolean;
}

export const ID = 'a1b2c3d4'.repeat(8);
export const IMAGE = `sha256:${'0f'.repeat(32)}`;
export const DIGEST = `sha256:${'1e'.repeat(32)}`;

/** What a real engine of that version says, with what 1.52 has dropped only where it still is. */
export function answersOf(version: Version): readonly CannedAnswer[] {
  const before152 = version !== '1.52';
  const on = (method: string, template: string, status: number, body?: unknown, type?: string): CannedAnswer => ({
    method,
    template,
    pattern: new RegExp(`^${template.replace(/\{name\}/g, '.+').replace(/\{\w+\}/g, '[^/]+')}$`),
    status,
    body,
    ...(type !== undefined && { type }),
  });
  const streams = (answer: CannedAnswer): CannedAnswer => ({ ...answer, isStream: true });
  const lines = (...values: unknown[]) => Buffer.from(values.map((value) => `${JSON.stringify(value)}\r\n`).join(''));
  const frame = (kind: number, text: string) => {
    const header = Buffer.alloc(8);
    header[0] = kind;
    header.writeUInt32BE(text.length, 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const output = Buffer.concat([frame(1, 'out\n'), frame(2, 'err\n')]);
  const progress = (...values: object[]) =>
    lines(
      ...values,
      ...(before152 ? [{ status: 'x', progress: '[=>] 1B/2B', progressDetail: { current: 1, total: 2 } }] : []),
    );
  const network = {
    Name: 'proxy',
    Id: ID,
    Created: '2026-01-31T02:00:00.000000000Z',
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: {}, Config: [{ Subnet: '172.28.0.0/24', Gateway: '172.28.0.1' }] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    Options: {},
    Labels: { team: 'lab' },
  };
  const volume = {
    Name: 'data',
    Driver: 'local',
    Mountpoint: '/var/lib/docker/volumes/data/_data',
    CreatedAt: '2026-01-31T02:00:00Z',
    Labels: { team: 'lab' },
    Scope: 'local',
    Options: {},
  };
  const image = {
    Id: IMAGE,
    RepoTags: ['redis:7'],
    RepoDigests: [`redis@${DIGEST}`],
    Created: '2026-01-31T02:00:00Z',
    Size: 4321,
    Architecture: 'amd64',
    Os: 'linux',
    Config: { Labels: { team: 'lab' } },
    ...(before152 && { Parent: '', DockerVersion: '20.10.24' }),
    ...(version === '1.41' && { VirtualSize: 4321, Container: '' }),
  };
  return [
    on('GET', '/version', 200, {
      Version: version === '1.52' ? '29.0.1' : version === '1.44' ? '25.0.5' : '20.10.24',
      ApiVersion: version,
      MinAPIVersion: version === '1.52' ? '1.44' : '1.12',
      Os: 'linux',
      Arch: 'amd64',
      KernelVersion: '6.1.0',
      Components: [{ Name: 'containerd', Version: '1.6.20' }],
    }),
    on('GET', '/_ping', 200, Buffer.from('OK'), 'text/plain'),
    on('GET', '/info', 200, {
      Containers: 3,
      ContainersRunning: 2,
      Images: 5,
      Driver: 'overlay2',
      OperatingSystem: 'Debian GNU/Linux 12',
      KernelVersion: '6.1.0',
      Architecture: 'x86_64',
      NCPU: 2,
      MemTotal: 2048,
      DockerRootDir: '/var/lib/docker',
      Warnings: ['WARNING: no swap limit'],
    }),
    on(
      'GET',
      '/system/df',
      200,
      before152
        ? {
            LayersSize: 1000,
            Images: [
              {
                Id: IMAGE,
                ParentId: '',
                RepoTags: ['redis:7'],
                RepoDigests: [],
                Created: 1,
                Size: 1000,
                SharedSize: 0,
                Labels: {},
                Containers: 1,
                ...(version === '1.41' && { VirtualSize: 1000 }),
              },
            ],
            Containers: [
              { Id: ID, SizeRw: 20 },
              { Id: ID, SizeRw: 22 },
            ],
            Volumes: [{ ...volume, UsageData: { Size: 7, RefCount: 1 } }],
            BuildCache: [{ ID: 'x', Type: 'regular', Size: 3 }],
          }
        : {
            ImageUsage: { TotalCount: 1, ActiveCount: 1, TotalSize: 1000, Reclaimable: 0 },
            ContainerUsage: { TotalCount: 2, ActiveCount: 2, TotalSize: 42, Reclaimable: 0 },
            VolumeUsage: { TotalCount: 1, ActiveCount: 1, TotalSize: 7, Reclaimable: 0 },
            BuildCacheUsage: { TotalCount: 1, ActiveCount: 0, TotalSize: 3, Reclaimable: 3 },
          },
    ),
    on(
      'GET',
      '/events',
      200,
      lines({
        Type: 'container',
        Action: 'die',
        Actor: { ID, Attributes: { name: 'one', exitCode: '3' } },
        scope: 'local',
        time: 1769824800,
        timeNano: 1769824800000000000,
      }),
    ),
    on('GET', '/containers/json', 200, [
      {
        Id: ID,
        Names: ['/one'],
        Image: 'redis:7',
        ImageID: IMAGE,
        Command: 'redis-server',
        Created: 1769824800,
        State: 'running',
        Status: 'Up 2 hours',
        Ports: [{ PrivatePort: 6379, PublicPort: 16379, Type: 'tcp', IP: '127.0.0.1' }],
        Labels: { 'com.docker.compose.project': 'shop' },
        ...(version === '1.52' && { Health: { Status: 'healthy', FailingStreak: 0 } }),
      },
    ]),
    on('POST', '/containers/create', 201, { Id: ID, Warnings: [] }),
    on('GET', '/containers/{id}/json', 200, {
      Id: ID,
      Name: '/one',
      Created: '2026-01-31T02:00:00Z',
      Path: 'redis-server',
      Args: [],
      Image: IMAGE,
      RestartCount: 2,
      State: {
        Status: 'running',
        Running: true,
        ExitCode: 0,
        Error: '',
        OOMKilled: false,
        StartedAt: '2026-01-31T02:00:01Z',
        FinishedAt: '0001-01-01T00:00:00Z',
        Health: {
          Status: 'healthy',
          FailingStreak: 0,
          Log: [{ Start: '2026-01-31T02:00:02Z', End: '2026-01-31T02:00:03Z', ExitCode: 0, Output: 'PONG' }],
        },
      },
      Config: { Image: 'redis:7', Tty: false, Labels: { team: 'lab' } },
      HostConfig: {
        RestartPolicy: { Name: 'unless-stopped' },
        Memory: 1024,
        NanoCpus: 500000000,
        NetworkMode: 'proxy',
      },
      Mounts: [
        { Type: 'volume', Name: 'data', Source: '/var/lib/docker/volumes/data/_data', Destination: '/data', RW: true },
      ],
      NetworkSettings: {
        Networks: { proxy: { IPAddress: '172.28.0.7', Gateway: '172.28.0.1' } },
        ...(before152 && {
          IPAddress: '172.17.0.2',
          Gateway: '172.17.0.1',
          MacAddress: '02:42:ac:11:00:02',
          Bridge: '',
        }),
      },
    }),
    ...['start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'rename'].map((what) =>
      on('POST', `/containers/{id}/${what}`, 204),
    ),
    on('POST', '/containers/{id}/update', 200, { Warnings: [] }),
    on('DELETE', '/containers/{id}', 204),
    on('GET', '/containers/{id}/top', 200, { Titles: ['PID', 'CMD'], Processes: [['7', 'redis-server']] }),
    streams(on('GET', '/containers/{id}/logs', 200, output)),
    on('GET', '/containers/{id}/stats', 200, {
      name: '/one',
      cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 1000, online_cpus: 2 },
      precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 600 },
      memory_stats: { usage: 900, limit: 1024, stats: { inactive_file: 100 } },
      pids_stats: { current: 4 },
      networks: { eth0: { rx_bytes: 5, tx_bytes: 6 } },
    }),
    streams(on('GET', '/containers/{id}/archive', 200, Buffer.from('tar'), 'application/x-tar')),
    on('PUT', '/containers/{id}/archive', 200),
    on('POST', '/containers/{id}/exec', 201, { Id: ID }),
    streams(on('POST', '/exec/{id}/start', 200, output)),
    on('GET', '/exec/{id}/json', 200, { ID, Running: false, ExitCode: 0, Pid: 7 }),
    on('POST', '/containers/prune', 200, { ContainersDeleted: [ID], SpaceReclaimed: 5 }),
    on('GET', '/images/json', 200, [
      {
        Id: IMAGE,
        ParentId: '',
        RepoTags: ['redis:7'],
        RepoDigests: [`redis@${DIGEST}`],
        Created: 1769824800,
        Size: 4321,
        SharedSize: -1,
        Labels: { team: 'lab' },
        Containers: -1,
        ...(version === '1.41' && { VirtualSize: 4321 }),
      },
    ]),
    on('GET', '/images/{name}/json', 200, image),
    on('GET', '/images/{name}/history', 200, [
      { Id: IMAGE, Created: 1769824800, CreatedBy: 'CMD', Tags: ['redis:7'], Size: 9, Comment: '' },
    ]),
    streams(on('POST', '/images/create', 200, progress({ status: 'Pulling from library/redis', id: '7' }))),
    streams(on('POST', '/images/{name}/push', 200, progress({ status: 'Pushed' }))),
    on('POST', '/images/{name}/tag', 201),
    on('DELETE', '/images/{name}', 200, [{ Untagged: 'redis:7' }]),
    on('POST', '/images/prune', 200, { ImagesDeleted: [{ Untagged: 'redis:6' }], SpaceReclaimed: 5 }),
    on('GET', '/volumes', 200, { Volumes: [volume], Warnings: [] }),
    on('POST', '/volumes/create', 201, volume),
    on('GET', '/volumes/{name}', 200, volume),
    on('DELETE', '/volumes/{name}', 204),
    on('POST', '/volumes/prune', 200, { VolumesDeleted: ['data'], SpaceReclaimed: 5 }),
    on('GET', '/networks', 200, [before152 ? { ...network, Containers: {} } : network]),
    on('POST', '/networks/create', 201, { Id: ID, Warning: '' }),
    on('POST', '/networks/prune', 200, { NetworksDeleted: ['proxy'] }),
    on('GET', '/networks/{id}', 200, {
      ...network,
      Containers: {
        [ID]: {
          Name: 'one',
          EndpointID: ID,
          MacAddress: '02:42:ac:1c:00:07',
          IPv4Address: '172.28.0.7/24',
          IPv6Address: '',
        },
      },
    }),
    on('DELETE', '/networks/{id}', 204),
  ];
}
