import { Client, type ConnectConfig } from 'ssh2';

export interface Reachable {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey?: string;
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export function connectTo(host: Reachable, config: ConnectConfig = {}): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    // Without no-delay each command waits for acknowledgements that are held back.
    client.once('ready', () => resolve(client.setNoDelay(true)));
    // Not once: ssh2 may report a broken handshake twice, and an error that nobody hears ends the process.
    client.on('error', reject);
    client.once('close', () => reject(new Error('closed during the handshake')));
    client.connect({
      host: host.address,
      port: host.port,
      username: host.user,
      ...(host.privateKey && { privateKey: host.privateKey }),
      readyTimeout: 10_000,
      ...config,
    });
  });
}

/** Runs one command on a connection, or on one of its own. With keepOpen it answers as soon as the channel is there. */
export async function execOn(
  on: Client | Reachable,
  command: string,
  { input = '', keepOpen = false }: { input?: string; keepOpen?: boolean } = {},
): Promise<Outcome> {
  if (!(on instanceof Client)) {
    const client = await connectTo(on);
    try {
      return await execOn(client, command, { input, keepOpen });
    } finally {
      client.end();
    }
  }
  return await new Promise((resolve, reject) => {
    on.exec(command, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      const outcome = { stdout: '', stderr: '' };
      channel.on('data', (chunk: Buffer) => (outcome.stdout += chunk.toString()));
      channel.stderr.on('data', (chunk: Buffer) => (outcome.stderr += chunk.toString()));
      channel.on('close', (code: number | null = null, signal?: string) => resolve({ ...outcome, code, signal }));
      if (keepOpen) resolve({ ...outcome, code: null, signal: undefined });
      else channel.end(input);
    });
  });
}
