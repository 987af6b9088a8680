import { Failure } from '../failure';
import {
  type Approver,
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
  type EstateHost,
  type Folder,
  type Inventory,
  type Lane,
  LANES,
  PROVIDERS,
  type Recipient,
  type Service,
} from './inventory';
import { address, list, number, object, oneOf, openObject, optionalText, orElse, text, toggle, variant } from './read';
import { referenceMistakes } from './references';

const texts = list(text);
const noTexts: readonly string[] = [];

const host = object<EstateHost>({
  name: text,
  address,
  port: orElse(number(1, 65_535), 22),
  provider: oneOf(PROVIDERS),
  role: optionalText,
  server: optionalText,
});

const service = object<Service>({
  name: text,
  host: text,
  standby: optionalText,
  project: optionalText,
  url: optionalText,
  repository: optionalText,
  branch: orElse(text, 'main'),
  paths: orElse(texts, noTexts),
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
});

const folder = object<Folder>({ name: text, host: text, path: text, excludes: orElse(texts, noTexts) });

const destination = object<Destination>({ name: text, remote: text, provider: oneOf(PROVIDERS), host: optionalText });

const terraform = object<TerraformFile>({ repository: text, branch: orElse(text, 'main'), file: text });

const domain = object<Domain>({
  zone: text,
  at: oneOf(['cloudflare', 'hetzner']),
  owner: oneOf(['n8n', 'terraform']),
  names: list(object<DomainName>({ name: text, host: text, proxied: orElse(toggle, false) })),
  rdap: optionalText,
  // What this has read once can be read again.
  terraform: orElse<TerraformFile | null>(
    (value, place, mistakes) => (value === null ? null : terraform(value, place, mistakes)),
    null,
  ),
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

const sshKey = object<SshKey>({ name: text, fingerprint: text, hosts: orElse(texts, noTexts) });

const forEach = <Name extends string, Value>(names: readonly Name[], value: Value) =>
  Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Value>;

const recipients = object<Record<Lane, readonly Recipient[]>>(
  forEach(LANES, orElse<readonly Recipient[]>(list(recipient), [])),
);
const automatic = object<Record<Change, readonly string[]>>(forEach(CHANGES, orElse(texts, noTexts)));

const inventory = object<Inventory>({
  estate: text,
  timezone: text,
  hosts: list(host),
  services: orElse<readonly Service[]>(list(service), []),
  databases: orElse<readonly Database[]>(list(database), []),
  folders: orElse<readonly Folder[]>(list(folder), []),
  destinations: orElse<readonly Destination[]>(list(destination), []),
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

export function inventoryWrong(mistakes: readonly string[]): Failure {
  return new Failure({
    code: 'inventory_wrong',
    subject: 'inventory',
    message: `The inventory has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}: ${mistakes.join('; ')}`,
    nextStep: 'Open the flow "Inventory", correct it in the node "Estate", and run it by hand.',
    details: { mistakes },
  });
}
