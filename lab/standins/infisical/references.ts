import type { Environment, Folder, Project } from './state';

/** `${KEY}` is of the same folder, `${prod.db.main.KEY}` of another environment or folder. */
export function expand(project: Project, environment: Environment, folder: Folder, value: string, depth = 0): string {
  if (depth > 10) return value;
  return value.replace(/\$\{([^{}]+)\}/g, (whole, inside: string) => {
    const parts = inside.split('.');
    const key = parts.at(-1) ?? '';
    const there = parts.length === 1 ? environment : project.environments.get(parts[0] ?? '');
    const where = parts.length === 1 ? folder : there?.folders.get(`/${parts.slice(1, -1).join('/')}`);
    const found = where?.secrets.get(key)?.versions.at(-1)?.value;
    if (there === undefined || where === undefined || found === undefined) return whole;
    return expand(project, there, where, found, depth + 1);
  });
}
