import { randomBytes } from 'node:crypto';
import { Failure } from '../failure';
import type { Command, RunAs } from './command';
import { describeHost, type Host } from './host';

/**
 * The one text that is ever sent as an SSH exec request. It is constant: everything that varies comes on standard
 * input as NUL-terminated fields, so no login shell, whatever it is, gets to interpret it. What follows the fields is
 * the command's own input.
 *
 * It runs once as the login user; to become somebody else it starts itself again under sudo, and that second run reads
 * the remaining fields. A password goes through `sudo -v` first, because with NOPASSWD a piped password would become
 * the command's input. Then it says who it is (`mark group start`, the first line of standard output that counts; a
 * chatty login script may have written before it) and turns into the command.
 *
 * No single quotes and no line ends may stand in it: it travels inside single quotes through fish, csh and sh alike.
 */
const LAUNCHER = [
  '_c=${LC_ALL-}; LC_ALL=C',
  '_f() { IFS= read -r -d "" "$1" || { echo "selfhost: input ended early" >&2; exit 125; }; }',
  // Fields of a /proc stat line behind the name, which may hold anything: state ppid pgrp session ... starttime is [19].
  '_p() { read -r _l < "/proc/$1/stat" || exit 125; _s=(${_l##*) }); }',
  '_a=(bash --noprofile --norc -c "$BASH_EXECUTION_STRING")',
  // A server that gives a command no process group of its own would be ended together with it.
  '_p self; if [ "$0" = selfhost ]; then [ "${_s[2]}" = "$$" ] || exec setsid -w "${_a[@]}" selfhost; _f _w; _f _u; _f _k',
  'case $_w in' +
    ' passwordless) exec sudo -n -u "$_u" -- "${_a[@]}" selfhost-as ;;' +
    ' password) printf "%s\\n" "$_k" | sudo -S -p "" -v || exit 125; unset _k;' +
    ' sudo -n -u "$_u" -- "${_a[@]}" selfhost-as; exit ;;' +
    ' esac; fi',
  '_f _m; _f _k; _f _t; _f _d; _f _n',
  '_e=(); for ((; _n > 0; _n--)); do _f _i; _e+=("$_i"); done; _f _n',
  '_a=(); for ((; _n > 0; _n--)); do _f _i; _a+=("$_i"); done',
  'if [ -n "$_d" ]; then cd -- "$_d" || exit 125; fi',
  '_n=${_s[2]}; _p "$_n"; printf "%s %s %s\\n" "$_m" "$_n" "${_s[19]}"',
  '[ "$_k" = argv ] || exec 3< <(printf %s "$_t")',
  '_x=(); [ "$_k" = careful ] && _x=(-eu -o pipefail)',
  'if [ -n "$_c" ]; then LC_ALL=$_c; else unset LC_ALL; fi',
  'for _i in "${_e[@]}"; do export -- "$_i"; done',
  '[ "$_k" = argv ] && exec -- "${_a[@]}"',
  'exec bash --noprofile --norc "${_x[@]}" /dev/fd/3 "${_a[@]}"',
].join('; ');

export const EXEC_STRING = `exec bash --noprofile --norc -c '${LAUNCHER}' selfhost`;

export interface Launch {
  /** Begins the line by which the launcher says who it is. */
  readonly mark: string;
  /** What is written to standard input before the command's own input. */
  readonly header: Buffer;
}

export function launchOf(host: Host, command: Command): Launch {
  const mark = randomBytes(12).toString('hex');
  const fields = [...become(host, command.runAs), mark, ...commandFields(host, command)];
  return { mark, header: Buffer.from(fields.map((field) => `${field}\0`).join('')) };
}

/** The launcher's fields kind, script, directory, environment, arguments; whoever runs commands later keeps them. */
export function commandFields(host: Host, command: Command): string[] {
  const environment = Object.entries(command.environment ?? {});
  const isScript = 'script' in command;
  const list = isScript ? (command.arguments ?? []) : command.argv;
  const badName = environment.find(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))?.[0];
  if (badName !== undefined) {
    const why = `"${badName}" is not a name for an environment variable`;
    throw unusable(host, why, 'Use letters, digits and underscores.');
  }
  if (!isScript && command.argv[0].trim() === '') {
    throw unusable(host, 'the command is empty', 'Name the program to run.');
  }
  const fields = [
    isScript ? (command.strict === false ? 'script' : 'careful') : 'argv',
    isScript ? command.script : '',
    command.directory ?? '',
    String(environment.length),
    ...environment.map(([name, value]) => `${name}=${value}`),
    String(list.length),
    ...list,
  ];
  if (fields.some((field) => field.includes('\0'))) {
    const why = 'an argument holds a NUL character, which no program can be given';
    throw unusable(host, why, 'Send binary data as input instead.');
  }
  return fields;
}

/** The launcher's fields way, user, password. */
function become(host: Host, runAs: RunAs = host.identity.sudo.mode === 'none' ? 'login' : 'root'): string[] {
  const { identity } = host;
  const user = typeof runAs === 'object' ? runAs.user : runAs === 'root' ? 'root' : identity.user;
  if (runAs === 'login' || user === identity.user) return ['', '', ''];
  switch (identity.sudo.mode) {
    case 'passwordless':
      return ['passwordless', user, ''];
    case 'password':
      return ['password', user, identity.sudo.password];
    case 'none':
      // Root may become anybody without a password.
      if (identity.user === 'root') return ['passwordless', user, ''];
      throw new Failure({
        code: 'sudo_not_configured',
        subject: describeHost(host),
        message: `The command should run as ${user}, but the credential logs in as ${identity.user} and has no sudo mode`,
        nextStep: 'Choose a sudo mode in the Host credential, or log in as that user.',
      });
  }
}

function unusable(host: Host, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'command_unusable',
    subject: describeHost(host),
    message: `The command for ${describeHost(host)} cannot be run: ${why}`,
    nextStep,
  });
}
