import { Failure } from '../../../../lib/failure';
import {
  actionNode,
  binaryProperty,
  choice,
  keyValues,
  number,
  operationsWith,
  optional,
  pick,
  resource,
  schema,
  searchable,
  text,
  toggle,
  when,
  withBinary,
} from '../../../../nodes/declaration';

/** A stand-in engine: what it was asked to do, in order, and how each name behaves. */
export interface Workshop {
  readonly readOnly: boolean;
  readonly log: string[];
  readonly wait: (name: string) => Promise<void>;
}

export interface SampleContext {
  readonly workshop: Workshop;
}

const sampleOperation = operationsWith<SampleContext>();

const tools = searchable('tools', (_asker, filter) =>
  Promise.resolve({
    results: [
      { name: 'Hammer', value: 'hammer' },
      { name: 'Saw', value: 'saw' },
    ].filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase())),
    next: 'page-2',
  }),
);

const partSchema = schema.object({
  name: schema.string('As it was asked for'),
  changed: schema.boolean(),
});

export const readPart = sampleOperation({
  resource: 'part',
  name: 'read',
  action: 'Read a part',
  description: 'Says what is known of a part',
  effect: 'reads',
  input: { name: text({ required: true }), copies: number({ default: 1, min: 0, max: 3, integer: true }) },
  output: schema.object({ name: schema.string(), copy: schema.integer(), owner: schema.string() }),
  run: async ({ input, task, workshop }) => {
    workshop.log.push(`begin ${input.name}`);
    await workshop.wait(input.name);
    workshop.log.push(`end ${input.name}`);
    if (input.name === 'bug') throw new TypeError('cannot read x of undefined');
    if (input.name.startsWith('broken')) {
      throw new Failure({
        code: 'part_broken',
        subject: `part ${input.name}`,
        message: `Part ${input.name} is broken: ENOENT`,
        nextStep: 'Make a new one.',
        details: { cracks: 2 },
      });
    }
    task.progress({ message: `read ${input.name}`, fraction: 0.5 });
    return Array.from({ length: input.copies }, (_, copy) => ({ name: input.name, copy, owner: task.owner }));
  },
});

export const makePart = sampleOperation({
  resource: 'part',
  name: 'make',
  action: 'Make a part',
  description: 'Makes a part, unless there is one',
  effect: 'creates',
  dryRun: true,
  input: {
    name: text({ required: true }),
    tool: pick(tools),
    finish: choice({ options: { raw: 'Raw', painted: 'Painted' }, default: 'raw' }),
    colour: when('finish', ['painted'], text({ required: true })),
    labels: keyValues(),
    options: optional({ depth: number({ default: 1, min: 0 }), sharp: toggle({ default: true }) }),
  },
  output: partSchema,
  run: ({ input, workshop }) => {
    workshop.log.push(JSON.stringify(input));
    return { name: input.name, changed: !input.dryRun };
  },
});

export const scrapPart = sampleOperation({
  resource: 'part',
  name: 'scrap',
  action: 'Scrap a part',
  description: 'Throws a part away for good',
  effect: 'destroys',
  needsApproval: true,
  input: { name: text({ required: true }) },
  output: partSchema,
  run: ({ input, workshop }) => {
    workshop.log.push(`scrap ${input.name} by ${input.approvalToken}`);
    return { name: input.name, changed: true };
  },
});

export const copyFile = sampleOperation({
  resource: 'file',
  name: 'copy',
  action: 'Copy a file',
  description: 'Gives the file of an item back under another name',
  effect: 'reads',
  input: { name: text({ required: true }), field: binaryProperty() },
  output: schema.object({ bytes: schema.integer() }),
  run: async function* ({ input, binary }) {
    const chunks: Buffer[] = [];
    for await (const chunk of await binary.read(input.field).open()) chunks.push(Buffer.from(chunk as Uint8Array));
    const content = Buffer.concat(chunks);
    yield withBinary({ bytes: content.length }, { data: await binary.store(content, { fileName: input.name }) });
  },
});

export function sampleNode(workshop: Partial<Workshop> = {}, approved: readonly string[] = ['yes-1']) {
  const complete: Workshop = { readOnly: false, log: [], wait: () => Promise.resolve(), ...workshop };
  const Sample = actionNode<SampleContext>({
    name: 'sample',
    displayName: 'Sample',
    description: 'Work on parts',
    icon: { light: 'file:sample.svg', dark: 'file:sample.dark.svg' },
    credentials: [{ name: 'selfhostSample', required: true }],
    resources: [
      resource({ name: 'part', label: 'Part', operations: [readPart, makePart, scrapPart] }),
      resource({ name: 'file', label: 'File', operations: [copyFile] }),
    ],
    context: () => ({ workshop: complete, readOnly: complete.readOnly }),
    approvals: {
      request: async (_execute, { operation, input, preview }) => {
        complete.log.push(`request for ${operation} ${JSON.stringify(input)} ${(await preview()).length}`);
        return 'request-1';
      },
      burn: (_execute, token, { operation }) => {
        complete.log.push(`approval ${token} for ${operation}`);
        if (token === 'unchecked') return Promise.resolve(undefined);
        if (approved.includes(token)) return Promise.resolve({ hash: `hash of ${token}` });
        throw new Failure({
          code: 'approval_unknown',
          subject: operation,
          message: 'The approval token is not valid',
          nextStep: 'Ask for a new approval.',
        });
      },
    },
  });
  return { Sample, workshop: complete };
}
