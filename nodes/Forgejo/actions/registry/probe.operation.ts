import { untaggedManifests } from '../../../../lib/forgejo/registry/untagged';
import { probeRegistry, WRONGS } from '../../../../lib/forgejo/registry/probe';
import { choice, list, schema, toggle } from '../../../declaration';
import { operation } from '../../operation';

export const probeRegistryOperation = operation({
  resource: 'registry',
  name: 'probe',
  action: 'Probe the container registry',
  description:
    'Follows every tag and platform of every image to every blob, and says what is missing or damaged. A broken image is an answer, not an error: look at "whole".',
  effect: 'reads',
  input: {
    images: list({ label: 'Images', description: 'Globs, such as kua/*. Empty: all that the token may see.' }),
    depth: choice({
      label: 'Depth',
      options: {
        presence: { label: 'Ask for Each Blob', description: 'Reads every manifest, and asks for every blob' },
        content: { label: 'Read Each Blob', description: 'Reads everything and compares its hash; takes long' },
      },
      default: 'presence',
    }),
    untagged: toggle({
      label: 'Untagged Manifests',
      default: true,
      description: 'Whether to look at manifests that no tag leads to, too',
    }),
  },
  output: schema.object({
    whole: schema.boolean('Whether nothing is missing or damaged'),
    images: schema.integer(),
    tags: schema.integer(),
    manifests: schema.integer(),
    blobs: schema.integer('In each image that has it'),
    bytes: schema.integer('Each content counted once'),
    problems: schema.array(
      schema.object({
        image: schema.string(),
        kind: schema.oneOf(['manifest', 'blob']),
        digest: schema.nullable(schema.string('Null for a tag that leads to nothing')),
        what: schema.oneOf(WRONGS),
        detail: schema.string(),
        neededBy: schema.array(schema.string(), 'Tags, or digests without one, that cannot be pulled because of it'),
      }),
    ),
  }),
  run: ({ input: { images, depth, untagged }, api, registry, task }) =>
    probeRegistry(
      registry,
      { images, depth, untagged: untagged ? untaggedManifests(api) : () => Promise.resolve(new Map()) },
      task,
    ),
});
