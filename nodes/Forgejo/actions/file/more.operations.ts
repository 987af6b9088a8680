import { download } from '../../../../lib/forgejo/downloads';
import { folderEntries, rootEntries } from '../../../../lib/forgejo/kinds/code';
import { listFound } from '../../../../lib/forgejo/things';
import { binaryProperty, schema, text, toggle, withBinary } from '../../../declaration';
import { refField, repositoryField } from '../../fields';
import { operation } from '../../operation';
import { itemSchema } from '../../output';
import { repositoryBase } from '../../places';

export const listFilesOperation = operation({
  resource: 'file',
  name: 'list',
  action: 'List files',
  description: 'Gives what is in a folder of a repository',
  effect: 'reads',
  input: {
    repository: repositoryField,
    folder: text({ label: 'Folder', placeholder: 'bruno', description: 'Empty: the top' }),
    ref: refField,
  },
  output: itemSchema(folderEntries.shape),
  run: async ({ input: { repository, folder, ref }, api, task }): Promise<readonly object[]> => {
    const filepath = folder.split('/').filter((part) => part !== '');
    const listing = { query: ref === '' ? {} : { ref }, names: { filepath } };
    const kind = filepath.length === 0 ? rootEntries : folderEntries;
    return (await listFound(api, kind, repositoryBase(repository), task, listing)).map(({ item }) => item);
  },
});

export const downloadFileOperation = operation({
  resource: 'file',
  name: 'download',
  action: 'Download a file',
  description: 'Gives a file of a repository as it is, without holding it in memory',
  effect: 'reads',
  input: {
    repository: repositoryField,
    path: text({ label: 'Path', required: true, placeholder: 'bruno/compose.yaml' }),
    ref: refField,
    lfs: toggle({ label: 'From LFS', default: true, description: 'Whether what stands for a large file is followed' }),
    binaryField: binaryProperty(),
  },
  output: schema.object({ path: schema.string(), fileName: schema.string() }),
  run: async ({ input: { repository, path, ref, lfs, binaryField }, api, binary, task }) => {
    const filepath = path.split('/').filter((part) => part !== '');
    const fileName = filepath.at(-1) ?? path;
    const below = `/${lfs ? 'media' : 'raw'}/{filepath}`;
    const query = ref === '' ? {} : { ref };
    const base = repositoryBase(repository);
    const { content, contentType } = await download(api, base, below, { filepath }, fileName, task, { query });
    const stored = await binary.store(content, { fileName, mimeType: contentType });
    return withBinary({ path, fileName }, { [binaryField]: stored });
  },
});
