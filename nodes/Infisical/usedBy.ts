import type { DockerAccess } from '../../lib/docker/engine/access';
import { Failure } from '../../lib/failure';
import type { Host } from '../../lib/host/host';
import type { Place } from '../../lib/infisical/place';
import { folderPath } from '../../lib/infisical/place';
import { type Format, FORMATS } from '../../lib/infisical/render';
import { isObject } from '../../lib/json';
import type { Use } from '../../lib/rotation/uses';

/** One entry of the field Used By, as the user wrote it. */
export interface UsedBy {
  readonly host: string;
  readonly file: string;
  readonly format: Format;
  readonly path: string | undefined;
  readonly recursive: boolean;
  readonly mode: string | undefined;
  readonly owner: string | undefined;
  readonly group: string | undefined;
  readonly compose:
    { readonly directory: string; readonly project?: string; readonly services: readonly string[] } | undefined;
  readonly service: string | undefined;
}

const NAMES = [
  'host',
  'file',
  'format',
  'path',
  'recursive',
  'mode',
  'owner',
  'group',
  'compose',
  'project',
  'services',
  'service',
];

/** `[{ "file": "/srv/immich/.env", "compose": "/srv/immich" }]` */
export function parseUsedBy(value: unknown): readonly UsedBy[] {
  const list = value === undefined || value === '' ? [] : Array.isArray(value) ? value : [value];
  return list.flatMap((entry: unknown, index) => {
    if (isObject(entry) && Object.keys(entry).length === 0) return [];
    return [parseOne(entry, `entry ${index + 1}`)];
  });
}

function parseOne(entry: unknown, which: string): UsedBy {
  if (!isObject(entry)) throw unusable(which, 'it is no object');
  const strange = Object.keys(entry).find((name) => !NAMES.includes(name));
  if (strange !== undefined) throw unusable(which, `"${strange}" means nothing here; known are ${NAMES.join(', ')}`);
  const text = (name: string) => {
    const found = entry[name];
    if (found === undefined || found === '') return undefined;
    if (typeof found !== 'string') throw unusable(which, `"${name}" is not text`);
    return found;
  };
  const file = text('file');
  if (file === undefined) throw unusable(which, '"file" is missing');
  const format = text('format') ?? 'compose';
  if (!isFormat(format)) throw unusable(which, `"format" is none of ${Object.keys(FORMATS).join(', ')}`);
  const services = entry['services'] ?? [];
  if (!Array.isArray(services) || !services.every((one) => typeof one === 'string')) {
    throw unusable(which, '"services" is no list of names');
  }
  const directory = text('compose');
  const project = text('project');
  const service = text('service');
  if (directory !== undefined && service !== undefined) throw unusable(which, 'both "compose" and "service" are given');
  if (directory !== undefined && !directory.startsWith('/') && project !== undefined) {
    throw unusable(which, '"compose" names a stack, which has its project already');
  }
  if (directory === undefined && (project !== undefined || services.length > 0)) {
    throw unusable(
      which,
      '"project" and "services" need "compose", the directory of the project or the name of a stack',
    );
  }
  return {
    host: text('host') ?? '',
    file,
    format,
    path: text('path'),
    recursive: entry['recursive'] === true,
    mode: text('mode'),
    owner: text('owner'),
    group: text('group'),
    compose: directory === undefined ? undefined : { directory, services, ...(project !== undefined && { project }) },
    service,
  };
}

export function useOf(used: UsedBy, host: Host, place: Place, docker: DockerAccess, waitSeconds: number): Use {
  const { file, format, path, recursive, mode, owner, group, compose, service } = used;
  return {
    host,
    file,
    options: {
      format,
      ...(mode !== undefined && { mode }),
      ...(owner !== undefined && { owner }),
      ...(group !== undefined && { group }),
    },
    place: path === undefined ? place : { ...place, path: folderPath(path) },
    reading: { recursive },
    waitSeconds,
    ...(compose !== undefined && {
      restart: {
        kind: 'compose',
        docker,
        project: compose.directory.startsWith('/')
          ? { directory: compose.directory, ...(compose.project !== undefined && { name: compose.project }) }
          : { stack: compose.directory },
        services: compose.services,
      },
    }),
    ...(service !== undefined && { restart: { kind: 'service', host, unit: service } }),
  };
}

function isFormat(text: string): text is Format {
  return Object.hasOwn(FORMATS, text);
}

function unusable(which: string, why: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: `Used By, ${which}`,
    message: `Used By cannot be read: in ${which} ${why}`,
    nextStep: 'Write a list like [{ "host": "bruno", "file": "/srv/immich/.env", "compose": "/srv/immich" }].',
  });
}
