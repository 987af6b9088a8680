import { parseEnv } from 'node:util';
import { readEnvFile } from '../../docker/compose/env-file';
import { Failure } from '../../failure';
import { reveal, type Secret } from '../secret';
import { renderCompose } from './compose';
import { readJson, readYaml, renderJson, renderYaml } from './data';
import { readDocker, renderDocker } from './docker';
import { renderDotenv } from './dotenv';
import type { Entry } from './entry';
import { readShell, renderShell } from './shell';
import { readSystemd, renderSystemd } from './systemd';

export type Format = 'dotenv' | 'compose' | 'docker' | 'shell' | 'systemd' | 'json' | 'yaml';

export const FORMATS: Readonly<Record<Format, string>> = {
  compose: 'Docker Compose',
  docker: 'Docker Env File',
  dotenv: 'Dotenv',
  json: 'JSON',
  shell: 'Shell',
  systemd: 'Systemd Environment File',
  yaml: 'YAML',
};

const renderers: Readonly<Record<Format, (entries: readonly Entry[]) => string>> = {
  compose: renderCompose,
  docker: renderDocker,
  dotenv: renderDotenv,
  json: renderJson,
  shell: renderShell,
  systemd: renderSystemd,
  yaml: renderYaml,
};

const readers: Readonly<Record<Format, (text: string) => Map<string, string> | undefined>> = {
  compose: readEnvFile,
  docker: readDocker,
  dotenv: (text) => {
    const entries = Object.entries(parseEnv(text));
    return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
  },
  json: readJson,
  shell: readShell,
  systemd: readSystemd,
  yaml: readYaml,
};

/** Sorted by name, so that the same secrets always give the same file. */
export function render(entries: readonly Entry[], format: Format): string {
  const sorted = [...entries].sort((one, other) => (one.key < other.key ? -1 : 1));
  return renderers[format](sorted);
}

/** What a file of this format says; undefined when it is not understood, for instance because it was written by hand. */
export function readRendered(text: string, format: Format): Map<string, string> | undefined {
  return readers[format](text);
}

/** A file knows no folders: two secrets of one name must not silently become one. */
export function entriesOf(secrets: readonly Secret[]): readonly Entry[] {
  const from = new Map<string, Secret>();
  for (const secret of secrets) {
    const other = from.get(secret.key);
    if (other !== undefined && reveal(other) !== reveal(secret)) {
      throw new Failure({
        code: 'secret_twice',
        subject: `secret ${secret.key}`,
        message: `${secret.key} has different values in ${other.path} and ${secret.path}, and the file can hold one`,
        nextStep: 'Take one of the folders only, or rename one of the two.',
      });
    }
    from.set(secret.key, secret);
  }
  return [...from.values()].map((secret) => ({ key: secret.key, value: reveal(secret) }));
}
