import { patienceWith, usualPatience } from '../../../../../lib/postgres/replication/patience';

describe('how long is waited for a host that may be gone', () => {
  beforeEach(() => jest.useFakeTimers({ now: 0 }));
  afterEach(() => jest.useRealTimers());

  const later = (milliseconds: number, answer: () => boolean) =>
    new Promise<boolean>((resolve, reject) => {
      setTimeout(() => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      }, milliseconds);
    });

  test.each([
    ['the least, when it is known to be deaf by then', () => later(300, () => true), 500],
    ['until it is known to be deaf', () => later(600, () => true), 600],
    ['the most while it gives a sign of life', () => later(200, () => false), 1_000],
    [
      'the most where nobody else can be asked',
      () =>
        later(10, () => {
          throw new Error('the other host does not answer');
        }),
      1_000,
    ],
    ['no longer because the others are slow', () => later(5_000, () => true), 1_000],
  ])('%s', async (_, deaf, end) => {
    let ended: number | undefined;
    void patienceWith({ leastMs: 500, mostMs: 1_000 }, deaf()).over.then(() => {
      ended = Date.now();
    });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(ended).toBe(end);
  });

  test('follows what is usual where it is asked again and again', () => {
    const bounds = { leastMs: 600, mostMs: 1_000 };
    expect([10, 141.2, 900].map((usual) => usualPatience(bounds, usual))).toEqual([600, 706, 1_000]);
  });
});
