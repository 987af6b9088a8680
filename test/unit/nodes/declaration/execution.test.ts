import { NodeOperationError } from 'n8n-workflow';
import type { INodeExecutionData } from 'n8n-workflow';
import { fakeExecute } from './fakeExecute';
import type { FakeExecution } from './fakeExecute';
import { sampleNode } from './sampleNode';
import type { Workshop } from './sampleNode';

async function run(execution: FakeExecution, workshop: Partial<Workshop> = {}) {
  const sample = sampleNode(workshop);
  const { execute, shown } = fakeExecute(execution);
  const output: INodeExecutionData[][] = await new sample.Sample().execute.call(execute).then((items) => {
    if (!Array.isArray(items)) throw new Error('expected items');
    return items;
  });
  return { output, shown, log: sample.workshop.log };
}

async function failure(execution: FakeExecution, workshop: Partial<Workshop> = {}): Promise<NodeOperationError> {
  try {
    await run(execution, workshop);
  } catch (error) {
    if (error instanceof NodeOperationError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Waits that end when the test says so, by name. */
function gates() {
  const waiting = new Map<string, () => void>();
  const arrivals: (() => void)[] = [];
  return {
    wait: (name: string) =>
      new Promise<void>((resolve) => {
        waiting.set(name, resolve);
        arrivals.splice(0).forEach((arrived) => arrived());
      }),
    open: (name: string) => waiting.get(name)?.(),
    until: async (fact: () => boolean) => {
      while (!fact()) await new Promise<void>((resolve) => arrivals.push(resolve));
    },
  };
}

const read = (name: string, more: Record<string, unknown> = {}) => ({
  resource: 'part',
  operation: 'read',
  name,
  ...more,
});

describe('results', () => {
  test('one item in gives as many out as the operation says, each paired with the item it came from', async () => {
    const { output } = await run({ parameters: [read('a', { copies: 2 }), read('b', { copies: 0 }), read('c')] });
    expect(output).toEqual([
      [
        { json: { name: 'a', copy: 0, owner: 'execution-7' }, pairedItem: { item: 0 } },
        { json: { name: 'a', copy: 1, owner: 'execution-7' }, pairedItem: { item: 0 } },
        { json: { name: 'c', copy: 0, owner: 'execution-7' }, pairedItem: { item: 2 } },
      ],
    ]);
  });

  test('no items in gives no items out', async () => {
    expect((await run({ parameters: [] })).output).toEqual([[]]);
  });

  test('a file comes in and goes out with the item, through a stream of results', async () => {
    const data = { data: Buffer.from('hello').toString('base64'), mimeType: 'text/plain' };
    const { output } = await run({
      parameters: [{ resource: 'file', operation: 'copy', name: 'copy.txt' }],
      items: [{ json: {}, binary: { data } }],
    });
    expect(output).toEqual([
      [{ json: { bytes: 5 }, binary: { data: { ...data, fileName: 'copy.txt' } }, pairedItem: { item: 0 } }],
    ]);
  });

  test('a binary field that is not there is named, with those that are', async () => {
    const error = await failure({
      parameters: [{ resource: 'file', operation: 'copy', name: 'x', field: 'photo' }],
      items: [{ json: {}, binary: { data: { data: '', mimeType: 'text/plain' } } }],
    });
    expect([error.message, error.description]).toEqual([
      "Item 0 has no binary field 'photo'",
      'Choose one that it has: data.',
    ]);
  });

  test('progress reaches the editor at most once a second for the whole node', async () => {
    const { shown } = await run({ parameters: [read('a'), read('b'), read('c')] });
    expect(shown).toEqual(['Sample, item 0: read a (50 %)']);
  });
});

describe('input', () => {
  test('an operation gets typed values, without the options nobody added and the fields that are hidden', async () => {
    const { log } = await run({
      parameters: [
        {
          resource: 'part',
          operation: 'make',
          name: '  wheel ',
          tool: { mode: 'list', value: 'saw' },
          colour: 'left over from before',
          labels: { pairs: [{ key: 'size', value: 7 }] },
          options: { depth: '2' },
        },
      ],
    });
    expect(log.map((line) => JSON.parse(line) as unknown)).toEqual([
      { name: 'wheel', tool: 'saw', finish: 'raw', labels: { size: '7' }, options: { depth: 2 }, dryRun: false },
    ]);
  });

  test('a value that does not fit is refused before anything is done, and the field and the item are named', async () => {
    const error = await failure({ parameters: [read('a'), read('b', { copies: 'abc' })], continueOnFail: false });
    expect([error.message, error.description, error.context['itemIndex'], error.context['code']]).toEqual([
      "Copies of item 1 must be a whole number from 0 to 3, not 'abc'",
      'Correct the field Copies, or the expression that fills it.',
      1,
      'invalid_parameter',
    ]);
  });

  test('an operation that this version does not know is refused', async () => {
    const error = await failure({ parameters: [{ resource: 'part', operation: 'polish' }] });
    expect(error.message).toBe("This version of the node knows no operation 'polish' of resource 'part'");
  });
});

describe('failures', () => {
  test('the failure of an item stops the node with message, next step, item and code as the engine said them', async () => {
    const error = await failure({ parameters: [read('a'), read('broken')] });
    expect({ message: error.message, description: error.description, context: error.context }).toEqual({
      message: 'Part broken is broken: ENOENT',
      description: 'Make a new one.',
      context: expect.objectContaining({
        itemIndex: 1,
        code: 'part_broken',
        subject: 'part broken',
        details: { cracks: 2 },
      }) as unknown,
    });
  });

  test('with "Continue" the failed item says what happened, and the others have their results', async () => {
    const { output } = await run({ parameters: [read('broken'), read('b')], continueOnFail: true });
    expect(output).toEqual([
      [
        {
          json: {
            error: 'Part broken is broken: ENOENT',
            details: { code: 'part_broken', subject: 'part broken', nextStep: 'Make a new one.', cracks: 2 },
          },
          pairedItem: { item: 0 },
        },
        { json: { name: 'b', copy: 0, owner: 'execution-7' }, pairedItem: { item: 1 } },
      ],
    ]);
  });

  test('a bug says that it is one, and keeps its stack', async () => {
    const error = await failure({ parameters: [read('bug')] });
    expect(error.message).toBe('Unexpected error in Sample: cannot read x of undefined');
    expect(error.description).toContain('This is a bug in n8n-nodes-selfhost.');
    expect(error.stack).toContain('sampleNode.ts');
  });
});

describe('guards', () => {
  const scrap = { resource: 'part', operation: 'scrap', name: 'wheel' };

  test.each([
    ['make', 'Refused: "Make a part" creates something, and the credential is read-only'],
    ['scrap', 'Refused: "Scrap a part" destroys something, and the credential is read-only'],
  ])('a read-only credential refuses %s', async (operation, message) => {
    const log: string[] = [];
    const error = await failure(
      { parameters: [{ resource: 'part', operation, name: 'wheel', tool: 'saw' }] },
      { readOnly: true, log },
    );
    expect([error.message, error.context['code'], log]).toEqual([message, 'read_only', []]);
  });

  test('a read-only credential allows reads and dry runs', async () => {
    await expect(run({ parameters: [read('a')] }, { readOnly: true })).resolves.toBeDefined();
    const make = { resource: 'part', operation: 'make', name: 'wheel', tool: 'saw', dryRun: true };
    const { output } = await run({ parameters: [make] }, { readOnly: true });
    expect(output).toEqual([[{ json: { name: 'wheel', changed: false }, pairedItem: { item: 0 } }]]);
  });

  test.each([
    ['a classic agent', { tool: true }],
    ['the generated tool node', { nodeType: 'n8n-nodes-selfhost.sampleTool' }],
    ['an agent outside of workflows', { mode: 'internal' }],
  ])('%s cannot destroy without an approval token', async (_who, caller) => {
    const log: string[] = [];
    const error = await failure({ parameters: [scrap], ...caller }, { log });
    expect([error.context['code'], error.context['details'], log]).toEqual([
      'approval_needed',
      { request: 'request-1' },
      ['request for part.scrap {"name":"wheel"} 0'],
    ]);
    expect(error.description).toContain('Have a person look at request request-1');
  });

  test('a token that cannot be checked allows nothing', async () => {
    const log: string[] = [];
    const error = await failure({ parameters: [{ ...scrap, approvalToken: 'unchecked' }], tool: true }, { log });
    expect([error.context['code'], log]).toEqual(['approval_not_possible', ['approval unchecked for part.scrap']]);
  });

  test('an agent with a wrong token is refused, with a valid one it works', async () => {
    const wrong = await failure({ parameters: [{ ...scrap, approvalToken: 'invented' }], tool: true });
    expect(wrong.context['code']).toBe('approval_unknown');
    const { log } = await run({ parameters: [{ ...scrap, approvalToken: 'yes-1' }], tool: true });
    expect(log).toEqual(['approval yes-1 for part.scrap', 'scrap wheel by yes-1']);
  });

  test('a workflow needs no token for the same operation', async () => {
    expect((await run({ parameters: [scrap] })).log).toEqual(['scrap wheel by ']);
  });
});

describe('several items', () => {
  test('results keep the order of the items, whatever finishes first', async () => {
    const gate = gates();
    const log: string[] = [];
    const running = run({ parameters: [read('a'), read('b'), read('c')] }, { wait: gate.wait, log });
    await gate.until(() => log.length === 3);
    expect(log).toEqual(['begin a', 'begin b', 'begin c']);
    for (const name of ['c', 'a', 'b']) gate.open(name);
    const { output } = await running;
    expect(log.slice(3)).toEqual(['end c', 'end a', 'end b']);
    expect(output[0]?.map(({ json }) => json['name'])).toEqual(['a', 'b', 'c']);
  });

  test('"Items in Parallel" limits how many are worked on at once', async () => {
    const log: string[] = [];
    const parameters = ['a', 'b', 'c'].map((name) => read(name, { runOptions: { itemsInParallel: 1 } }));
    await run({ parameters }, { log });
    expect(log).toEqual(['begin a', 'end a', 'begin b', 'end b', 'begin c', 'end c']);
  });

  test('more in parallel than allowed is refused', async () => {
    const error = await failure({ parameters: [read('a', { runOptions: { itemsInParallel: 51 } })] });
    expect(error.message).toBe("Items in Parallel of item 0 must be a whole number from 1 to 50, not '51'");
  });

  test('after the first failure nothing new begins, and what runs is waited for', async () => {
    const gate = gates();
    const log: string[] = [];
    const parameters = ['a', 'broken', 'c', 'd'].map((name) => read(name, { runOptions: { itemsInParallel: 2 } }));
    const failing = failure({ parameters }, { wait: gate.wait, log });
    await gate.until(() => log.length === 2);
    gate.open('broken');
    gate.open('a');
    expect((await failing).message).toBe('Part broken is broken: ENOENT');
    expect(log).toEqual(['begin a', 'begin broken', 'end broken', 'end a']);
  });

  test('after Stop nothing new begins, also with "Continue", and the node does not pass for done', async () => {
    const gate = gates();
    const log: string[] = [];
    const stop = new AbortController();
    const parameters = ['a', 'b', 'c'].map((name) => read(name, { runOptions: { itemsInParallel: 1 } }));
    const stopped = failure({ parameters, signal: stop.signal, continueOnFail: true }, { wait: gate.wait, log });
    await gate.until(() => log.length === 1);
    stop.abort();
    gate.open('a');
    expect((await stopped).context['code']).toBe('cancelled');
    expect(log).toEqual(['begin a', 'end a']);
  });
});
