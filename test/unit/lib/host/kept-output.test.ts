import fc from 'fast-check';
import { keepOutput } from '../../../../lib/host/kept-output';

describe('keepOutput', () => {
  it('keeps everything up to the limit, however it is cut into chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 })), (chunks) => {
        const kept = keepOutput(10_000);
        for (const chunk of chunks) kept.add(Buffer.from(chunk));
        expect([kept.text(), kept.bytes, kept.truncated]).toEqual([chunks.join(''), chunks.join('').length, false]);
      }),
    );
  });

  it('keeps the beginning and the end of more than that, and says how much is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 })), (chunks) => {
        const all = chunks.join('');
        fc.pre(all.length > 20);
        const kept = keepOutput(20);
        for (const chunk of chunks) kept.add(Buffer.from(chunk));
        expect([kept.text(), kept.bytes, kept.truncated]).toEqual([
          `${all.slice(0, 10)}\n[... ${all.length - 20} bytes left out ...]\n${all.slice(-10)}`,
          all.length,
          true,
        ]);
      }),
    );
  });

  it('holds no more than a few times its limit', () => {
    const kept = keepOutput(1000);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 20_000; i += 1) kept.add(Buffer.alloc(65_536, 'x'));
    expect(kept.bytes).toBe(20_000 * 65_536);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });
});
