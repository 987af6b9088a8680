import type { Inventory } from './inventory';

/** Clusters and drills that lead nowhere, or that two parts of the inventory would move to and fro. */
export function clusterMistakes({ hosts, clusters, domains, drills }: Inventory): readonly string[] {
  const found: string[] = [];
  const isHost = (name: string) => hosts.some((host) => host.name === name);
  const twice = (names: readonly string[]) => new Set(names.filter((name, index) => names.indexOf(name) !== index));
  for (const name of twice(clusters.map((cluster) => cluster.name))) found.push(`two clusters are called "${name}"`);
  for (const name of twice(drills.map((drill) => drill.name))) found.push(`two drills are called "${name}"`);
  for (const name of twice(clusters.flatMap(({ names }) => names))) found.push(`two clusters want the name ${name}`);
  for (const { name, members, preferred, backupMember, names, routes, powerOff, stanza } of clusters) {
    const known = members.map((member) => member.name);
    if (members.length === 0) found.push(`cluster ${name} has no members`);
    for (const member of twice(known)) found.push(`cluster ${name}: two members are called "${member}"`);
    for (const one of [preferred, backupMember].filter((text) => text !== '')) {
      if (!known.includes(one)) found.push(`cluster ${name}: "${one}" is none of its members`);
    }
    for (const { name: member, host = member } of members) {
      const on = hosts.find((each) => each.name === host);
      if (on === undefined)
        found.push(
          `cluster ${name}, member ${member}: "${typeof host === 'string' ? host : '?'}" is none of the hosts`,
        );
      else if (powerOff && on.server === '') {
        found.push(`cluster ${name}: ${on.name} has no "server" by which its power could be cut`);
      }
    }
    for (const each of names) {
      const zone = domains.find((domain) => each === domain.zone || each.endsWith(`.${domain.zone}`));
      if (zone === undefined) found.push(`cluster ${name}: ${each} is in none of the zones`);
      else if (zone.names.some((one) => one.name === each)) {
        found.push(
          `cluster ${name}: ${each} follows its primary, and stands as the name of a host in ${zone.zone}, too`,
        );
      }
    }
    for (const { host, kind, databases } of routes) {
      if (!isHost(host)) found.push(`cluster ${name}, routes: "${host}" is none of the hosts`);
      if (kind === 'pgbouncer' && databases.length === 0) {
        found.push(`cluster ${name}: PgBouncer on ${host} needs its databases`);
      }
    }
    if (stanza === '' && drills.some((drill) => drill.kind === 'pgbackrest' && drill.of === name)) {
      found.push(`cluster ${name} has a drill of its backups, and no stanza`);
    }
  }
  for (const { name, kind, of } of drills) {
    const about = kind === 'switchover' || kind === 'pgbackrest';
    if (about && !clusters.some((cluster) => cluster.name === of)) {
      found.push(`drill ${name}, of: "${of}" is none of the clusters`);
    }
  }
  return found;
}
