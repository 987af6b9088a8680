import { createRequire } from 'node:module';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installN8n } from '../../../../lab/n8n/install';
import { run } from '../../../../lab/hosts/programs';
import { startSystemdHost } from '../../../../lab/hosts/systemd-host';
import { isFailure } from '../../../../lib/failure';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { type Format, render } from '../../../../lib/infisical/render';
import type { Entry } from '../../../../lib/infisical/render/entry';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { access } from '../host/lab-access';
import { type DockerMachine, startDockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(60_000);

const special = [
  ...Array.from('\'"`\\$#=:!&%;*~({[<>|?^@, \t\n\r'),
  '${K}',
  '$$',
  '\\n',
  '\\\\',
  'é',
  '日',
  '🔑',
  '\u2028',
  '\ufeff',
];

/** Every character of one byte and more of others: alone, twice, between letters, and each special one beside each other. */
function everyCharacter(): readonly Entry[] {
  const one = Array.from({ length: 255 }, (_, index) => String.fromCodePoint(index + 1));
  const values = [
    '',
    ...[...one, ...special].flatMap((character) => [character, character + character, `a${character}b`]),
    ...special.flatMap((left) => special.flatMap((right) => [left + right, `a${left}b${right}c`])),
  ];
  return [...new Set(values)].map((value, index) => ({ key: `K_${index}`, value }));
}

/** What a format refuses is refused by name, and is not of its file. */
function holds(format: Format, entry: Entry): boolean {
  try {
    render([entry], format);
    return true;
  } catch (error) {
    if (isFailure(error, 'secret_not_renderable')) return false;
    throw error;
  }
}

const fileOf = (format: Format) => {
  const entries = everyCharacter().filter((entry) => holds(format, entry));
  return { text: render(entries, format), expected: Object.fromEntries(entries.map(({ key, value }) => [key, value])) };
};

function environmentIn(printed: string): Record<string, string> {
  const lines = printed.split('\0').filter((line) => line.startsWith('K_'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** The first few that came back otherwise, so that a failure can be read. */
function differences(found: Readonly<Record<string, string>>, expected: Readonly<Record<string, string>>) {
  return Object.keys({ ...found, ...expected })
    .filter((key) => found[key] !== expected[key])
    .slice(0, 8)
    .map((key) => ({ key, wrote: expected[key], read: found[key] }));
}

/** So many of each format were held on the day this was written: a format must not come to refuse what it held. */
const heldAtLeast = { compose: 2500, docker: 2200, dotenv: 2300, shell: 2500, systemd: 2300 };

test('the dotenv library that n8n has reads every character back', async () => {
  const { modules } = await installN8n();
  const { parse } = createRequire(join(modules, 'n8n', 'package.json'))('dotenv') as {
    parse: (text: string) => Record<string, string>;
  };
  const { text, expected } = fileOf('dotenv');
  expect(differences(parse(text), expected)).toEqual([]);
  expect(Object.keys(expected).length).toBeGreaterThan(heldAtLeast.dotenv);
});

test('bash reads every character back', async () => {
  const { text, expected } = fileOf('shell');
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-readers-'));
  await writeFile(join(folder, 'secrets.sh'), text);
  const script = '. "$1"; /usr/bin/env -0 | /usr/bin/base64 -w 0';
  const argv = ['env', '-i', 'LC_ALL=C.UTF-8', '/bin/bash', '-c', script, 'bash', join(folder, 'secrets.sh')] as const;
  const printed = await run([...argv]).finally(() => rm(folder, { recursive: true }));
  const environment = environmentIn(Buffer.from(printed, 'base64').toString());
  expect(differences(environment, expected)).toEqual([]);
  expect(Object.keys(expected).length).toBeGreaterThan(heldAtLeast.shell);
});

describeAsRoot('a service of systemd', () => {
  test('has every character in its environment', async () => {
    const machine = await startSystemdHost({ name: 'bruno' });
    try {
      const { text, expected } = fileOf('systemd');
      await writeFile(join(machine.root, 'etc/every.env'), text, { mode: 0o600 });
      const unit = ['--quiet', '--wait', '--pipe', '--property=EnvironmentFile=/etc/every.env'];
      // Encoded there, so that nothing on the way can change it; of the size a command line may have, by standard input.
      const argv = ['systemd-run', ...unit, '--', '/bin/sh', '-c', '/usr/bin/env -0 | /usr/bin/base64 -w 0'] as const;
      const { stdout } = await runCommand(access(machine), { argv }, { maxOutputBytes: 8 << 20 }, quietTask());
      expect(differences(environmentIn(Buffer.from(stdout, 'base64').toString()), expected)).toEqual([]);
      expect(Object.keys(expected).length).toBeGreaterThan(heldAtLeast.systemd);
    } finally {
      await closeSessions();
      await machine.stop();
    }
  });
});

describeAsRoot('Docker', () => {
  let machine: DockerMachine;
  let directory: string;
  beforeAll(async () => {
    machine = await startDockerMachine();
    directory = join(machine.docker.folder, 'readers');
    await mkdir(directory);
  });
  afterAll(() => (machine as DockerMachine | undefined)?.stop());

  const docker = async (...argv: readonly string[]) => {
    const { host, socketPath } = machine.access;
    const environment = { DOCKER_HOST: `unix://${socketPath}` };
    const options = { maxOutputBytes: 8 << 20 };
    return (await runCommand(host, { argv: ['docker', ...argv], environment }, options, quietTask())).stdout;
  };

  test('Compose reads every character back, from env_file and from .env', async () => {
    const { text, expected } = fileOf('compose');
    await writeFile(join(directory, '.env'), text);
    const key = (value: string) => Object.entries(expected).find(([, one]) => one === value)?.[0] ?? 'none';
    const services = `services:\n  app:\n    image: ${machine.docker.image}\n    env_file: [ .env ]\n    environment: { TAKEN: "\${${key(`a'b"c`)}}" }\n`;
    await writeFile(join(directory, 'compose.yaml'), services);
    const compose = ['compose', '--project-directory', directory] as const;
    const printed = await docker(...compose, 'run', '--rm', '--no-TTY', 'app', 'busybox', 'env', '-0');
    expect(differences(environmentIn(printed), expected)).toEqual([]);
    expect(printed.split('\0')).toContain(`TAKEN=a'b"c`);
    expect(Object.keys(expected).length).toBeGreaterThan(heldAtLeast.compose);
  });

  test('docker run --env-file reads every character back', async () => {
    const { text, expected } = fileOf('docker');
    const file = join(directory, 'env-file');
    await writeFile(file, text);
    const printed = await docker('run', '--rm', '--env-file', file, machine.docker.image, 'busybox', 'env', '-0');
    expect(differences(environmentIn(printed), expected)).toEqual([]);
    expect(Object.keys(expected).length).toBeGreaterThan(heldAtLeast.docker);
  });
});
