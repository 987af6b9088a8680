import { clusterMistakes } from './clusters';
import type { Database, Inventory, Service, ServiceData } from './inventory';
import { instanceMistakes } from './instances';

/** Names that lead nowhere, come twice, or contradict each other. */
export function referenceMistakes(inventory: Inventory): readonly string[] {
  const { hosts, services, databases, folders, commands, destinations, domains, recoveryOrder, approvers, automatic } =
    inventory;
  const { backups, rotations, terraform, ansible } = inventory;
  const found: string[] = [];
  const isHost = (place: string, name: string) => {
    if (!hosts.some((host) => host.name === name)) found.push(`${place}: "${name}" is none of the hosts`);
  };
  const unique = (what: string, names: readonly string[]) => {
    const twice = names.filter((name, index) => names.indexOf(name) !== index);
    for (const name of new Set(twice)) found.push(`two ${what} are called "${name}"`);
  };
  if (hosts.length === 0) found.push('it has no hosts');
  if (!isTimezone(inventory.timezone)) found.push(`timezone: "${inventory.timezone}" is none, as in Europe/Berlin`);
  unique(
    'hosts',
    hosts.map(({ name }) => name),
  );
  unique(
    'services',
    services.map(({ name }) => name),
  );
  // In backups they are sources side by side.
  unique(
    'databases, folders or commands',
    [...databases, ...folders, ...commands].map(({ name }) => name),
  );
  unique(
    'destinations',
    destinations.map(({ name }) => name),
  );
  unique(
    'zones',
    domains.map(({ zone }) => zone),
  );
  unique(
    'approvers',
    approvers.map(({ name }) => name),
  );
  unique(
    'rotations',
    rotations.map(({ name }) => name),
  );
  unique(
    'Terraform projects or playbooks',
    [...terraform, ...ansible].map(({ name }) => name),
  );
  for (const { name, secrets, folder, repository, project } of services) {
    if (secrets !== '' && !isFolderOfSecrets(secrets)) {
      found.push(`service ${name}, secrets: "${secrets}" is no folder of Infisical, as in homelab/prod/immich`);
    }
    if (/^\/|(^|\/)\.\.(\/|$)|\/$/.test(folder)) {
      found.push(`service ${name}, folder: "${folder}" is no path inside of the repository`);
    }
    if (repository !== '' && project !== '' && inventory.git.url === '') {
      found.push(`service ${name} has a repository, and git.url does not say where`);
    }
  }
  for (const { name, host, secrets, services: users, at, program, role } of rotations) {
    isHost(`rotation ${name}, host`, host);
    if (!isFolderOfSecrets(secrets)) found.push(`rotation ${name}, secrets: "${secrets}" is no folder of Infisical`);
    for (const user of users) {
      const service = services.find((one) => one.name === user);
      if (service === undefined) found.push(`rotation ${name}: "${user}" is none of the services`);
      else if (service.project === '') found.push(`rotation ${name}: service ${user} has no project with an .env`);
    }
    if (at === 'command' && program.length === 0) found.push(`rotation ${name}: a command needs its program`);
    if (['postgres', 'mysql'].includes(at) && role === '')
      found.push(`rotation ${name}: whose password is it? role is missing`);
  }
  for (const { name, host, directory } of [...terraform, ...ansible]) {
    isHost(`${name}, host`, host);
    if (!directory.startsWith('/')) found.push(`${name}, directory: it must be a whole path`);
  }
  for (const { name, secrets } of terraform) {
    if (secrets !== '' && !isFolderOfSecrets(secrets))
      found.push(`${name}, secrets: "${secrets}" is no folder of Infisical`);
  }
  for (const { name, host, standby } of services) {
    isHost(`service ${name}, host`, host);
    if (standby !== '') isHost(`service ${name}, standby`, standby);
    if (standby === host) found.push(`service ${name}: its standby is the host it runs on`);
  }
  for (const service of services) found.push(...dataMistakes(inventory, service));
  const { n8n } = inventory;
  // Empty is what came back from a check by an n8n that is none of the instances.
  if (!/^[^\s=]{0,100}$/.test(n8n.name))
    found.push(`n8n.name: "${n8n.name}" has to be short and without spaces, like n8n-bruno`);
  if (n8n.host !== '') isHost('n8n.host', n8n.host);
  for (const { name, powerOff, server } of hosts) {
    if (powerOff && server === '') found.push(`host ${name}: powerOff needs "server", its name at the provider`);
  }
  found.push(...instanceMistakes(inventory));
  for (const { name, server, provider, recovery } of hosts) {
    if (recovery === null) continue;
    if (provider !== 'hetzner' || server === '')
      found.push(
        `host ${name}, recovery: only a server of Hetzner can be ordered anew, and "server" says which it was`,
      );
    for (const one of recovery.notInDrills) {
      if (!services.some((service) => service.name === one))
        found.push(`host ${name}, recovery: "${one}" is none of the services`);
    }
  }
  for (const { name, host, container, service } of databases) {
    if (service === '') continue;
    const user = services.find((one) => one.name === service);
    if (user === undefined) found.push(`database ${name}: "${service}" is none of the services`);
    else if (user.host !== host) found.push(`database ${name}: service ${service} runs on another host`);
    else if (container === '') found.push(`database ${name}: it has no container that service ${service} could bring`);
  }
  for (const { name, kind, host, replica, database, container } of databases) {
    isHost(`database ${name}, host`, host);
    if (replica !== '') isHost(`database ${name}, replica`, replica);
    if (replica === host) found.push(`database ${name}: its replica is the host it runs on`);
    if (kind === 'sqlite' && !database.startsWith('/'))
      found.push(`database ${name}: a SQLite file needs its whole path`);
    if (kind === 'sqlite' && container !== '') found.push(`database ${name}: a SQLite file is read from the host`);
  }
  found.push(...clusterMistakes(inventory));
  for (const { name, host, path, to } of folders) {
    isHost(`folder ${name}, host`, host);
    if (!path.startsWith('/')) found.push(`folder ${name}: its path must be a whole one`);
    for (const one of to) {
      if (!destinations.some((each) => each.name === one))
        found.push(`folder ${name}, to: "${one}" is none of the destinations`);
    }
  }
  for (const { name } of [...databases, ...folders, ...commands]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._/@-]*$/.test(name))
      found.push(`"${name}" is no name for what is backed up; use letters, digits and . _ / @ -`);
  }
  for (const { name, host, argv } of commands) {
    isHost(`command ${name}, host`, host);
    if (argv.length === 0) found.push(`command ${name} has no program`);
  }
  const { kit } = backups;
  if (kit.host !== '') {
    isHost('backups.kit, host', kit.host);
    if (kit.recipients.length === 0) found.push('backups.kit: nobody could open it, it has no recipients');
    if (kit.places.length === 0) found.push('backups.kit: it has no places');
  }
  for (const { name, remote } of kit.places) {
    if (!isRemote(remote)) found.push(`place ${name} of the kit: "${remote}" is no remote, as in storagebox:recovery`);
  }
  for (const { name, host, remote } of destinations) {
    if (host !== '') isHost(`destination ${name}, host`, host);
    if (!isRemote(remote)) found.push(`destination ${name}: "${remote}" is no remote, as in storagebox:backups`);
  }
  for (const { name, addressFrom } of hosts) {
    const places = addressFrom.map((url) => (URL.canParse(url) ? new URL(url).hostname : ''));
    if (places.some((place) => place === '')) found.push(`host ${name}, addressFrom: one is no address of a web page`);
    else if (places.length > 0 && new Set(places).size < 2)
      found.push(`host ${name}, addressFrom: one source is not enough, name two that do not know of each other`);
  }
  for (const { zone, names } of domains) {
    unique(
      `names of ${zone}`,
      names.map(({ name }) => name),
    );
    for (const { name, host } of names) {
      isHost(`domain ${name}, host`, host);
      if (name !== zone && !name.endsWith(`.${zone}`)) found.push(`domain ${name} is not in the zone ${zone}`);
    }
  }
  for (const { name, url, open, inside } of services) {
    for (const one of [...open, inside].filter((text) => text !== '')) {
      if (!/^https?:\/\//.test(one)) found.push(`service ${name}: "${one}" is no address of a web page`);
    }
    if (inside !== '' && url === '') found.push(`service ${name}: "inside" is compared with its url, and it has none`);
  }
  for (const { zone, owner, terraform } of domains) {
    if (owner === 'n8n' && terraform !== null)
      found.push(`zone ${zone}: its owner is n8n, and it has a terraform file`);
    if (terraform !== null && !terraform.file.endsWith('.json'))
      found.push(`zone ${zone}, terraform: "${terraform.file}" is no JSON, which is what a change can be proposed in`);
  }
  unique(
    'checks',
    inventory.checks.map(({ name }) => name),
  );
  unique(
    'copies of the key',
    inventory.keyCopies.map(({ name }) => name),
  );
  for (const { name, host, path } of inventory.keyCopies) {
    isHost(`key copy ${name}, host`, host);
    if (!path.startsWith('/')) found.push(`key copy ${name}: its path must be a whole one`);
  }
  if (!/^([0-9a-f]{2})*$/.test(inventory.keyCanary)) found.push('keyCanary: it is not hexadecimal');
  for (const { name, fingerprint, hosts: places } of inventory.sshKeys) {
    if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint)) {
      found.push(`SSH key ${name}: "${fingerprint}" is no fingerprint, as ssh-keygen -l shows it`);
    }
    for (const host of places) isHost(`SSH key ${name}, host`, host);
  }
  const isService = (name: string) => services.some((service) => service.name === name);
  for (const name of recoveryOrder.flat()) {
    if (!isService(name)) found.push(`recoveryOrder: "${name}" is none of the services`);
  }
  unique('steps of the recovery order', recoveryOrder.flat());
  const known = new Set([
    ...[...hosts, ...services, ...databases, ...inventory.clusters, ...folders, ...destinations].map(
      ({ name }) => name,
    ),
    ...domains.map(({ zone }) => zone),
    ...rotations.map(({ name }) => name),
    ...inventory.packageOwners,
  ]);
  for (const [change, names] of Object.entries(automatic)) {
    for (const name of names) {
      if (!known.has(name))
        found.push(
          `automatic.${change}: "${name}" is no host, service, database, folder, destination, zone, rotation or owner of packages`,
        );
    }
  }
  const byEmail = Object.values(inventory.recipients).some((all) => all.some(({ by }) => by === 'email'));
  if (byEmail && inventory.sender === '') found.push('sender: e-mails have to come from somewhere');
  if (inventory.recipients.critical.length === 0) found.push('recipients.critical: nobody hears of the worst');
  return found;
}

/** What a service could not be given back on its standby. */
function dataMistakes(
  { databases, folders, domains }: Inventory,
  { name, host, standby, project, data, names }: Service,
): readonly string[] {
  const found: string[] = [];
  if (standby !== '' && standby !== host && project === '')
    found.push(`service ${name} has a standby and no project, so nothing can be started there`);
  for (const one of data) {
    const at = `service ${name}, data ${one.name}`;
    const source = [...databases, ...folders].find((each) => each.name === one.name);
    if (source === undefined) found.push(`${at}: it is none of the databases and folders`);
    else if (source.host !== host) found.push(`${at}: it lies on ${source.host}, and the service runs on ${host}`);
    if (one.to !== '' && !one.to.startsWith('/')) found.push(`${at}: "to" must be a whole path`);
    found.push(
      ...databases.filter((each) => each.name === one.name).flatMap((each) => databaseMistakes(at, each, one)),
    );
  }
  for (const one of names) {
    if (!domains.some((domain) => domain.names.some((each) => each.name === one)))
      found.push(`service ${name}, names: "${one}" is in none of the domains`);
  }
  return found;
}

function databaseMistakes(at: string, database: Database, data: ServiceData): readonly string[] {
  const { kind, container, database: which } = database;
  if (kind === 'redis' || kind === 'mariadb') return [`${at}: a ${kind} is restored by hand; leave it out`];
  if (which === '' || which.endsWith('/')) return [`${at}: only one database with a name is restored, not all of them`];
  if (kind === 'postgres' && (container === '' || data.start === ''))
    return [`${at}: needs its container, and "start": the Compose service it is in`];
  return [];
}

/** Project, environment and, where it is not the top, the folder. */
function isFolderOfSecrets(text: string): boolean {
  return /^[\w-]+(\/[\w-]+)+$/.test(text);
}

function isRemote(text: string): boolean {
  return /^[\w. -]+:/.test(text);
}

function isTimezone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
