import { Readable } from 'node:stream';
import { Failure } from '../../failure';
import { path } from '../../http/path';
import type { Task } from '../../task';
import type { Engine } from './engine';

/** What is at a path in a container, as a tar archive, in constant memory. */
export async function copyOut(engine: Engine, container: string, from: string, task: Task): Promise<Readable> {
  const { body } = await engine.stream(
    { method: 'GET', path: path('/containers/{container}/archive', { container }), query: { path: from } },
    task,
  );
  return body;
}

export interface FileIn {
  /** The folder it goes into, which must be there. */
  readonly folder: string;
  readonly name: string;
  readonly content: Readable;
  readonly length: number;
  /** Default 0644. */
  readonly mode?: number;
}

/** Puts one file into a container, streamed. An existing file of that name is replaced. */
export async function copyIn(engine: Engine, container: string, file: FileIn, task: Task): Promise<void> {
  if (Buffer.byteLength(file.name) > 100 || /[/\0]/.test(file.name) || file.length >= LARGEST) {
    throw new Failure({
      code: 'invalid_parameter',
      subject: `container ${container}`,
      message: `${file.name} cannot be copied: a name has at most 100 bytes and no slash, a file less than 8 GiB`,
      nextStep: 'Give it a shorter name, or bring it to the host and mount it.',
    });
  }
  const padding = (BLOCK - (file.length % BLOCK)) % BLOCK;
  async function* archive() {
    yield header(file);
    for await (const chunk of file.content) yield chunk as Buffer;
    yield Buffer.alloc(padding + 2 * BLOCK);
  }
  await engine.request(
    {
      method: 'PUT',
      path: path('/containers/{container}/archive', { container }),
      query: { path: file.folder },
      body: {
        stream: Readable.from(archive(), { objectMode: false }),
        length: BLOCK + file.length + padding + 2 * BLOCK,
        contentType: 'application/x-tar',
      },
    },
    task,
  );
}

const BLOCK = 512;
const LARGEST = 8 * 1024 ** 3;

/** The plain header of 1988; who calls it checks what it has no room for. */
function header({ name, length, mode = 0o644 }: FileIn): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(length, 11), 124);
  block.write(octal(Math.floor(Date.now() / 1000), 11), 136);
  block.write('        0ustar\x0000', 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
