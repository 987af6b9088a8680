import { Failure, isFailure } from '../../failure';
import type { RunAs } from '../command';
import type { Host } from '../host';
import { describeFile } from './path';

/** One operation on one file, as its errors tell it. */
export interface Attempt {
  readonly host: Host;
  readonly path: string;
  /** `read`, `write`, ...: fits behind "could not be". */
  readonly done: string;
  readonly runAs?: RunAs;
}

/** A fact that a script recognised by itself. */
export function recognised(attempt: Attempt, fact: string): Failure {
  switch (fact) {
    case 'missing':
      return missing(attempt);
    case 'is_directory':
      return problem(attempt, 'file_is_directory', 'it is a directory', 'Name a file in it.');
    case 'directory_not_empty_or_recursive':
      return problem(
        attempt,
        'file_is_directory',
        'it is a directory',
        'If all that is in it shall go as well, say so with recursive.',
      );
    case 'not_directory':
      return problem(attempt, 'file_not_directory', 'it is not a directory', 'Name a directory.');
    case 'not_regular':
      return problem(
        attempt,
        'file_not_regular',
        'it is a device, a socket or a pipe and no regular file',
        'Check the path.',
      );
    case 'parent_missing':
      return problem(
        attempt,
        'file_parent_missing',
        'its directory does not exist',
        'Correct the path, or let missing directories be created.',
      );
    case 'parent_not_directory':
      return problem(attempt, 'file_parent_missing', 'what should be its directory is a file', 'Correct the path.');
    case 'not_writable':
      return problem(
        attempt,
        'file_forbidden',
        `${userOf(attempt)} may not write to its directory, or its file system is read-only`,
        permissionHint(attempt),
      );
    case 'changed_meanwhile':
      return problem(
        attempt,
        'file_changed',
        'it is not in the state that was expected',
        'Somebody changed it: look at it, and decide anew.',
      );
    case 'changing':
      return problem(attempt, 'file_changed', 'it was changed while it was read', 'Try again when it is at rest.');
    case 'link_loop':
      return problem(attempt, 'file_link_loop', 'its links lead in a circle', 'Look at the links with Stat.');
    case 'link_untrusted':
      return problem(
        attempt,
        'file_link_refused',
        'it is a link that belongs neither to root, nor to us, nor to the owner of what it points to',
        'Check who made the link, and name the file it should lead to.',
      );
    case 'owner_unknown':
      return problem(attempt, 'file_owner_unknown', 'the host knows no such owner', 'Create the user, or correct it.');
    case 'group_unknown':
      return problem(attempt, 'file_owner_unknown', 'the host knows no such group', 'Create the group, or correct it.');
    case 'locked':
      return problem(
        attempt,
        'file_locked',
        'another process has held its lock for more than 30 s',
        'Find it with lsof or lslocks on the host, and try again.',
      );
    case 'cut':
      return problem(
        attempt,
        'file_transfer_broken',
        'what arrived is not what was sent; nothing was changed',
        'Try again. If it happens again, check the disk and memory of the host.',
      );
    case 'protected':
      return problem(
        attempt,
        'file_protected',
        'it is part of the system, a home directory, or a mount point, or one lies in it',
        'If this is really meant, do it by hand on the host.',
      );
    default:
      return problem(attempt, 'file_failed', `the host said "${fact}"`, 'Look at it on the host.');
  }
}

/** A program on the host failed: its reason is what stands behind the last colon of its last line. */
export function programFailed(attempt: Attempt, program: string, stderr: string): Failure {
  const line = stderr.trimEnd().split('\n').at(-1)?.trim() ?? '';
  const reason = line.slice(line.lastIndexOf(': ') + (line.includes(': ') ? 2 : 0));
  switch (reason) {
    case 'No such file or directory':
      return missing(attempt);
    case 'Permission denied':
      return problem(attempt, 'file_forbidden', `${userOf(attempt)} may not do that`, permissionHint(attempt));
    case 'Operation not permitted':
      return problem(
        attempt,
        'file_forbidden',
        `${userOf(attempt)} may not do that (operation not permitted)`,
        `${permissionHint(attempt)} It may also be immutable: see lsattr.`,
      );
    case 'Is a directory':
      return recognised(attempt, 'is_directory');
    case 'Not a directory':
      return recognised(attempt, 'parent_not_directory');
    case 'No space left on device':
      return problem(
        attempt,
        'file_disk_full',
        'its disk is full',
        'Free space (or inodes) there: see df -h and df -i. What was there before is unchanged.',
      );
    case 'Disk quota exceeded':
      return problem(
        attempt,
        'file_disk_full',
        `the quota of ${userOf(attempt)} is used up`,
        'Free space of that user, or raise the quota. What was there before is unchanged.',
      );
    case 'Read-only file system':
      return problem(
        attempt,
        'file_system_read_only',
        'its file system is read-only',
        'If it should not be, look for disk errors (dmesg), then remount it.',
      );
    case 'File name too long':
      return problem(attempt, 'file_name_too_long', 'its name is too long', 'A name may have 255 bytes.');
    case 'Too many levels of symbolic links':
      return recognised(attempt, 'link_loop');
    case 'Device or resource busy':
      return problem(
        attempt,
        'file_busy',
        'it is a mount point or in use (busy)',
        'A single file mounted into a container can only be changed from outside it.',
      );
    case 'Directory not empty':
      return problem(
        attempt,
        'file_changed',
        'somebody put something into it meanwhile',
        'Find out who still writes there, then try again.',
      );
    case 'Input/output error':
      return problem(
        attempt,
        'file_disk_broken',
        'its disk reports errors',
        'Secure its data now, and look at dmesg and smartctl.',
      );
  }
  if (/unrecognized option|invalid option|command not found/.test(reason + line)) {
    return problem(
      attempt,
      'host_tools_missing',
      `${program} of that host cannot do what is needed (${line.slice(0, 200)})`,
      'Install GNU coreutils, findutils, grep and util-linux on it.',
    );
  }
  return problem(
    attempt,
    'file_failed',
    line === '' ? `${program} failed` : `${program} failed (${line.slice(0, 300)})`,
    'Look at it on the host.',
  );
}

export function problem(attempt: Attempt, code: string, why: string, nextStep: string, cause?: unknown): Failure {
  const subject = describeFile(attempt.host, attempt.path);
  return new Failure({ code, subject, message: `${subject} could not be ${attempt.done}: ${why}`, nextStep, cause });
}

/** What the command layer threw, told of the file. Connection failures are better told as they are. */
export function retold(attempt: Attempt, error: unknown, timeoutMs: number): unknown {
  if (isFailure(error, 'command_timeout')) {
    return problem(
      attempt,
      'file_timeout',
      `it took longer than ${timeoutMs / 1000} s`,
      'Allow it more time, or find out what makes the host so slow.',
      error,
    );
  }
  if (isFailure(error, 'input_broken')) {
    const cause = /broke off: (.*); the command was ended$/s.exec(error.message)?.[1] ?? 'the source stopped';
    return problem(
      attempt,
      'file_source_broken',
      `its content stopped coming (${cause}); nothing was changed`,
      'Find out why the source stopped, then try again.',
      error,
    );
  }
  if (isFailure(error, 'command_signalled') || isFailure(error, 'command_failed')) {
    return problem(
      attempt,
      'file_failed',
      `the host ended it (${error.message})`,
      'Look whether the host is short of memory or is shutting down.',
      error,
    );
  }
  return error;
}

function missing(attempt: Attempt): Failure {
  return problem(attempt, 'file_missing', 'it does not exist', 'Check the path and the host.');
}

function userOf({ host: { identity }, runAs }: Attempt): string {
  if (typeof runAs === 'object') return runAs.user;
  if (runAs === 'root') return 'root';
  return runAs === 'login' || identity.sudo.mode === 'none' ? identity.user : 'root';
}

function permissionHint(attempt: Attempt): string {
  if (userOf(attempt) === 'root') return 'Even root may not: look at mount options, attributes and security modules.';
  return attempt.host.identity.sudo.mode === 'none'
    ? `Give ${userOf(attempt)} the permission, or choose a sudo mode in the Host credential.`
    : `Give ${userOf(attempt)} the permission, or run it as root.`;
}
