import { openSocket } from '../../host/socket';
import { selectHost } from '../../host/select';
import type { Database } from '../connection';
import type { PostgresCredential } from '../credential';
import { describeMember, type Cluster, type Member } from './cluster';

/** SQL at a member, as the login of the credential: through SSH to its own loopback, or straight to its address. */
export function databaseAt(cluster: Cluster, member: Member, credential: PostgresCredential): Database {
  const { user, password, database, reach } = credential;
  const login = { name: describeMember(cluster, member), database, user, ...(password !== '' && { password }) };
  if (reach.kind === 'direct') {
    const { encrypt, authority } = reach;
    return {
      ...login,
      at: { host: member.address, port: member.port },
      ...(encrypt && { tls: { serverName: member.address, ...(authority !== undefined && { ca: authority }) } }),
    };
  }
  const own = reach.identity && { ...selectHost(reach.identity, member.host.target.name), watchful: true };
  const host = own ?? member.host;
  return { ...login, at: { open: (task) => openSocket(host, { host: '127.0.0.1', port: member.port }, task) } };
}
