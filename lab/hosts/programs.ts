import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export interface RunSettings {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly deadlineMs?: number;
}

/** Runs a program to its end and returns what it printed; throws with what it complained about. */
export function run(argv: readonly [string, ...string[]], settings: RunSettings = {}): Promise<string> {
  const [program, ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: settings.folder,
      env: { ...process.env, LC_ALL: 'C', PATH: searchPath(), ...settings.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: settings.deadlineMs ?? 60_000,
      killSignal: 'SIGKILL',
      ...settings.user,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`${argv.join(' ')} ended with ${code ?? signal}: ${(stderr || stdout).trim().slice(-2000)}`));
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => {});
    child.stdin.end(settings.input ?? '');
  });
}

/** The absolute path of a program, or undefined. Also looks where only root's PATH leads. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of searchPath().split(delimiter)) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/** The programs of this list that the machine does not have. */
export async function missingPrograms(names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map(findProgram));
  return names.filter((_, index) => found[index] === undefined);
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function searchPath(): string {
  return [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter);
}
