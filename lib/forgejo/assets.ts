import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

import type { ItemOf } from '../shape';
import type { Task } from '../task';
import { Failure } from '../failure';
import type { ForgejoApi } from './api';
import { type Base, readFound } from './kind';
import { assets } from './kinds/issues';
import { listFound, type Names, tableEndpoint } from './things';

const UPLOAD_MS = 60 * 60 * 1000;

export type Asset = ItemOf<typeof assets.shape>;

export interface Upload {
  readonly fileName: string;
  readonly mimeType: string;
  readonly bytes: number;
  readonly content: Readable;
}

/** The asset of this name, if the release has one. */
export async function findAsset(
  api: ForgejoApi,
  base: Base,
  release: Names,
  name: string,
  task: Task,
): Promise<Asset | null> {
  const all = await listFound(api, assets, base, task, { names: release });
  return all.map(({ item }) => item).find((asset) => asset.name === name) ?? null;
}

/** A form of one file, in constant memory: its length is known before the first byte is sent. */
export function uploadAsset(
  api: ForgejoApi,
  base: Base,
  release: Names,
  { fileName, mimeType, bytes, content }: Upload,
  task: Task,
): Promise<Asset> {
  const boundary = `selfhost-${randomUUID()}`;
  const safeName = fileName.replaceAll('"', '%22').replaceAll(/[\r\n]/g, ' ');
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="attachment"; filename="${safeName}"\r\n` +
      `Content-Type: ${mimeType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const read = (body: unknown) => readFound(assets, body).item;
  return api.call(
    tableEndpoint('POST', base, assets.collection, read),
    {
      at: { ...base.at, ...release },
      query: { name: fileName },
      body: {
        stream: Readable.from(framed(head, content, tail)),
        length: head.length + bytes + tail.length,
        contentType: `multipart/form-data; boundary=${boundary}`,
      },
      deadlineMs: UPLOAD_MS,
    },
    task,
  );
}

async function* framed(head: Buffer, content: Readable, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  for await (const chunk of content) yield Buffer.from(chunk as Buffer);
  yield tail;
}

export function otherSize({ name, size }: Asset, bytes: number): Failure {
  return new Failure({
    code: 'exists_otherwise',
    subject: `asset ${name}`,
    message: `The release has an asset ${name} of ${size} bytes already, and the new file has ${bytes}`,
    nextStep: 'Switch Replace on, or choose another name.',
    details: { there: size, wanted: bytes },
  });
}
