/**
 * Starts it before the tests of a block and stops it after them, also one that came too late for its tests: what it has
 * started would keep this process for ever.
 */
export function startForTests<Started extends { readonly stop: () => Promise<unknown> }>(
  start: () => Promise<Started>,
  given: (started: Started) => void,
): void {
  let starting: Promise<Started>;
  beforeAll(async () => {
    starting = start();
    given(await starting);
  });
  afterAll(() =>
    starting.then(
      async ({ stop }) => {
        await stop();
      },
      () => undefined,
    ),
  );
}
