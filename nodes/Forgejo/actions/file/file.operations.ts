import { Failure } from '../../../../lib/failure';
import { ensureFiles, readFile, type WantedFile } from '../../../../lib/forgejo/contents';
import { parseRepositoryName } from '../../../../lib/forgejo/repository-name';
import { isObject } from '../../../../lib/json';
import { json, schema, text } from '../../../declaration';
import { refField, repositoryField } from '../../fields';
import { operation } from '../../operation';

export const readFileOperation = operation({
  resource: 'file',
  name: 'read',
  action: 'Read a file',
  description: 'Reads a text file of a repository, without cloning it',
  effect: 'reads',
  input: {
    repository: repositoryField,
    path: text({ label: 'Path', required: true, placeholder: 'bruno/compose.yaml' }),
    ref: refField,
  },
  output: schema.object({
    path: schema.string(),
    sha: schema.string('Of the content, as git names it'),
    size: schema.integer('Bytes'),
    content: schema.string(),
  }),
  run: async ({ input, api, task }) => {
    const place = { name: parseRepositoryName(input.repository), ref: input.ref };
    const { content, ...file } = await readFile(api, place, input.path, task);
    return { ...file, content: content.toString('utf8') };
  },
});

export const writeFilesOperation = operation({
  resource: 'file',
  name: 'write',
  action: 'Write files',
  description:
    'Lets several files be as wanted, in one commit that holds only what differs. A file that somebody else changes meanwhile is not overwritten: then nothing is committed.',
  effect: 'changes',
  dryRun: true,
  input: {
    repository: repositoryField,
    branch: text({ label: 'Branch', placeholder: 'main', description: 'Empty: the default branch' }),
    files: json({
      label: 'Files',
      parse: parseFiles,
      description:
        'Content of each path; null deletes the file: {"bruno/compose.yaml": "services: …", "old.txt": null}',
    }),
    message: text({ label: 'Message', required: true, placeholder: 'Deploy immich 2.1' }),
  },
  output: schema.object({
    changed: schema.boolean('In a dry run: whether it would change'),
    dryRun: schema.boolean(),
    commit: schema.nullable(schema.string('Null when nothing was committed')),
    created: schema.array(schema.string()),
    updated: schema.array(schema.string()),
    deleted: schema.array(schema.string()),
  }),
  run: ({ input: { repository, branch, files, message, dryRun }, api, task }) =>
    ensureFiles(api, { name: parseRepositoryName(repository), branch, files, message }, dryRun, task),
});

function parseFiles(value: unknown): readonly WantedFile[] {
  if (!isObject(value) || Object.keys(value).length === 0) throw unusable('it names no file');
  return Object.entries(value).map(([path, content]) => {
    if (content !== null && typeof content !== 'string') throw unusable(`${path} is neither text nor null`);
    return { path, content: content === null ? null : Buffer.from(content) };
  });
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: 'Files',
    message: `Files cannot be used: ${why}`,
    nextStep: 'Give an object of paths and contents, such as {"README.md": "Hello"}.',
  });
}
