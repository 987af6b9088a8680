import { Failure } from '../failure';
import { isObject } from '../json';
import { parseReference } from '../secrets/reference';
import {
  type AnsiblePlaybook,
  type Approver,
  type BackedUpCommand,
  type Backups,
  type Change,
  type Cost,
  type KeyCopy,
  type SshKey,
  type TerraformFile,
  type WatchedTarget,
  CHANGES,
  type Database,
  DATABASE_KINDS,
  type Destination,
  type Domain,
  type DomainName,
  DRILL_KINDS,
  type Drill,
  type EstateHost,
  type Instance,
  type Folder,
  type GitMirror,
  type GitServer,
  type HostRecovery,
  FOLDER_KINDS,
  type Inventory,
  type Keep,
  type KitPlace,
  type Lane,
  LANES,
  PERIODS,
  type PostgresCluster,
  PROVIDERS,
  type Recipient,
  type Route,
  ROTATED_AT,
  type Rotation,
  type RecoveryKit,
  type Service,
  type ServiceData,
  type TerraformProject,
  type ThisN8n,
} from './inventory';
import {
  address,
  list,
  number,
  object,
  oneOf,
  openObject,
  optionalText,
  orElse,
  type Read,
  record,
  text,
  toggle,
  variant,
} from './read';
import { referenceMistakes } from './references';

const texts = list(text);
const noTexts: readonly string[] = [];

/** What this has read once can be read again. */
const orNull = <Value>(read: Read<Value>) =>
  orElse<Value | null>((value, place, mistakes) => (value === null ? null : read(value, place, mistakes)), null);

const recovery = object<HostRecovery>({
  type: text,
  image: text,
  location: optionalText,
  sshKeys: orElse(texts, noTexts),
  notInDrills: orElse(texts, noTexts),
});

const host = object<EstateHost>({
  name: text,
  address,
  port: orElse(number(1, 65_535), 22),
  provider: oneOf(PROVIDERS),
  role: optionalText,
  server: optionalText,
  docker: optionalText,
  addressFrom: orElse(texts, noTexts),
  powerOff: orElse(toggle, false),
  recovery: orNull(recovery),
});

const instance = object<Instance>({
  name: text,
  host: text,
  url: text,
  health: optionalText,
  service: optionalText,
  lostMinutes: orElse(number(0, 1440), 3),
  backMinutes: orElse(number(0, 1440), 10),
});

const service = object<Service>({
  name: text,
  host: text,
  standby: optionalText,
  data: orElse<readonly ServiceData[]>(
    list(object<ServiceData>({ name: text, to: optionalText, start: optionalText })),
    [],
  ),
  names: orElse(texts, noTexts),
  project: optionalText,
  url: optionalText,
  repository: optionalText,
  branch: orElse(text, 'main'),
  paths: orElse(texts, noTexts),
  folder: optionalText,
  files: orElse(texts, noTexts),
  checks: orElse(texts, noTexts),
  secrets: optionalText,
  watchSeconds: orElse(number(0, 3600), 10),
  images: orElse<Readonly<Record<string, string>>>(record(text), {}),
  updates: orElse<Readonly<Record<string, string>>>(record(text), {}),
  migrates: orElse(toggle, false),
  open: orElse(texts, noTexts),
  inside: optionalText,
});

const database = object<Database>({
  name: text,
  kind: oneOf(DATABASE_KINDS),
  host: text,
  container: optionalText,
  database: optionalText,
  replica: optionalText,
  user: optionalText,
  password: orElse(reference, ''),
  runAs: optionalText,
  address: optionalText,
  port: orElse(number(0, 65_535), 0),
  service: optionalText,
});

const cluster = object<PostgresCluster>({
  name: text,
  members: list(openObject('name')),
  preferred: optionalText,
  names: orElse(texts, noTexts),
  routes: orElse<readonly Route[]>(
    list(
      object<Route>({
        kind: oneOf(['pgbouncer', 'haproxy']),
        host: text,
        databases: orElse(texts, noTexts),
        port: orElse(number(1, 65_535), 5432),
      }),
    ),
    [],
  ),
  synchronous: orElse(toggle, true),
  commitFence: orElse(toggle, false),
  firewall: orElse(toggle, false),
  powerOff: orElse(toggle, false),
  allowCopy: orElse(toggle, false),
  allowRestart: orElse(toggle, false),
  stanza: optionalText,
  backupMember: optionalText,
  backupConfig: optionalText,
  scratch: optionalText,
});

const drill = object<Drill>({
  name: text,
  kind: oneOf(DRILL_KINDS),
  of: optionalText,
  everyDays: number(1, 3650),
});

const folder = object<Folder>({
  name: text,
  host: text,
  path: text,
  excludes: orElse(texts, noTexts),
  as: orElse(oneOf(FOLDER_KINDS), 'tree'),
  marker: optionalText,
  tolerateChanges: orElse(toggle, false),
  to: orElse(texts, noTexts),
});

const command = object<BackedUpCommand>({ name: text, host: text, argv: texts, runAs: optionalText });

const place = { name: text, remote: text, provider: oneOf(PROVIDERS), host: optionalText } as const;

const destination = object<Destination>({
  ...place,
  bandwidth: optionalText,
  undeletable: orElse(toggle, false),
  attempts: orElse(number(0, 100), 0),
  pauseSeconds: orElse(number(0, 86_400), 0),
});

const terraformFile = object<TerraformFile>({ repository: text, branch: orElse(text, 'main'), file: text });

const domain = object<Domain>({
  zone: text,
  at: oneOf(['cloudflare', 'hetzner']),
  owner: oneOf(['n8n', 'terraform']),
  names: list(object<DomainName>({ name: text, host: text, proxied: orElse(toggle, false) })),
  rdap: optionalText,
  terraform: orNull(terraformFile),
});

const recipient = variant<Recipient>('by', {
  telegram: object<Extract<Recipient, { by: 'telegram' }>>({ by: oneOf(['telegram']), chat: text }),
  slack: object<Extract<Recipient, { by: 'slack' }>>({ by: oneOf(['slack']), channel: text }),
  email: object<Extract<Recipient, { by: 'email' }>>({ by: oneOf(['email']), address: text }),
});

const approver = object<Approver>({
  name: text,
  by: oneOf(['telegram', 'slack']),
  id: text,
  where: optionalText,
  minutes: orElse(number(0.01, 1440), 15),
});

const noGit: GitServer = { url: '', user: '', token: '', mirror: null };
const mirror = object<GitMirror>({
  ...{ url: text, user: optionalText, token: optionalText },
  behindHours: orElse(number(0.01, 8760), 24),
});
// Without one its address is empty, and what this has read once can be read again.
const git = object<GitServer>({ url: optionalText, user: optionalText, token: optionalText, mirror: orNull(mirror) });

const rotation = object<Rotation>({
  name: text,
  secrets: text,
  key: text,
  host: text,
  at: oneOf(ROTATED_AT),
  role: optionalText,
  address: optionalText,
  adminUser: optionalText,
  adminPassword: optionalText,
  container: optionalText,
  database: orElse(text, 'postgres'),
  program: orElse(texts, noTexts),
  services: orElse(texts, noTexts),
});

const terraform = object<TerraformProject>({
  name: text,
  host: text,
  directory: text,
  program: orElse(text, 'terraform'),
  secrets: optionalText,
  repository: optionalText,
});

const ansible = object<AnsiblePlaybook>({
  name: text,
  host: text,
  directory: text,
  playbook: text,
  hosts: optionalText,
  program: orElse(text, 'ansible-playbook'),
});

const sshKey = object<SshKey>({ name: text, fingerprint: text, hosts: orElse(texts, noTexts) });

const forEach = <Name extends string, Value>(names: readonly Name[], value: Value) =>
  Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Value>;

const recipients = object<Record<Lane, readonly Recipient[]>>(
  forEach(LANES, orElse<readonly Recipient[]>(list(recipient), [])),
);
const automatic = object<Record<Change, readonly string[]>>(forEach(CHANGES, orElse(texts, noTexts)));

const KEEP: Keep = { last: 0, hourly: 0, daily: 7, weekly: 4, monthly: 6, yearly: 0 };
const keep = object<Keep>(forEach(PERIODS, orElse(number(0, 100_000), 0)));

const NO_KIT: RecoveryKit = { host: '', recipients: [], places: [], keys: {} };
const kit = object<RecoveryKit>({
  host: optionalText,
  recipients: orElse(texts, noTexts),
  places: orElse<readonly KitPlace[]>(list(object<KitPlace>(place)), []),
  keys: orElse<RecoveryKit['keys']>(references, {}),
});

const NO_BACKUPS: Backups = {
  quorum: 1,
  everyHours: 24,
  keep: KEEP,
  treePassword: '',
  deadManUrl: '',
  searched: [],
  ignore: [],
  retryMinutes: 30,
  spool: '',
  logFile: '',
  kit: NO_KIT,
};
const backups = object<Backups>({
  quorum: orElse(number(1, 100), NO_BACKUPS.quorum),
  everyHours: orElse(number(0.1, 8760), NO_BACKUPS.everyHours),
  keep: orElse(keep, KEEP),
  treePassword: orElse(reference, ''),
  deadManUrl: optionalText,
  searched: orElse(texts, noTexts),
  ignore: orElse(texts, noTexts),
  retryMinutes: orElse(number(0.01, 1440), NO_BACKUPS.retryMinutes),
  spool: optionalText,
  logFile: optionalText,
  kit: orElse(kit, NO_KIT),
});

const inventory = object<Inventory>({
  estate: text,
  timezone: text,
  n8n: orElse(object<ThisN8n>({ name: optionalText, host: optionalText }), { name: 'n8n', host: '' }),
  hosts: list(host),
  instances: orElse<readonly Instance[]>(list(instance), []),
  services: orElse<readonly Service[]>(list(service), []),
  databases: orElse<readonly Database[]>(list(database), []),
  clusters: orElse<readonly PostgresCluster[]>(list(cluster), []),
  drills: orElse<readonly Drill[]>(list(drill), []),
  folders: orElse<readonly Folder[]>(list(folder), []),
  commands: orElse<readonly BackedUpCommand[]>(list(command), []),
  destinations: orElse<readonly Destination[]>(list(destination), []),
  backups: orElse(backups, NO_BACKUPS),
  domains: orElse<readonly Domain[]>(list(domain), []),
  resolvers: orElse(texts, noTexts),
  recoveryOrder: orElse<readonly (readonly string[])[]>(list(texts), []),
  recipients,
  deadManUrl: optionalText,
  checks: orElse<readonly WatchedTarget[]>(list(openObject('name', 'kind')), []),
  divergenceMinutes: orElse(number(0, 1440), 15),
  costs: orElse<readonly Cost[]>(list(object<Cost>({ name: text, monthly: number(0, 1_000_000) })), []),
  sshKeys: orElse<readonly SshKey[]>(list(sshKey), []),
  keyCopies: orElse<readonly KeyCopy[]>(list(object<KeyCopy>({ name: text, host: text, path: text })), []),
  keyCanary: optionalText,
  packageOwners: orElse(texts, noTexts),
  sender: optionalText,
  approvers: orElse<readonly Approver[]>(list(approver), []),
  automatic: orElse(automatic, forEach(CHANGES, noTexts)),
  git: orElse(git, noGit),
  rotations: orElse<readonly Rotation[]>(list(rotation), []),
  terraform: orElse<readonly TerraformProject[]>(list(terraform), []),
  ansible: orElse<readonly AnsiblePlaybook[]>(list(ansible), []),
});

/** The inventory as flows may trust it; everything that is wrong with it is told at once. */
export function parseInventory(value: unknown): Inventory {
  const mistakes: string[] = [];
  const found = inventory(value, '', mistakes);
  // Names that could not be read would only be missed once more.
  if (mistakes.length === 0) mistakes.push(...referenceMistakes(found));
  if (mistakes.length > 0) throw inventoryWrong(mistakes);
  return found;
}

/** Where a secret is. Whatever else stands there may be the secret itself, so it is not repeated. Empty: none. */
function reference(value: unknown, place: string, mistakes: string[]): string {
  if (value === '') return '';
  try {
    parseReference(typeof value === 'string' ? value : '');
    return String(value).trim();
  } catch {
    mistakes.push(`${place} must be a reference like credential:NAME, never the secret itself`);
    return '';
  }
}

function references(value: unknown, place: string, mistakes: string[]): Readonly<Record<string, string>> {
  if (!isObject(value)) mistakes.push(`${place} must be an object of names and references`);
  const given = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(given.map(([name, each]) => [name, reference(each, `${place}.${name}`, mistakes)]));
}

export function inventoryWrong(mistakes: readonly string[]): Failure {
  return new Failure({
    code: 'inventory_wrong',
    subject: 'inventory',
    message: `The inventory has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}: ${mistakes.join('; ')}`,
    nextStep: 'Open the flow "Inventory", correct it in the node "Estate", and run it by hand.',
    details: { mistakes },
  });
}
