import { findAsset, otherSize, uploadAsset } from '../../../lib/forgejo/assets';
import { assets, releases } from '../../../lib/forgejo/kinds/issues';
import { readFound } from '../../../lib/forgejo/kind';
import { idOf, send } from '../../../lib/forgejo/things';
import { Failure } from '../../../lib/failure';
import { binaryProperty, optional, text, toggle } from '../../declaration';
import { type Asked, deleteOf, ensureOf, getOf, listOf, target, updateOf } from '../build';
import { idField, repositoryField } from '../fields';
import { operation } from '../operation';
import { changeSchema, itemSchema } from '../output';
import { inRepository, repositoryBase } from '../places';

const releaseField = text({ label: 'Release', required: true, placeholder: 'v1.2.0', description: 'Tag or ID' });

const releaseId = async ({ input, api, base, task }: Asked) => ({
  id: await idOf(api, releases, base, input['release'] as string, task),
});

const release = target({
  kind: releases,
  name: 'release',
  where: inRepository,
  choose: { release: releaseField },
  namesOf: releaseId,
});

const releaseSettings = {
  name: text({ label: 'Title' }),
  body: text({ label: 'Text', multiline: true, noTrim: true }),
  targetCommitish: text({ label: 'Target', description: 'Branch or commit, where the tag is not there yet' }),
  draft: toggle({ label: 'Draft', default: true, description: 'Whether it is not published yet' }),
  prerelease: toggle({ label: 'Prerelease', default: true, description: 'Whether it is not for everybody yet' }),
};

export const releaseOperations = [
  listOf(release, {
    filters: {
      draft: toggle({ label: 'Drafts', default: true, description: 'Whether only drafts, or none' }),
      prerelease: toggle({ label: 'Prereleases', default: true, description: 'Whether only prereleases, or none' }),
      q: text({ label: 'Search' }),
    },
    query: ({ prerelease, ...rest }) => ({
      ...(rest as Record<string, string>),
      ...(prerelease !== undefined && { 'pre-release': prerelease as boolean }),
    }),
  }),
  getOf(release),
  operation({
    resource: 'release',
    name: 'latest',
    label: 'Get Latest',
    action: 'Get the latest release',
    description: 'Reads the newest release that is no draft and no prerelease',
    effect: 'reads',
    input: { repository: repositoryField },
    output: itemSchema(releases.shape),
    run: ({ input, api, task }): Promise<object> =>
      send(
        api,
        'GET',
        repositoryBase(input.repository),
        '/releases/latest',
        {},
        (body) => readFound(releases, body).item,
        task,
      ),
  }),
  ensureOf(release, {
    description: 'Makes the release of a tag, or lets the one that is there be as wanted',
    fields: { tagName: text({ label: 'Tag', required: true, placeholder: 'v1.2.0' }) },
    settings: releaseSettings,
    found: (body) => ({ called: body['tag_name'] as string }),
  }),
  updateOf(release, { settings: { tagName: text({ label: 'Tag' }), ...releaseSettings } }),
  deleteOf(release, { description: 'Deletes a release with its assets; the tag stays' }),
];

const asset = target({
  kind: assets,
  name: 'releaseAsset',
  where: inRepository,
  within: { release: releaseField },
  withinOf: releaseId,
  choose: { assetId: idField('Asset ID') },
  namesOf: ({ input }) => ({ attachment: input['assetId'] as number }),
});

export const assetOperations = [
  listOf(asset, { description: 'Gives the files of a release' }),
  getOf(asset),
  operation({
    resource: 'releaseAsset',
    name: 'upload',
    action: 'Upload an asset',
    description: 'Adds a file to a release, without holding it in memory, unless one of this name and size is there',
    effect: 'creates',
    dryRun: true,
    input: {
      repository: repositoryField,
      release: releaseField,
      binaryField: binaryProperty(),
      options: optional({
        fileName: text({ label: 'File Name', description: 'Left out: that of the file' }),
        replace: toggle({ label: 'Replace', default: true, description: 'Whether one of this name is replaced' }),
      }),
    },
    output: changeSchema(assets.shape),
    run: async ({ input, api, binary, task }): Promise<object> => {
      const base = repositoryBase(input.repository);
      const names = { id: await idOf(api, releases, base, input.release, task) };
      const file = binary.read(input.binaryField);
      const fileName = input.options.fileName ?? file.fileName;
      const { bytes } = file;
      if (bytes === undefined) throw unknownSize(fileName);
      const { dryRun } = input;
      const before = await findAsset(api, base, names, fileName, task);
      const replace = input.options.replace ?? false;
      if (before !== null && !replace) {
        if (before.size !== bytes) throw otherSize(before, bytes);
        return { changed: false, dryRun, before, after: before };
      }
      if (dryRun) return { changed: true, dryRun, before, after: null };
      const content = await file.open();
      const after = await uploadAsset(api, base, names, { fileName, mimeType: file.mimeType, bytes, content }, task);
      // The new one is there first: whoever downloads meanwhile finds one of the two.
      if (before !== null) {
        const old = { ...names, attachment: before.id };
        await send(api, 'DELETE', base, assets.member, old, () => undefined, task);
      }
      return { changed: true, dryRun, before, after };
    },
  }),
  updateOf(asset, {
    name: 'rename',
    action: 'Rename an asset',
    description: 'Gives a file of a release another name',
    fields: { newName: text({ label: 'New Name', required: true }) },
    body: ({ input }) => ({ name: input['newName'] as string }),
  }),
  deleteOf(asset),
];

function unknownSize(fileName: string): Failure {
  return new Failure({
    code: 'unknown_size',
    subject: fileName,
    message: `The size of ${fileName} is not known, so it cannot be uploaded as a stream`,
    nextStep: 'Give the file by a node that knows its size, such as Read/Write Files from Disk or HTTP Request.',
  });
}
