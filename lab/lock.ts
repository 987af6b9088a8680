import { spawn } from 'node:child_process';
import { messageOf } from '../lib/failure';
import { troubleOf } from './trouble';

/**
 * A lock of the kernel's, held by a small process that lives as long as our end of its standard input is open: it ends
 * with us, however we end, and is never stale. `undefined` when somebody else has it and we did not want to wait.
 */
export function lockFile(file: string, { wait }: { wait: boolean }): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', [...(wait ? [] : ['--nonblock']), file, 'sh', '-c', 'echo locked; exec cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // Away from our terminal, so that Ctrl-C does not unlock before we have stopped.
      detached: true,
    });
    holder.once('error', (error) => reject(troubleOf('Locking', messageOf(error))));
    holder.once('exit', (code) =>
      code === 1 && !wait ? resolve(undefined) : reject(troubleOf('Locking', `flock ended with ${code}`)),
    );
    holder.stdout.once('data', () => resolve(() => holder.stdin.end()));
  });
}
