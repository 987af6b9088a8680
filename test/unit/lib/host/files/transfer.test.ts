import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Progress } from '../../../../../lib/task';
import { measure, reportBytes, sealed } from '../../../../../lib/host/files/transfer';

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const quiet = { moved: () => undefined, ended: () => undefined };

describe('sealed content', () => {
  const content = Buffer.from('ü'.repeat(400_000));

  it.each([
    ['text', () => content.toString()],
    ['bytes', () => content],
    ['a stream', () => Readable.from([content.subarray(0, 7), content.subarray(7)])],
    ['a stream of text', () => Readable.from(['ü'.repeat(399_999), 'ü'])],
  ])('made of %s is the content and then its hash', async (_, make) => {
    const moved: number[] = [];
    let ended = 0;
    const seal = { size: content.length, moved: (bytes: number) => moved.push(bytes), ended: () => (ended += 1) };
    const out = await buffer(sealed(make(), seal));
    expect(out.subarray(0, -64).equals(content)).toBe(true);
    expect(out.subarray(-64).toString()).toBe(sha256(content));
    expect([moved.at(-1), ended]).toEqual([content.length, 1]);
  });

  it.each([
    [5, 'it has 3 bytes, but 5 were announced'],
    [2, 'it has more than the 2 bytes that were announced'],
  ])('has no seal when it should have %i bytes and has 3', async (size, message) => {
    await expect(buffer(sealed(Readable.from([Buffer.from('abc')]), { ...quiet, size }))).rejects.toThrow(message);
  });

  it('breaks with its source, and with a source of objects', async () => {
    const broken = new Readable({
      read() {
        this.destroy(new Error('gone'));
      },
    });
    await expect(buffer(sealed(broken, quiet))).rejects.toThrow('gone');
    await expect(buffer(sealed(Readable.from([{ a: 1 }]), quiet))).rejects.toThrow('objects instead of bytes');
  });

  it('is measured the same way', async () => {
    expect(await measure(content)).toEqual({ size: 800_000, sha256: sha256(content) });
  });
});

describe('progress', () => {
  it('comes now and then and always at the end', () => {
    const reports: Progress[] = [];
    const report = reportBytes('Sent', 3 * 1024 * 1024, (progress) => reports.push(progress));
    for (let bytes = 1; bytes <= 3 * 1024 * 1024; bytes += 4096) report(bytes);
    report(3 * 1024 * 1024);
    expect(reports.length).toBeLessThan(20);
    expect(reports.at(-1)).toEqual({ message: 'Sent 3.0 MiB of 3.0 MiB', fraction: 1 });
  });
});
