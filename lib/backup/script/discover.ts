import { privately } from './prelude';
import { REACH } from './reach';

/** Prints each name with a NUL behind it, and `end` last. For MariaDB and MySQL the first is which of them it is. */
export const LIST_DATABASES = privately(`${REACH}
main() {
  read_plan
  work=$private
  [ -n "$work" ] || { work=$(mktemp -d -- /tmp/selfhost-list.XXXXXXXX) || refuse '/tmp cannot be written'; trap 'rm -rf -- "$work"' EXIT; }
  local kind=\${P[source.0.kind]}
  hide_password 0
  if [ "$kind" = postgres ]; then
    postgres_reach 0 postgres
    alone 0 psql -XAtqw0 -v ON_ERROR_STOP=1 --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname COLLATE \\"C\\"" || exit
  else
    mysql_reach 0
    named mariadb 0
    alone 0 "$REPLY" "\${mysql_words[@]}" --batch --raw --skip-column-names --execute="SELECT if(version() LIKE '%MariaDB%', 'mariadb', 'mysql'); SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY schema_name" > "$work/names" || exit
    tr '\\n' '\\0' < "$work/names"
  fi
  printf 'end\\0'
}
main
`);

/** Arguments: a folder, and paths below it that are left out. Prints paths below it, each with a NUL, and \`end\` last. */
export const LIST_SQLITE = `
export LC_ALL=C
cd -- "$1" || exit
shift
prune=()
for path in "$@"; do prune+=(-path "./$path" -prune -o); done
while IFS= read -r -d '' file; do
  magic=
  IFS= read -r -d '' -n 15 magic < "$file" 2>/dev/null
  [ "$magic" = 'SQLite format 3' ] && printf '%s\\0' "\${file#./}"
done < <(find . -xdev "\${prune[@]}" -type f -size +0 -not -name '.selfhost-copy.*' -print0)
printf 'end\\0'
`;
