import { isFailure } from '../../failure';
import { connectPostgres } from '../../postgres/connection';
import { addressOf, overStream, secretsOf, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { Wrong, type StreamProbe } from './probe';

export interface PostgresTarget extends Address {
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  readonly tls?: { readonly serverName: string; readonly ca?: string };
  /** It must be a primary that takes changes. */
  readonly writable: boolean;
  /** A standby may be behind by this much. */
  readonly maxLagSeconds?: number;
}

/**
 * An idle primary sends nothing, and what was replayed last grows old without anything being late. So a standby that has
 * replayed all that it received is level, as long as it still receives.
 */
const STANDING = `
select pg_is_in_recovery() as standby,
  current_setting('transaction_read_only') as "readOnly",
  exists (select from pg_stat_wal_receiver) as receives,
  pg_last_wal_receive_lsn() is not distinct from pg_last_wal_replay_lsn() as level,
  extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as age
`;

/** Lets in, and is what it should be: a primary that takes changes, or a standby that keeps up. */
export const postgres: StreamProbe<PostgresTarget> = {
  kind: 'postgres',
  talk: async (stream, target, signal) => {
    const { database, user, password, tls, writable, maxLagSeconds } = target;
    const task = { signal, progress: () => undefined, owner: 'health' };
    const at = { open: () => Promise.resolve(stream) };
    try {
      const connection = await connectPostgres({ name: 'it', database, user, password, at, tls }, task);
      const [standing] = await connection.query(STANDING);
      const standby = standing?.standby === true;
      if (writable) {
        if (standby) throw new Wrong('it is a standby and takes no changes');
        if (standing?.readOnly === 'on') throw new Wrong('it is read-only');
        // Takes a number for a change, which is written down; a full disk refuses.
        await connection.query('select txid_current()');
      }
      const lag = lagOf(standing ?? {});
      if (maxLagSeconds !== undefined) {
        if (!standby) throw new Wrong('it is no standby');
        if (lag === undefined) throw new Wrong('it is a standby that receives nothing');
        if (lag > maxLagSeconds) throw new Wrong(`it is ${Math.round(lag)} s behind`);
      }
      // Not waited for: the look is over, and its stream goes with it.
      connection.close().catch(() => undefined);
      return standby
        ? `it answers as a standby${lag === undefined ? '' : `, ${Math.round(lag)} s behind`}`
        : 'it answers';
    } catch (error) {
      if (isFailure(error)) throw new Wrong(error.message);
      throw error;
    }
  },
};

function lagOf({ receives, level, age }: Readonly<Record<string, unknown>>): number | undefined {
  if (receives === true && level === true) return 0;
  if (receives !== true) return undefined;
  return typeof age === 'number' ? age : 0;
}

export const postgresKind: Kind = overStream(postgres, (fields) => {
  const address = addressOf(fields, 5432);
  const database = fields.text('database') ?? 'postgres';
  const user = fields.needText('user');
  const secrets = secretsOf(fields, 'password');
  const encrypt = fields.flag('tls') ?? false;
  const serverName = fields.text('serverName') ?? address.host;
  const authority = fields.text('authority');
  const writable = fields.flag('writable') ?? false;
  const maxLagSeconds = fields.number('maxLagSeconds', 0, 1e9);
  if (writable && maxLagSeconds !== undefined)
    throw fields.refuse('maxLagSeconds', 'is for a standby, which is not writable');
  return {
    secrets,
    target: ({ password }: Secrets) => ({
      ...address,
      database,
      user,
      ...(password !== undefined && { password }),
      ...(encrypt && { tls: { serverName, ...(authority !== undefined && { ca: authority }) } }),
      writable,
      ...(maxLagSeconds !== undefined && { maxLagSeconds }),
    }),
  };
});
