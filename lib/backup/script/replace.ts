import { COUNT_POSTGRES } from './counts';
import { privately } from './prelude';
import { REACH } from './reach';

const OPENING = `${REACH}
say() { printf '%s\\n' "$*"; }
work=

begin() {
  read_plan
  make_private
  hide_password 0
  work=$private/replace
  mkdir -- "$work" || refuse "$private cannot be written"
  trap 'rm -rf -- "$work"; case $private in */selfhost-private.*) rm -rf -- "$private" ;; esac' EXIT
  database=\${P[database]}
}

# ask DATABASE: runs the SQL of standard input. What it complains of goes to errors. Names are its variables, never its text.
ask() {
  postgres_reach 0 "$1"
  { secret_lines 0; cat; } | "\${reach[@]}" psql -XAtqw -v ON_ERROR_STOP=1 -v "live=$database" -v "next=\${P[next]-}" -v "before=\${P[before]-}" -v "oid=\${P[oid]-0}" 2>> "$work/errors"
}

complaint() { REPLY=$(grep -v '^NOTICE' "$work/errors" | tail -n 3 | tr -cd '\\n -~' | tr '\\n' ' ' | head -c 400); }
`;

/** What a database is now: one \`report\` with its facts, its rows unless they are not wanted. Nothing is changed. */
export const LOOK_AT_DATABASE = privately(`${OPENING}
main() {
  begin
  local facts tables= uncounted=null room=null
  facts=$(ask postgres <<'SQL'
SELECT json_build_object(
  'there', d.oid IS NOT NULL, 'oid', d.oid::bigint, 'standby', pg_is_in_recovery(), 'system', (SELECT system_identifier::text FROM pg_control_system()),
  'bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
  'connections', (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend'),
  'slots', (SELECT count(*) FROM pg_replication_slots s WHERE s.database = d.datname),
  'prepared', (SELECT count(*) FROM pg_prepared_xacts x WHERE x.database = d.datname),
  'leftovers', (SELECT coalesce(json_agg(json_build_object('name', o.datname, 'bytes', pg_database_size(o.oid)) ORDER BY o.datname), '[]') FROM pg_database o
    WHERE left(o.datname, -14) = left(:'live', 40) || '_next_' AND right(o.datname, 14) ~ '^[0-9]{14}$'))
FROM (SELECT 1) one LEFT JOIN pg_database d ON d.datname = :'live' AND NOT d.datistemplate;
SQL
) || { complaint; refuse "the server could not be asked about $database: $REPLY"; }
  if [ -n "\${P[count]-}" ]; then
    if ask "$database" > "$work/tables" <<'SQL'
SET row_security = off;
${COUNT_POSTGRES}
SQL
    then tables=$(grep '^{' "$work/tables" | paste -sd ,)
    else complaint; json "\${REPLY:-no reason was given}"; uncounted=$REPLY
    fi
  fi
  look_for_room
  printf 'report {"database":%s,"tables":[%s],"uncounted":%s,"room":%s}\\n' "$facts" "$tables" "$uncounted" "$room"
}

# room: the bytes that are free where a copy of the database would lie; null where it is not known, as for a server elsewhere.
look_for_room() {
  local place
  [ -n "\${P[source.0.container]-}" ] || case \${P[source.0.address]-} in '' | /*) ;; *) return ;; esac
  place=$(ask postgres <<'SQL'
SELECT coalesce(nullif(pg_tablespace_location(d.dattablespace), ''), CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END) FROM pg_database d WHERE d.datname = :'live';
SQL
) && [ -n "$place" ] || return
  postgres_reach 0 postgres
  place=$(alone 0 df -Pk -- "$place" 2>/dev/null | awk 'NR == 2 { for (k = 2; k <= NF; k++) if ($k ~ /^[0-9]+%$/) { print $(k - 1); exit } }')
  case $place in '' | *[!0-9]*) ;; *) room=$((place * 1024)) ;; esac
}
main
`);

/**
 * Puts one database in the place of another, in one transaction: who is killed in the middle has changed nothing. The
 * old one keeps everything under its new name. Nobody is let in meanwhile: the lock of the first renaming holds those back
 * who come, and those who are in it are sent away.
 */
export const SWAP_DATABASE = privately(`${OPENING}
main() {
  begin
  send_away & local away=$!
  if ask postgres > "$work/said" <<'SQL'
SELECT set_config('lock_timeout', '30s', false);
BEGIN;
SELECT set_config('selfhost.live', :'live', true), set_config('selfhost.oid', :'oid', true);
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('selfhost.live') AND oid = current_setting('selfhost.oid')::oid) THEN
    RAISE EXCEPTION 'it is another database by now';
  END IF;
END $$;
ALTER DATABASE :"live" RENAME TO :"before";
ALTER DATABASE :"next" RENAME TO :"live";
COMMIT;
SQL
  then wait "$away"; printf 'report {"swapped":true,"why":null}\\n'
  else
    wait "$away"
    complaint; json "\${REPLY:-no reason was given}"
    printf 'report {"swapped":false,"why":%s}\\n' "$REPLY"
  fi
}

# By its number, so that whoever is in the new database stays there.
send_away() {
  local k
  trap - EXIT
  for ((k = 0; k < 25; k++)); do
    cat <<'SQL'
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datid = :oid AND pid <> pg_backend_pid();
SELECT NOT EXISTS (SELECT FROM pg_database WHERE oid = :oid AND datname = :'live') AS over \\gset
\\if :over
\\q
\\endif
SELECT pg_sleep(0.2);
SQL
  done | ask postgres > /dev/null 2>&1
}
main
`);

/** Takes away a database that was made for this, with whoever still fills it, and never another. */
export const DROP_NEXT = privately(`${OPENING}
main() {
  begin
  if ask postgres > /dev/null <<'SQL'
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :'next' AND pid <> pg_backend_pid();
DROP DATABASE IF EXISTS :"next";
SQL
  then printf 'report "gone"\\n'
  else complaint; refuse "\${P[next]} could not be taken away: $REPLY"
  fi
}
main
`);

/** Makes a database that is like another one but empty: owner, encoding, language, settings and who may use it. */
export const MAKE_ALIKE = `
SELECT format('CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L TABLESPACE %I CONNECTION LIMIT %s', :'next', pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, t.spcname, d.datconnlimit)
  || CASE to_jsonb(d)->>'datlocprovider'
    WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'))
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d)->>'datlocale')
    ELSE '' END
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = :'like' \\gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'next') FROM pg_database d WHERE d.datname = :'like' AND d.datacl IS NOT NULL
UNION ALL
SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, :'next', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = :'like' AND a.grantee <> d.datdba \\gexec
SELECT unnest(ARRAY[
  format('SELECT set_config(%L, %L, false)', split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)),
  CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I SET %s FROM CURRENT', :'next', split_part(c, '=', 1))
    ELSE format('ALTER ROLE %I IN DATABASE %I SET %s FROM CURRENT', pg_get_userbyid(s.setrole), :'next', split_part(c, '=', 1)) END,
  format('RESET %s', split_part(c, '=', 1))])
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE d.datname = :'like' \\gexec
`.trim();
