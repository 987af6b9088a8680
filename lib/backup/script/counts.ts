/** One JSON object a table, in an order that does not depend on the server. Tables of extensions are not in a dump. */
export const COUNT_POSTGRES = `
SELECT format('SELECT %L || count(*) || %L FROM ONLY %I.%I', '{"rows":', ',"schema":' || to_json(n.nspname::text)::text || ',"table":' || to_json(c.relname::text)::text || '}', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" \\gexec
`.trim();

/** Writes the queries; a second sqlite3 runs them. Virtual tables may need extensions that are not here. */
export const COUNT_SQLITE = `
SELECT 'SELECT ''{"rows":'' || count(*) || '',"schema":"main","table":'' || ' || quote(json_quote(name)) || ' || ''}'' FROM main."' || replace(name, '"', '""') || '";'
FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name;
`.trim();
