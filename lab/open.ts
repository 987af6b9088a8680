import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../lib/failure';
import { isObject, type Json } from '../lib/json';
import { ownerAccount } from './account';
import { debianPackages, installDebianPackages } from './debian-packages';
import { labCredential } from './estate';
import { keepCredentials } from './furniture';
import { type LabHetzner, startLabHetzner } from './hetzner';
import { startLabHosts, type LabHosts } from './hosts/lab-hosts';
import { labFolder, repository } from './folders';
import { endMarked, markWhatWeStart } from './leftovers';
import { lockFile } from './lock';
import { logIn, setUpOwner, type N8nApi } from './n8n/api';
import { installN8n, type N8nInstall } from './n8n/install';
import { chosenPort, type N8n } from './n8n/instance';
import { installPack, packTarball } from './n8n/pack';
import { alsoStop } from './processes';
import { say, step } from './steps';
import { diskFull, isFull } from './trouble';

export interface LabPlan<Kind extends N8n> {
  /** A folder of its own for each kind of lab, below the lab folder. */
  readonly name: string;
  readonly needsServices: boolean;
  readonly boot: (options: { install: N8nInstall; folder: string; logs: string; port: number }) => Promise<Kind>;
  /** What else there is to know when it is ready, a line each. */
  readonly tell?: (n8n: Kind) => readonly string[];
}

/** `npm start`: from a bare machine to an n8n in the browser with the pack in it and hosts to work on. */
export async function openLab<Kind extends N8n>(plan: LabPlan<Kind>): Promise<number> {
  mkdirSync(labFolder, { recursive: true, mode: 0o700 });
  await takeLab();
  if (isFull(labFolder, 200 * 1024 ** 2)) throw diskFull(`Starting the lab in ${labFolder}`);
  const mark = `${labFolder}:start`;
  await endMarked(mark);
  markWhatWeStart(mark);
  const port = await chosenPort(wantedPort());
  const packages = debianPackages.filter(
    ({ neededBy, name }) => neededBy === 'lab' || (plan.needsServices && isService(name)),
  );
  await step('Debian packages', () => installDebianPackages(packages));
  const folder = join(labFolder, plan.name);
  const logs = join(labFolder, 'logs', plan.name);
  const install = await step('n8n 2.41.1 and its Node 24 (about five minutes the first time)', installN8n);
  const tarball = await step('The pack, built and packed', () => packTarball());
  await step('The pack, installed into n8n', () => installPack(install, folder, tarball));
  const hosts = await step('Hosts to work on', () => startLabHosts(join(labFolder, 'hosts'), { log: say }));
  alsoStop(() => hosts.stop());
  const hetzner = await step('A Hetzner to try things on', startLabHetzner);
  alsoStop(() => hetzner.stop());
  const n8n = await step('n8n', () => plan.boot({ install, folder, logs, port }));
  const account = ownerAccount(join(folder, 'account.json'));
  await step('Account, credentials and the first workflow', async () => {
    if (account.isNew) await setUpOwner(n8n.url, account);
    await furnish(await logIn(n8n.url, account), { n8n, folder, hosts, hetzner });
  });
  say(`Ready: ${n8n.url}`);
  const facts = plan.tell?.(n8n) ?? [];
  if (facts.length > 0) {
    process.stdout.write(`\n${facts.map((fact) => `  ${fact}\n`).join('')}${account.isNew ? '' : '\n'}`);
  }
  process.stdout.write(account.isNew ? `\n  ${account.email}\n  ${account.password}\n\n` : '');
  process.stdout.write(`The account is kept in ${join(folder, 'account.json')}. Ctrl-C stops the lab.\n`);
  await n8n.main.ended;
  throw new Failure({
    code: 'n8n_ended',
    subject: 'n8n',
    message: 'n8n has ended by itself.',
    nextStep: `Read its log: ${n8n.main.log}`,
  });
}

/** One lab per checkout at a time; also keeps `lab:reset` away from a running one. */
export async function takeLab(): Promise<void> {
  mkdirSync(labFolder, { recursive: true, mode: 0o700 });
  if ((await lockFile(join(labFolder, 'lock'), { wait: false })) !== undefined) return;
  throw new Failure({
    code: 'lab_runs',
    subject: labFolder,
    message: 'The lab of this checkout is already running.',
    nextStep: 'Use that one, or stop it with Ctrl-C first.',
  });
}

function wantedPort(): number {
  const wanted = Number(process.env.SELFHOST_LAB_PORT ?? 5678);
  if (Number.isInteger(wanted) && wanted > 0 && wanted < 65_536) return wanted;
  throw new Failure({
    code: 'bad_port',
    subject: 'SELFHOST_LAB_PORT',
    message: `SELFHOST_LAB_PORT is no port number: ${process.env.SELFHOST_LAB_PORT ?? ''}`,
    nextStep: 'Give a number from 1 to 65535.',
  });
}

const isService = (name: string) => name === 'redis-server' || name === 'postgresql';

interface Furniture {
  readonly n8n: N8n;
  readonly folder: string;
  readonly hosts: LabHosts;
  readonly hetzner: LabHetzner;
}

/** What stands in n8n from the beginning: credentials that open what the lab started, and a first workflow. */
async function furnish(api: N8nApi, { n8n, folder, hosts: { hosts }, hetzner }: Furniture): Promise<void> {
  const isNew = !existsSync(join(folder, 'furniture.json'));
  const credentials = await keepCredentials(api, folder, [
    { name: labHosts, type: 'selfhostHost', data: labCredential(hosts) },
    { name: 'Lab Hetzner', type: 'selfhostHetzner', data: hetzner.credential },
  ]);
  if (!isNew) return;
  const shipped: unknown = JSON.parse(readFileSync(join(repository, 'workflows', 'host-facts.json'), 'utf8'));
  const file = join(folder, 'first-workflow.json');
  writeFileSync(file, JSON.stringify(withCredential(shipped, credentials.get(labHosts) ?? '')));
  await n8n.command(['import:workflow', `--input=${file}`]);
}

const labHosts = 'Lab hosts';

/** A shipped workflow names its credentials; here it gets the id that n8n gave to ours. */
function withCredential(value: unknown, id: string): Json {
  const text = JSON.stringify(value, (_key, field: unknown) =>
    isObject(field) && field.name === labHosts && field.id === '' ? { ...field, id } : field,
  );
  return JSON.parse(text) as Json;
}
