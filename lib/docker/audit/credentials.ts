const SECRET_NAME = /(PASS(WORD|WD|PHRASE)?|SECRET|TOKEN|API_?KEY|SECRET_?KEY)$/i;
/** What documentation and examples print, and so what is tried first. */
const KNOWN =
  /^(|admin|administrator|change[_-]?(me|it|this)|default|demo|example|guest|letmein|minioadmin|mysql|pass|passw(or)?d1?|postgres|qwerty|redis|root|secret|test|toor|user|your[_-]?(password|secret)|1234(5(6(78?9?)?)?)?)$/i;
const NO_PASSWORD = [
  ['POSTGRES_HOST_AUTH_METHOD', /^trust$/i],
  [/^M(YSQL|ARIADB)_ALLOW_EMPTY_(ROOT_)?PASSWORD$/i, /^(1|true|yes)$/i],
] as const;

/** Names of the variables by which anybody could get in. Their values go no further. */
export function openDoors(environment: readonly (readonly [string, string])[]): readonly string[] {
  const user = new Map(environment.filter(([name]) => /USER(NAME)?$/i.test(name)));
  return environment
    .filter(([name, value]) => {
      if (
        NO_PASSWORD.some(
          ([known, open]) => (typeof known === 'string' ? known === name : known.test(name)) && open.test(value),
        )
      )
        return true;
      if (!SECRET_NAME.test(name) || /(_FILE|_PATH)$/i.test(name)) return false;
      const sameAsUser = [...user].some(
        ([other, login]) =>
          login !== '' && login === value && other.replace(/USER(NAME)?$/i, '') === name.replace(SECRET_NAME, ''),
      );
      return sameAsUser || (value !== '' && KNOWN.test(value.trim()));
    })
    .map(([name]) => name);
}
