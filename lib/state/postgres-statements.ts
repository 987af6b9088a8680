import { REMEMBERED_WRITES } from './backend';

/** Set once in the table itself; no key can collide with it, because keys hold a slash. */
export const TABLE_SCHEMA_KEY = 'schema';

export const TABLE_EXISTS = `select to_regclass('selfhost_state') is not null as there`;

// The lock is there because two `create table if not exists` at the same time can still collide.
export const CREATE_TABLE = `
begin;
select pg_advisory_xact_lock(7235421880421907);
create table if not exists selfhost_state (
  key text collate "C" primary key,
  schema integer not null,
  version bigint not null,
  updated_at timestamptz not null,
  expires_at timestamptz,
  removed boolean not null default false,
  writes text[] not null default '{}',
  value text not null
);
create index if not exists selfhost_state_expiry on selfhost_state (expires_at) where expires_at is not null;
insert into selfhost_state (key, schema, version, updated_at, value)
  values ('${TABLE_SCHEMA_KEY}', 1, 1, now(), '1') on conflict (key) do nothing;
commit`;

export const READ_TABLE_SCHEMA = `select value from selfhost_state where key = '${TABLE_SCHEMA_KEY}'`;

const DEAD = `(s.removed or coalesce(s.expires_at <= clock_timestamp(), false))`;
const END = (ttl: string) => `clock_timestamp() + ${ttl}::double precision * interval '1 millisecond'`;
const remember = (id: string, version: string) =>
  `(array[${id}::text || ':' || (${version})::text] || s.writes)[1:${REMEMBERED_WRITES}]`;

const FIELDS = `s.key, s.schema, s.version::text as version, s.value, ${DEAD} as dead,
  to_char(s.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as updated_at,
  to_char(s.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as expires_at`;

export const READ = `select ${FIELDS} from selfhost_state s where s.key = $1`;

export const LIST = `select ${FIELDS} from selfhost_state s
  where starts_with(s.key, $1) and s.key > $2 order by s.key limit $3`;

/** Key, value, time to live in ms or null, id of the write. The first version is the time in µs, so none comes back. */
export const CREATE = `
insert into selfhost_state as s (key, schema, version, updated_at, expires_at, writes, value)
select $1, 1, c.v, clock_timestamp(), ${END('$3')}, array[$4::text || ':' || c.v::text], $2
  from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as v offset 0) c
on conflict (key) do update set
  version = greatest(excluded.version, s.version + 1), updated_at = excluded.updated_at,
  expires_at = excluded.expires_at, removed = false, value = excluded.value,
  writes = ${remember('$4', 'greatest(excluded.version, s.version + 1)')}
  where s.schema = 1 and ${DEAD}
returning s.version::text as version`;

/** Key, value, time to live in ms or null (keeps its end), id of the write, version. */
export const REPLACE = `
update selfhost_state s set
  version = s.version + 1, updated_at = clock_timestamp(), value = $2,
  expires_at = coalesce(${END('$3')}, s.expires_at), writes = ${remember('$4', 's.version + 1')}
  where s.key = $1 and s.schema = 1 and s.version = $5::bigint and not ${DEAD}
returning s.version::text as version`;

/** Key, id of the write, version or null. */
export const REMOVE = `
update selfhost_state s set
  version = s.version + 1, updated_at = clock_timestamp(), expires_at = null, removed = true, value = 'null',
  writes = ${remember('$2', 's.version + 1')}
  where s.key = $1 and s.schema = 1 and ($3::bigint is null or s.version = $3::bigint) and not ${DEAD}
returning s.version::text as version`;

/** Why a change found nothing to do: key, id of the write. */
export const LOOK = `
select ${FIELDS}, (select split_part(w, ':', 2) from unnest(s.writes) w where split_part(w, ':', 1) = $2) as written
  from selfhost_state s where s.key = $1`;

/** Age of a trace in ms. */
export const CLEAN_UP = `
with gone as (
  delete from selfhost_state s where s.schema = 1 and key <> '${TABLE_SCHEMA_KEY}' and
    (s.expires_at <= clock_timestamp()
     or (s.removed and s.updated_at < clock_timestamp() - $1::double precision * interval '1 millisecond'))
  returning s.removed)
select count(*)::int as expired from gone where not removed`;
