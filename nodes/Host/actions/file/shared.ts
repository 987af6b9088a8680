import { schema, text, toggle } from '../../../declaration';

export const pathField = text({
  label: 'Path',
  required: true,
  noTrim: true,
  placeholder: '/srv/stack/compose.yml',
  description: 'Absolute, or ~/ for the home of the user it runs as',
});

export const ownershipOptions = {
  mode: text({ placeholder: '0600', description: 'Octal. Default: as it was.' }),
  owner: text({ placeholder: 'root', description: 'Name or number. Default: as it was.' }),
  group: text({ placeholder: 'root', description: 'Name or number. Default: as it was.' }),
  createParents: toggle({ label: 'Create Parents', description: 'Whether to make missing directories above it' }),
};

export const fileState = schema.object({
  size: schema.integer('In bytes'),
  sha256: schema.optional(schema.string('Known only where it was needed')),
  mode: schema.string('Four octal digits'),
  owner: schema.string(),
  group: schema.string(),
});

export const writeOutput = schema.object({
  host: schema.string(),
  path: schema.string('Other than asked for when it was a link'),
  changed: schema.boolean(),
  dryRun: schema.boolean(),
  sha256: schema.string('Of the content'),
  before: schema.optional(fileState),
  after: fileState,
  backup: schema.optional(schema.string('Where the former file is kept')),
});

export const fileFacts = {
  type: schema.oneOf(['file', 'directory', 'link', 'socket', 'fifo', 'block device', 'character device', 'other']),
  size: schema.integer('In bytes'),
  mode: schema.string('Four octal digits'),
  owner: schema.string(),
  group: schema.string(),
  modifiedAt: schema.string('ISO 8601 in UTC'),
} as const;
