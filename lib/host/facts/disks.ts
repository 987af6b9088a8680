import type { Answer, Miss } from './answer';
import type { DiskFacts } from './facts';

export function readDisks(answer: Answer, miss: Miss): readonly DiskFacts[] | null {
  if (answer.has('lacks disks')) {
    miss('disks are read by stat, which is not there', 'stat');
    return null;
  }
  const count = Number(answer.value('mounts'));
  if (!Number.isInteger(count)) {
    miss('the list of mounts cannot be read');
    return null;
  }
  const disks = Array.from({ length: count }, (_, index) => readDisk(answer, index + 1, miss));
  return disks.filter((disk) => disk !== undefined);
}

function readDisk(answer: Answer, number: number, miss: Miss): DiskFacts | undefined {
  const [type, device, mount, options = ''] = (answer.value(`mount ${number}`) ?? '').split(' ');
  if (type === undefined || device === undefined || mount === undefined) return undefined;
  const mounted = { mount: unescape(mount), device: unescape(device), type, readOnly: /^ro(,|$)/.test(options) };
  const told = answer.told(`disk ${number}`);
  // 137: its own limit ended it.
  if (told.state !== 'told' || told.exitCode === 137) {
    miss(`${mounted.mount} (${mounted.type} of ${mounted.device}) does not answer`);
    return { ...mounted, state: 'not answering' };
  }
  const numbers = told.text.trim().split(' ').map(Number);
  const [block, blocks, free, available, inodes, inodesFree] = numbers;
  if (
    told.exitCode !== 0 ||
    numbers.some((one) => !Number.isFinite(one)) ||
    block === undefined ||
    blocks === undefined ||
    free === undefined ||
    available === undefined ||
    inodes === undefined ||
    inodesFree === undefined
  ) {
    miss(`${mounted.mount} may not be read by this user`);
    return { ...mounted, state: 'unreadable' };
  }
  const used = blocks - free;
  return {
    ...mounted,
    state: 'read',
    sizeBytes: blocks * block,
    usedBytes: used * block,
    freeBytes: available * block,
    usedPercent: percentUp(used, used + available),
    inodes: inodes === 0 ? null : inodes,
    inodesFree: inodes === 0 ? null : inodesFree,
    inodesUsedPercent: inodes === 0 ? null : percentUp(inodes - inodesFree, inodes),
  };
}

/** The kernel writes blanks and backslashes of a path as three octal digits, byte by byte. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function percentUp(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.ceil((part / whole) * 100);
}
