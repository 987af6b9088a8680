import type { Answer, Miss } from './answer';
import type { UnitFacts, UserFacts } from './facts';

export function readUnits(answer: Answer, miss: Miss): UnitFacts | null {
  const told = answer.told('failed-units');
  if (told.state === 'not asked') {
    miss('systemd does not run there', 'systemd');
    return null;
  }
  if (told.state === 'slow' || told.exitCode !== 0) {
    miss('systemctl did not answer');
    return null;
  }
  // Some versions put a bullet before a failed unit even in plain lists.
  const failed = [...told.text.matchAll(/^(?:[●*×]\s+)?(\S+\.[a-z]+)\s/gm)].map(([, name = '']) => name);
  return { failedCount: failed.length, failed };
}

export function readUsers(answer: Answer, miss: Miss): UserFacts | null {
  if (answer.has('lacks users')) {
    miss('logged-in users are told by who, which is not there', 'who');
    return null;
  }
  const told = answer.told('who');
  if (told.state !== 'told' || told.exitCode !== 0) {
    miss(answer.has('no utmp') ? 'this host keeps no record of logins' : 'who did not answer');
    return null;
  }
  const lines = told.text.split('\n').filter((line) => /^\S+\s+\S/.test(line));
  return { sessions: lines.length, names: [...new Set(lines.map((line) => line.split(/\s/)[0] ?? ''))].sort() };
}
