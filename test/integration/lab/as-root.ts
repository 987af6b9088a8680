/** Tests that need root. Elsewhere they say that they did not run, and in CI that is a failure. */
export function describeAsRoot(name: string, tests: () => void): void {
  if (process.getuid?.() === 0) {
    describe(name, tests);
    return;
  }
  test(`${name} (needs root)`, () => {
    if (process.env.CI) throw new Error('Run as root: these tests can be left out only on a developer machine');
    console.warn(`Not checked, because it needs root: ${name}`);
  });
}
