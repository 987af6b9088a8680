import { connect } from 'node:net';

/** Asks again until the answer is there; throws with the last reason when the deadline has passed. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() >= end) throw new Error(`${what}: not so after ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** The SSH banner that a port answers with, or undefined when nothing (or something else) answers. */
export function sshBanner(address: string, port: number, deadlineMs = 1000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let text = '';
    const finish = (banner: string | undefined) => {
      socket.destroy();
      resolve(banner);
    };
    socket.setTimeout(deadlineMs, () => finish(undefined));
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('\n')) finish(text.startsWith('SSH-2.0-') ? text.split('\n', 1)[0]?.trim() : undefined);
    });
  });
}
