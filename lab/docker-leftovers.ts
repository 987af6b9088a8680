/** Ends what a daemon runs, so that nothing is mounted or alive when it is taken away itself. */
export async function removeContainers(docker: (...argv: readonly string[]) => Promise<string>): Promise<void> {
  const ids = (await docker('ps', '--all', '--quiet').catch(() => '')).split('\n').filter(Boolean);
  if (ids.length > 0) await docker('rm', '--force', '--volumes', ...ids).catch(() => undefined);
}
