import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../../lab/folders';

describe.each(['.', 'lab/n8n', 'lab/node'])('the lockfile in %s', (folder) => {
  const text = readFileSync(join(repository, folder, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, Record<string, unknown>> };

  test('pins every package by version and hash', () => {
    const loose = Object.entries(packages).filter(
      ([path, { version, integrity }]) => path !== '' && !(version && integrity),
    );
    expect(loose.map(([path]) => path)).toEqual([]);
  });

  test('names no registry, so that it installs from any', () => {
    expect(Object.entries(packages).filter(([, entry]) => 'resolved' in entry)).toEqual([]);
  });

  test('holds every optional package that another one asks for: `npm ci` refuses a lockfile that does not', () => {
    const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies as object)
        .filter((name) => !names.has(name))
        .map((name) => `${path} asks for ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
