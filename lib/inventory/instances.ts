import type { Inventory, ThisN8n } from './inventory';

/**
 * The n8n of an estate. They take turns by their names, and know themselves by their addresses: two that could be taken
 * for one would both act.
 */
export function instanceMistakes({ instances, hosts, services }: Inventory): readonly string[] {
  const found: string[] = [];
  if (instances.length > 2) found.push('instances: there can be two, the one that works and its sentinel');
  const [first, second] = instances;
  if (first !== undefined && second !== undefined) {
    if (first.name === second.name) found.push(`both n8n are called "${first.name}"`);
    if (first.host === second.host) found.push(`both n8n are on ${first.host}: neither would see it go`);
    const [one, other] = [first, second].map(({ url }) => `${url.replace(/\/+$/, '')}/`.toLowerCase());
    if (one !== undefined && other !== undefined && (one.startsWith(other) || other.startsWith(one))) {
      found.push('both n8n have the same address: neither would know which it is');
    }
  }
  for (const { name, host, url, health, service } of instances) {
    if (!/^[^\s=]{1,100}$/.test(name))
      found.push(`instances: "${name}" is no name; use one without spaces, like n8n-bruno`);
    if (!hosts.some((one) => one.name === host)) found.push(`n8n ${name}, host: "${host}" is none of the hosts`);
    for (const one of [url, ...(health === '' ? [] : [health])]) {
      if (!/^https?:\/\/[^\s/]/.test(one)) found.push(`n8n ${name}: "${one}" is no address of a web page`);
    }
    if (service === '') continue;
    const moved = services.find((one) => one.name === service);
    if (moved === undefined) found.push(`n8n ${name}, service: "${service}" is none of the services`);
    else if (moved.host !== host) found.push(`n8n ${name} is on ${host}, and the service ${service} on ${moved.host}`);
    else if (moved.standby === '' || moved.project === '') {
      found.push(`n8n ${name}: the service ${service} needs a standby and a project to be moved there`);
    }
  }
  return found;
}

/**
 * Which of them is asking, by its public address. Not by a name that somebody has to change in a copy of the inventory:
 * forgotten, both would go by it, and each would go on with the turn of the other.
 */
export function thisN8n({ instances, n8n }: Pick<Inventory, 'instances' | 'n8n'>, address: string): ThisN8n {
  if (instances.length === 0) return n8n;
  const own = `${address.toLowerCase()}/`;
  const found = instances.find(({ url }) => own.startsWith(`${url.replace(/\/+$/, '').toLowerCase()}/`));
  // Without a name no turn can be taken.
  return found === undefined ? { name: '', host: '' } : { name: found.name, host: found.host };
}
