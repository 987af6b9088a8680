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

/** `fact` lines and `count` lines with the query for each table; only tables that a snapshot holds still can be counted. */
export const LIST_MYSQL_COUNTS = `
SELECT concat('fact "server":', substring_index(version(), '.', 1) * 10000 + substring_index(substring_index(version(), '.', 2), '.', -1) * 100 + substring_index(substring_index(version(), '.', 3), '.', -1));
SELECT concat('fact "flavour":"', if(version() LIKE '%MariaDB%', 'mariadb', 'mysql'), '"');
SELECT concat('fact "charset":"', default_character_set_name, '","collation":"', default_collation_name, '"') FROM information_schema.schemata WHERE schema_name = database();
SELECT concat('fact "uncounted":[', coalesce(group_concat(json_quote(table_name) ORDER BY table_name SEPARATOR ','), ''), ']') FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB';
SELECT concat('count SELECT concat(''{"rows":'', count(*), ', quote(concat(',"schema":"main","table":', json_quote(table_name), '}')), ') FROM \`', replace(table_name, '\`', '\`\`'), '\`') FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' AND engine = 'InnoDB' ORDER BY table_name;
`.trim();
