import { judge } from '../../../../lib/docker/audit/audit';
import { auditedContainer, type Observed } from '../../../../lib/docker/audit/observed';
import { isTraefik, middlewaresOfToml, middlewaresOfYaml } from '../../../../lib/docker/audit/traefik-checks';

interface Given {
  readonly name?: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

function container({
  name = 'proxy',
  image = 'traefik:v3.1',
  command = [],
  environment = [],
  labels = {},
}: Given = {}) {
  return auditedContainer({
    Id: name,
    Name: `/${name}`,
    Image: 'sha256:1',
    Created: '2026-01-31T02:00:00Z',
    State: { Status: 'running', ExitCode: 0 },
    Config: {
      Image: image,
      Cmd: command,
      Env: environment,
      Labels: {
        'com.docker.compose.project': 'edge',
        'com.docker.compose.service': name,
        'com.docker.compose.project.config_files': '/srv/edge/compose.yml',
        ...labels,
      },
    },
    HostConfig: {},
    Mounts: [],
    NetworkSettings: {},
  });
}

/** What the audit says of one kind: where, and the sentence. */
function found(check: string, { containers = [container()], traefik = [] }: Partial<Observed>) {
  return judge({ containers, projects: [], files: [], traefik, alertmanager: [], backedUp: null })
    .filter((one) => one.check === check)
    .map(({ file, service, message }) => [file, service, message]);
}

const yaml = (text: string) => [{ path: '/srv/edge/traefik.yml', text }];
const toml = (text: string) => [{ path: '/srv/edge/traefik.toml', text }];
const opened = (where: string) =>
  `${where} opens Traefik's dashboard and API on port 8080 to everybody, without a login`;

describe("Traefik's dashboard", () => {
  test.each([
    ['a block', yaml('api:\n  dashboard: true\n  insecure: true\n')],
    ['a block of a file from Windows', yaml('api:\r\n  insecure: true\r\n')],
    ['a line', yaml('api: { dashboard: true, insecure: true }\n')],
    ['quotes', yaml('"api":\n    "insecure": "true"\n')],
    ['a table', toml('[log]\nlevel = "INFO"\n[api]\n  dashboard = true\n  insecure = true\n[ping]\n')],
    ['an inline table', toml('api = { insecure = true }\n')],
    ['a dotted key', toml('api.insecure = true\n')],
  ])('that is opened in a file by %s is found there', (_, traefik) => {
    const [{ path } = { path: '' }] = traefik;
    expect(found('traefik_dashboard_insecure', { traefik })).toEqual([[path, 'proxy', opened(path)]]);
  });

  test.each([
    ['it is commented out', yaml('api:\n  dashboard: true\n  # insecure: true\n')],
    ['it is switched off', yaml('api:\n  insecure: false\n')],
    [
      'headers are trusted, which is another setting',
      yaml('api:\n  dashboard: true\nentryPoints:\n  web:\n    forwardedHeaders:\n      insecure: true\n'),
    ],
    [
      'certificates are not checked, which is another setting',
      yaml('serversTransport:\n  insecureSkipVerify: true\napi: {}\n'),
    ],
    [
      'another table has it',
      toml('[api]\n  dashboard = true\n[entryPoints.web.forwardedHeaders]\n  insecure = true\n'),
    ],
  ])('is not said to be open when %s', (_, traefik) => {
    expect(found('traefik_dashboard_insecure', { traefik })).toEqual([]);
  });

  test.each([
    ['an argument', { command: ['--api.insecure'] }],
    ['an argument with a value', { command: ['--providers.docker', '--API.Insecure=true'] }],
    ['the environment', { environment: ['TRAEFIK_API_INSECURE=true'] }],
  ])('that is opened by %s is found at its service', (_, given) => {
    expect(found('traefik_dashboard_insecure', { containers: [container(given)] })).toEqual([
      ['/srv/edge/compose.yml', 'proxy', opened('proxy')],
    ]);
    expect(found('traefik_dashboard_insecure', { containers: [container({ ...given, image: 'nginx:1' })] })).toEqual(
      [],
    );
  });

  test('behind a router of a file is open when nothing stands in front of that router', () => {
    const router = (more: string) =>
      yaml(
        `http:\n  routers:\n    dash:\n      rule: Host(\`t.example.org\`)\n      service: api@internal\n${more}    shop:\n      service: shop\n`,
      );
    expect(found('traefik_dashboard_insecure', { traefik: router('') })).toEqual([
      ['/srv/edge/traefik.yml', 'proxy', "Router dash leads to Traefik's dashboard, and asks nobody for a login"],
    ]);
    expect(found('traefik_dashboard_insecure', { traefik: router('      middlewares: [auth]\n') })).toEqual([]);
    const labels = { 'traefik.http.routers.dash.service': 'api@internal' };
    expect(found('traefik_dashboard_insecure', { containers: [container({ labels })] })).toHaveLength(1);
    const guarded = { ...labels, 'traefik.http.routers.dash.middlewares': 'auth@file' };
    expect(found('traefik_dashboard_insecure', { containers: [container({ labels: guarded })] })).toEqual([]);
  });
});

describe('middlewares', () => {
  const middlewares = `http:
  routers:
    shop:
      rule: Host(\`shop.example.org\`)
      middlewares:
        - auth
        - "headers@file" # by its full name
      service: shop
    api:
      middlewares: [ "chain" ]
      service: api
  middlewares:
    auth:
      basicAuth:
        users: [ "x" ]
    headers:
      headers: { stsSeconds: 1 }
    chain:
      chain:
        middlewares: [ limit ]
    limit:
      rateLimit: { average: 1 }
    # forgotten-comment:
    forgotten:
      ipAllowList:
        sourceRange: [ 10.0.0.0/8 ]
`;

  test('are told apart in YAML: those that are defined, and those that are used', () => {
    expect(middlewaresOfYaml(middlewares)).toEqual({
      defined: ['auth', 'headers', 'chain', 'limit', 'forgotten'],
      used: ['auth', 'headers@file', 'chain', 'limit'],
    });
  });

  test('are told apart in TOML', () => {
    const text =
      '[http.routers.shop]\n  middlewares = ["auth", \'headers@file\']\n[http.middlewares.auth.basicAuth]\n[http.middlewares.forgotten.ipAllowList]\n';
    expect(middlewaresOfToml(text)).toEqual({ defined: ['auth', 'forgotten'], used: ['auth', 'headers@file'] });
  });

  test('that no router uses are found, in files and at containers, whoever defined them', () => {
    const labels = {
      'traefik.http.middlewares.spare.basicauth.users': 'x',
      'traefik.http.middlewares.used.basicauth.users': 'x',
      'traefik.http.middlewares.redirect.redirectscheme.scheme': 'https',
      'traefik.http.routers.shop.middlewares': 'used@docker, Auth@file',
    };
    const containers = [
      container({ command: ['--entrypoints.web.http.middlewares=redirect@docker'] }),
      container({ name: 'shop', image: 'shop:1', labels }),
    ];
    const sentence = (name: string) =>
      `Middleware ${name} is defined, and no router uses it: what it was to guard is open`;
    expect(found('traefik_middleware_unused', { containers, traefik: yaml(middlewares) })).toEqual([
      ['/srv/edge/traefik.yml', 'proxy', sentence('forgotten')],
      ['/srv/edge/compose.yml', 'shop', sentence('spare')],
    ]);
  });
});

test.each([
  ['traefik', [], true],
  ['docker.io/library/traefik:v3', [], true],
  ['ghcr.io/me/proxy:1', ['/usr/local/bin/traefik', '--ping'], true],
  ['containous/whoami', [], false],
  ['me/traefik-forward-auth:2', [], false],
])('the image %s with %j is Traefik: %s', (image, command, expected) => {
  expect(isTraefik(container({ image, command }))).toBe(expected);
});

describe('credentials that everybody knows', () => {
  const names = (...environment: string[]) => container({ image: 'db:1', environment }).defaultCredentials;

  test.each([
    'POSTGRES_PASSWORD=postgres',
    'MYSQL_ROOT_PASSWORD=changeme',
    'MINIO_ROOT_PASSWORD=minioadmin',
    'ADMIN_PASS=admin',
    'SECRET_KEY=change-me',
    'API_TOKEN=123456',
    'POSTGRES_HOST_AUTH_METHOD=trust',
    'MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1',
  ])('%s is one', (line) => {
    expect(names(line)).toEqual([line.split('=')[0]]);
  });

  test('a password that is the name of its user is one', () => {
    expect(names('DB_USER=immich', 'DB_PASSWORD=immich', 'OTHER_PASSWORD=immich')).toEqual(['DB_PASSWORD']);
  });

  test.each([
    'POSTGRES_PASSWORD=vU4n-Wq81-kkPz',
    'POSTGRES_PASSWORD=',
    'POSTGRES_PASSWORD_FILE=/run/secrets/admin',
    'POSTGRES_USER=admin',
    'POSTGRES_HOST_AUTH_METHOD=scram-sha-256',
  ])('%s is none', (line) => {
    expect(names(line)).toEqual([]);
  });

  test('are told by the name of their variable only', () => {
    const containers = [container({ name: 'db', image: 'db:1', environment: ['DB_PASSWORD=letmein'] })];
    const [finding] = found('default_credential', { containers });
    expect(finding).toEqual(['/srv/edge/compose.yml', 'db', expect.stringContaining('DB_PASSWORD')]);
    expect(JSON.stringify(finding)).not.toContain('letmein');
  });
});
