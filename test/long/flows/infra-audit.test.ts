import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { makeKey } from '../../../lab/hosts/keys';
import { run } from '../../../lab/hosts/programs';
import { startSystemdHost, type SystemdHost } from '../../../lab/hosts/systemd-host';
import { startInOrder } from '../../../lib/docker/deploy/start-order';
import { runCommand } from '../../../lib/host/run';
import type { JsonObject } from '../../../lib/json';
import { type Estate, startEstate } from '../../e2e/estate';
import { describeAsRoot } from '../../integration/lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';
import { people } from '../../shared/people';
import { quietTask } from '../../shared/task';

const KEY = '0123456789abcdef0123456789abcdef';
const LATEST = [
  ...['traefik', 'infisical/infisical', 'postgres', 'redis', 'n8nio/n8n', 'codeberg.org/forgejo/forgejo'],
  ...['grafana/loki', 'grafana/promtail', 'nodered/node-red', 'grafana/grafana', 'prom/alertmanager'],
];

jest.setTimeout(900_000);

/** What the report on a Compose estate found by hand, and what else this estate may suffer from, found by the flow. */
describeAsRoot('the weekly audit of a messy estate, in n8n', () => {
  let estate: Estate;
  let bruno: DockerMachine;
  let eva: SystemdHost;
  let evaStands = true;
  const task = quietTask();
  const at = (...path: string[]) => join(bruno.docker.folder, ...path);

  beforeAll(async () => {
    [estate, bruno, eva] = await Promise.all([startEstate(), startDockerMachine(), startSystemdHost({ name: 'eva' })]);
    for (const image of LATEST) await bruno.docker.docker('tag', bruno.docker.image, `${image}:latest`);
    makeProjects();
    await bringUp();
    await makeBruno();
    await makeEva();
    await estate.install({
      files: ['inventory.json', 'notify.json', 'on-error.json', 'infra-audit.json'],
      inventory: await inventory(),
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([bruno.server, eva]) },
        'Named secrets': { type: 'selfhostSecrets', data: { secrets: 'TREES=of-the-trees' } },
        'Rclone remotes': {
          type: 'selfhostRclone',
          data: {
            place: 'here',
            configuration: '[disk]\ntype = local\n',
            encryptionPassword: 'of the vault',
            encryptionSalt: 'salt',
          },
        },
      },
    });
  });
  afterAll(async () => {
    await estate.stop();
    await bruno.stop();
    if (evaStands) await eva.stop();
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const write = (path: string, content: string | Buffer = '', mode = 0o644) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    // Whatever the umask took away.
    chmodSync(path, mode);
  };
  const onEva = (path: string) => join(eva.root, path);

  /** Two projects: eleven images that say latest, three of them unhealthy, four with data that nobody backs up. */
  function makeProjects(): void {
    const service = (name: string, image: string, ...more: readonly string[]) =>
      `  ${name}:\n    image: "${image}"\n    stop_grace_period: 0s\n` +
      [...(more.some((line) => line.startsWith('command')) ? [] : ['command: sleep 3600']), ...more]
        .map((line) => `    ${line}\n`)
        .join('');
    const sick = 'healthcheck: { test: ["CMD-SHELL", "false"], interval: 200ms, timeout: 5s, retries: 1 }';
    const keeps = (volume: string) => `volumes: ["${volume}:/data"]`;
    const rate = 'labels: { traefik.http.middlewares.rate.ratelimit.average: "100" }';
    write(
      at('estate', 'compose.yml'),
      `services:\n${[
        service('traefik', 'traefik:latest', 'command: ["sh", "-c", "sleep 3600", "--api.insecure=true"]', rate),
        service('infisical', 'infisical/infisical:latest', keeps('infisical')),
        service('db', 'postgres:latest', 'environment: { POSTGRES_PASSWORD: changeme }'),
        service('redis', 'redis:latest'),
        service('n8n', 'n8nio/n8n:latest', keeps('n8n')),
        service('forgejo', 'codeberg.org/forgejo/forgejo:latest', keeps('./forgejo')),
        service('kuanary', 'tiny:1'),
      ].join('')}volumes: { infisical: {}, n8n: {} }\n`,
    );
    write(
      at('watch', 'compose.yml'),
      `services:\n${[
        service('loki', 'grafana/loki:latest', sick),
        service('promtail', 'grafana/promtail:latest', sick),
        service('node-red', 'nodered/node-red:latest', sick, keeps('node-red')),
        service('grafana', 'grafana/grafana:latest', keeps('grafana')),
        service('alertmanager', 'prom/alertmanager:latest', 'volumes: ["./alerts:/etc/alertmanager:ro"]'),
      ].join('')}volumes: { node-red: {}, grafana: {} }\n`,
    );
    write(at('watch', 'alerts', 'alertmanager.yml'), 'receivers:\n  - name: nobody\n');
    write(at('estate', '.env'), `ENCRYPTION_KEY=${KEY}\n`);
    write(at('estate', 'compose.yml.bak'), 'services: {}\n');
    utimesSync(at('estate', 'compose.yml.bak'), new Date('2026-01-01'), new Date('2026-01-01'));
    write(at('estate', '.stfolder', 'marker'));
  }

  async function bringUp(): Promise<void> {
    for (const stack of ['estate', 'watch']) {
      await startInOrder(bruno.access, { stacks: [at(stack)], waitSeconds: 60 }, task);
    }
    await bruno.docker.docker('rm', '--force', 'estate-kuanary-1');
  }

  /** In the machine's own mounts: no swap, and a PostgreSQL that was promoted after the one of eva. */
  async function makeBruno(): Promise<void> {
    const stranger = await makeKey('ed25519');
    write(join(bruno.home, '.ssh', 'authorized_keys'), `${stranger.publicKey} mallory\n`, 0o600);
    write(at('meminfo'), 'MemTotal:        4194304 kB\nSwapTotal:             0 kB\n');
    write(at('srv', 'postgres', 'global', 'pg_control'), controlFile(4));
    for (const [from, to] of [
      ['meminfo', '/proc/meminfo'],
      ['srv', '/srv'],
    ] as const) {
      await runCommand(bruno.access.host, { argv: ['mount', '--bind', at(from), to] }, {}, task);
    }
  }

  async function makeEva(): Promise<void> {
    const login = await run(['ssh-keygen', '-y', '-f', bruno.server.privateKeyFile]);
    const own = await run(['ssh-keygen', '-y', '-f', eva.privateKeyFile]);
    write(onEva('etc/ssh/lab_authorized_keys'), `${own.trim()}\n${login.trim()}\n`);
    write(onEva('etc/systemd/system/backup-scatter.service'), '[Service]\nType=oneshot\nExecStart=/bin/true\n');
    write(
      onEva('etc/systemd/system/backup-scatter.timer'),
      '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n',
    );
    write(onEva('var/lib/postgresql/15/main/global/pg_control'), controlFile(3));
    write(onEva('etc/postgresql/15/main/start.conf'), 'auto\n');
    write(onEva('root/keys/same'), `${KEY}\n`, 0o600);
    write(onEva('root/keys/other'), `${KEY.replace('0', '1')}\n`, 0o600);
  }

  /** What a look at a control file reads: the number of the system, and the timeline. */
  function controlFile(timeline: number): Buffer {
    const bytes = Buffer.alloc(8192);
    bytes.writeBigUInt64LE(7_300_000_000_000_000_001n);
    bytes.writeUInt32LE(timeline, 48);
    return bytes;
  }

  async function inventory(): Promise<JsonObject> {
    const fingerprint = async (file: string) => /SHA256:\S+/.exec(await run(['ssh-keygen', '-lf', file]))?.[0] ?? '';
    return {
      estate: 'lab',
      timezone: 'Europe/Berlin',
      hosts: [
        {
          ...{ name: 'bruno', address: '127.0.0.1', port: bruno.server.port, provider: 'hetzner' },
          docker: bruno.docker.socket,
        },
        { name: 'eva', address: eva.address, provider: 'ovh' },
      ],
      services: [
        { name: 'estate', host: 'bruno', standby: 'eva', project: at('estate') },
        { name: 'watch', host: 'bruno', project: at('watch') },
      ],
      databases: [{ name: 'redis', kind: 'redis', host: 'bruno', container: 'estate-redis-1' }],
      folders: [
        { name: 'forgejo', host: 'bruno', path: at('estate', 'forgejo'), as: 'archive' },
        { name: 'keys', host: 'eva', path: '/root/keys', as: 'archive' },
      ],
      destinations: [{ name: 'one', remote: `disk:${at('one')}`, provider: 'google' }],
      backups: { quorum: 1, treePassword: 'credential:TREES' },
      recoveryOrder: [['estate']],
      sshKeys: [
        { name: 'n8n', fingerprint: await fingerprint(bruno.server.privateKeyFile) },
        { name: 'lab', fingerprint: await fingerprint(eva.privateKeyFile) },
      ],
      keyCopies: [
        { name: 'the running one', host: 'bruno', path: at('estate', '.env') },
        ...['same', 'other', 'lost'].map((name) => ({ name, host: 'eva', path: `/root/keys/${name}` })),
      ],
      // Nothing that this key has ever encrypted.
      keyCanary: '00'.repeat(60),
      ...people,
    };
  }

  /** The messages of one run by hand, which tells everything, in the order in which they came. */
  async function audit(): Promise<{ readonly titles: readonly string[]; readonly text: string }> {
    const before = estate.telegram.messages.length;
    const ended = await estate.own.api.runToEnd('selfhostInfraAudit', 'By hand', { within: 600_000 });
    expect([ended.error?.message, ended.status]).toEqual([undefined, 'success']);
    const told = estate.telegram.messages.slice(before);
    expect(new Set(told.map(({ chat }) => chat))).toEqual(new Set(['666']));
    const titles = told.map(({ text }) => text.split('\n')[0] ?? '');
    for (const [index, title] of titles.entries()) {
      expect(title).toContain('Infra audit: ');
      if (titles.length > 1) expect(title).toContain(`(${index + 1} of ${titles.length})`);
    }
    return { titles, text: told.map(({ text }) => text.split('\n').slice(1).join('\n')).join('\n') };
  }
  /** Of the line that begins so, all of it. */
  const line = (text: string, beginning: string) => text.split('\n').find((one) => one.includes(beginning)) ?? '';
  function expectTold(text: string, wanted: readonly string[]): void {
    const lacking = wanted.filter((one) => !text.includes(one));
    if (lacking.length > 0) throw new Error(`Not told:\n${lacking.join('\n')}\n\nWhat was told:\n${text}`);
  }

  test('everything that the report on the Compose estate found is told, what is alike in one line', async () => {
    const { text } = await audit();
    const latest = line(text, 'which is another image after every pull');
    const containers = [
      ...['traefik', 'infisical', 'db', 'redis', 'n8n', 'forgejo'].map((name) => `estate-${name}-1`),
      ...['loki', 'promtail', 'node-red', 'grafana', 'alertmanager'].map((name) => `watch-${name}-1`),
    ];
    expectTold(latest, ['🟡', ...containers]);
    const unhealthy = line(text, ' is unhealthy');
    expectTold(unhealthy, ['watch-loki-1', 'watch-promtail-1', 'watch-node-red-1']);
    const unsaved = line(text, ' is in no backup');
    expectTold(unsaved, ['estate_infisical', 'estate_n8n', 'watch_node-red', 'watch_grafana']);
    expect(unsaved).not.toContain('forgejo');
    for (const about of ['has no health check', "may take all of the host's memory"]) {
      expectTold(line(text, about), ['estate-traefik-1', 'watch-grafana-1']);
    }
    expectTold(text, [
      `🟠 bruno: ${at('estate', '.env')} has mode 0644`,
      '🟠 bruno: Service kuanary of estate is configured and does not run',
      "🟠 bruno: estate-traefik-1 opens Traefik's dashboard and API on port 8080 to everybody",
      `🟠 bruno: ${at('watch', 'alerts', 'alertmanager.yml')} gives Alertmanager no receiver with a channel`,
      '🟠 eva: backup-scatter.timer is written and not enabled',
      '🔴 bruno: POSTGRES_PASSWORD of estate-db-1 is a value that everybody knows',
      '🟡 bruno: There is no swap beside 4 GiB of memory',
      '🟠 bruno: Nothing that is backed up on bruno was ever restored',
      '⚪ bruno: Nobody has written down when watch is started',
      `⚪ bruno: ${at('estate', 'compose.yml.bak')} has lain there for `,
    ]);
    expect(line(text, 'rate')).toMatch(/^🟡 bruno: .*middleware/i);
  });

  test('what else a bad day would bring out is told as well, and only what could not be looked at besides', async () => {
    const { text } = await audit();
    expectTold(text, [
      `🟠 bruno: Syncthing keeps ${at('estate')}, and ${at('estate')} is code that is deployed from Git`,
      '🟠 bruno: The key "mallory" may log in by /root/.ssh/authorized_keys',
      '🔴 bruno: n8n runs on bruno, and should move estate away when bruno is lost',
      '🔴 eva: The PostgreSQL in /var/lib/postgresql/15/main was the primary before bruno (timeline 3, now 4)',
      '🔴 eva: The key of Infisical in other is another than in the running one',
      '🔴 eva: The key of Infisical in lost: it holds no key that can be read',
      '🔴 bruno: The key in the running one does not open what Infisical has encrypted',
      '🟠 bruno: The key of Infisical is in 3 places, and should be in 4',
    ]);
    expect(text.split('Not looked at:\n')[1]?.split('\n')).toEqual([expect.stringMatching(/^eva, its Docker: /)]);
    expect(text).not.toContain(KEY);
    // The worst comes first.
    const marks = text.split('\n').flatMap((one) => ['🔴', '🟠', '🟡', '⚪'].filter((mark) => one.startsWith(mark)));
    expect(marks.join('')).toMatch(/^(🔴)+(🟠)+(🟡)+(⚪)+$/u);
  });

  test('what was put right is not told again, and a host that is gone is said in the one report, by all that could not be seen', async () => {
    chmodSync(at('estate', '.env'), 0o600);
    write(
      at('watch', 'alerts', 'alertmanager.yml'),
      'receivers:\n  - name: n8n\n    webhook_configs:\n      - url: x\n',
    );
    await eva.stop();
    evaStands = false;
    const { text } = await audit();
    expect(text).not.toContain('has mode 0644');
    expect(text).not.toContain('no receiver with a channel');
    expect(text).toContain('🔴 bruno: POSTGRES_PASSWORD of estate-db-1');
    expect(text).not.toContain('eva: backup-scatter.timer');
    const unseen = text.split('Not looked at:\n')[1]?.split('\n') ?? [];
    expect(unseen.map((one) => /^[^:]+/.exec(one)?.[0])).toEqual(
      expect.arrayContaining(['eva', 'eva, its Docker', 'eva, its backups']),
    );
  });
});
